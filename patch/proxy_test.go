package patch

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/manifest"
)

func TestProxy(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]Proxy{
		"":                                     {},
		"{name: HTTPS_PROXY, value: http://a}": {HTTPS: "http://a"},
		"{name: https_proxy, value: http://a}, {name: HTTPS_PROXY, value: http://b}, {name: no_proxy, value: 'c,d'}": {HTTPS: "http://b", NoProxy: "c,d"},
		"{name: HTTP_PROXY, value: http://a}, {name: HTTP_PROXY, value: http://b}, {name: X_PROXY, value: x}":        {HTTP: "http://b"},
		"{name: HTTPS_PROXY, value: ''}, {name: https_proxy, value: http://a}":                                       {HTTPS: "http://a"},
		"{name: HTTPS_PROXY, value: 'http://$(HOST)'}":                                                               {Unknown: "HTTPS_PROXY"},
		"{name: no_proxy, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}":                                        {Unknown: "no_proxy"},
		"{name: Https_Proxy, value: http://a}":                                                                       {},
	} {
		m, err := manifest.Parse("m", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver, namespace: kube-system}\n"+
			"spec:\n  containers:\n  - name: kube-apiserver\n    image: registry.k8s.io/kube-apiserver:v1.36.3\n    command: [kube-apiserver, --secure-port=6443]\n    env: ["+env+"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, Inspect(m).Proxy); d != "" {
			t.Errorf("%s (-want +got):\n%s", env, d)
		}
	}
}
