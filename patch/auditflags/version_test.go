package auditflags

import "testing"

func TestParseImageVersion(t *testing.T) {
	for _, c := range []struct{ image, want string }{
		{"registry.k8s.io/kube-apiserver:v1.30.0", "1.30"},
		{"registry.k8s.io/kube-apiserver:v1.36.3@sha256:9c0dbf1c6e0bdb1ed5ba5ae1a1ab9ba2a8bde8ba7f2b4ffd0e2fa0fbd1b9e0a1", "1.36"},
		{"k8s.gcr.io/kube-apiserver-amd64:v1.10.8", "1.10"},
		{"gcr.io/google_containers/hyperkube:v1.8.1", "1.8"},
		{"host:5000/kube-apiserver:v1.29.3-eks-1", "1.29"},
		{"kindest/node:v1.37.0", "1.37"},
		{"kube-apiserver:1.36", "1.36"},
		{"registry.k8s.io/kube-apiserver:v1.31.0-alpha.1.12_0a1b2c3d", "1.31"},
		{"rancher/hardened-kubernetes:v1.30.1-rke2r1-build20240515", "1.30"},
		{"kube-apiserver:v1.30.1_vmware.1", "1.30"},
		{"kube-apiserver:v2.0.0", "2.0"},
		{"kube-apiserver", "unknown"},
		{"kube-apiserver:latest", "unknown"},
		{"kube-apiserver:v1", "unknown"},
		{"kube-apiserver:v1.x", "unknown"},
		{"kube-apiserver:v0.36.3", "unknown"},
		{"kube-apiserver:20240131.1", "unknown"},
		{"kube-apiserver:v1.36rc1", "unknown"},
		{"kube-apiserver:", "unknown"},
		{"host:5000/kube-apiserver", "unknown"},
		{"host:5000/v1.36:main", "unknown"},
		{"registry.k8s.io/kube-apiserver@sha256:9c0dbf1c6e0bdb1ed5ba5ae1a1ab9ba2a8bde8ba7f2b4ffd0e2fa0fbd1b9e0a1", "unknown"},
		{"{{ kube_apiserver_image }}", "unknown"},
		{"", "unknown"},
	} {
		got, ok := ParseImageVersion(c.image)
		if got.String() != c.want || ok != (c.want != "unknown") {
			t.Errorf("%q: %v, %v; want %s", c.image, got, ok, c.want)
		}
	}
}

func TestVersionOrder(t *testing.T) {
	for _, c := range []struct {
		v, o            Version
		atLeast, before bool
	}{
		{Version{1, 36}, Version{1, 36}, true, false},
		{Version{1, 37}, Version{1, 36}, true, false},
		{Version{1, 9}, Version{1, 36}, false, true},
		{Version{2, 0}, Version{1, 36}, true, false},
		{Version{}, Version{1, 36}, false, false},
		{Version{1, 8}, Version{}, true, false},
	} {
		if c.v.AtLeast(c.o) != c.atLeast || c.v.Before(c.o) != c.before {
			t.Errorf("%v and %v: %v, %v", c.v, c.o, c.v.AtLeast(c.o), c.v.Before(c.o))
		}
	}
}
