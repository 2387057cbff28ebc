package manifest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestServerProgram tells what runs kube-apiserver, and where its flags begin.
func TestServerProgram(t *testing.T) {
	const image = "registry.k8s.io/kube-apiserver:v1.36.0"
	for _, c := range []struct {
		name, image   string
		command, args []string
		runs          bool
		items, script int
	}{
		{"kubeadm", image, []string{"kube-apiserver", "--a=b"}, nil, true, 1, -1},
		{"path", "x", []string{"/usr/local/bin/kube-apiserver"}, []string{"--a"}, true, 1, -1},
		{"program in args", "x", nil, []string{"kube-apiserver", "--a"}, true, 1, -1},
		{"image's program", image, nil, []string{"--a"}, true, 0, -1},
		{"image by digest", "kube-apiserver@sha256:00", nil, []string{"--a"}, true, 0, -1},
		{"image of an architecture", "k8s.gcr.io/kube-apiserver-ppc64le:v1", nil, []string{"--a"}, true, 0, -1},
		{"image without a tag", "kube-apiserver", nil, []string{"--a"}, true, 0, -1},
		{"image, no arguments", image, nil, nil, false, 0, 0},
		{"image, another word first", image, nil, []string{"version"}, false, 0, 0},
		{"image, another program", image, []string{"kubectl"}, nil, false, 0, 0},
		{"health check beside it", "kops/kube-apiserver-healthcheck:1", nil, []string{"--port=1"}, false, 0, 0},
		{"hyperkube", "x", []string{"/hyperkube", "apiserver", "--a"}, nil, true, 2, -1},
		{"hyperkube, newer name", "x", []string{"/hyperkube", "kube-apiserver", "--a"}, nil, true, 2, -1},
		{"hyperkube over both lists", "x", []string{"hyperkube"}, []string{"apiserver"}, true, 2, -1},
		{"hyperkube's image", "gcr.io/hyperkube:v1", nil, []string{"apiserver", "--a"}, true, 1, -1},
		{"hyperkube as the scheduler", "gcr.io/hyperkube:v1", []string{"/hyperkube", "scheduler"}, nil, false, 0, 0},
		{"go-runner", "x", []string{"/go-runner", "--log-file=/var/log/kube-apiserver.log", "/bin/kube-apiserver", "--a"}, nil, true, 3, -1},
		{"flock", "x", []string{"/usr/bin/flock", "--exclusive", "/lock", "kube-apiserver"}, []string{"--a"}, true, 4, -1},
		{"tini", "x", []string{"tini", "--", "kube-apiserver", "--a"}, nil, true, 3, -1},
		{"shell", "x", []string{"/bin/sh", "-c", "exec kube-apiserver --a"}, nil, true, 0, 2},
		{"shell and args", "x", []string{"/bin/bash", "-c"}, []string{"set -e\nkube-apiserver"}, true, 0, 2},
		{"shell in args", image, nil, []string{"sh", "-c", "hyperkube apiserver"}, true, 0, 2},
		{"shell of something else", "x", []string{"sh", "-c", "sleep 1d"}, nil, false, 0, 0},
		{"env and a shell", "x", []string{"env", "A=b", "ash", "-c", "exec /bin/kube-apiserver"}, nil, true, 0, 4},
		{"a flag that names it", "x", []string{"proxy", "--to=kube-apiserver", "--note=the kube-apiserver here"}, nil, false, 0, 0},
		{"another program", "x", []string{"kube-scheduler", "--a"}, nil, false, 0, 0},
		{"nothing", "x", nil, nil, false, 0, 0},
	} {
		p, runs := serverProgram(&corev1.Container{Image: c.image, Command: c.command, Args: c.args})
		if runs != c.runs || p.items != c.items || p.script != c.script {
			t.Errorf("%s: %+v %v, want %+v", c.name, p, runs, c)
		}
	}
}
