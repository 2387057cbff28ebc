package builtin

import (
	"slices"
	"strings"
	"testing"
)

// TestAll wants of each line of the table what a resource needs, once.
func TestAll(t *testing.T) {
	t.Parallel()
	seen := map[key]bool{}
	for _, r := range All() {
		k := key{r.Group, r.Name}
		if seen[k] {
			t.Errorf("%v is there twice", k)
		}
		seen[k] = true
		if r.Name != strings.ToLower(r.Name) || r.Kind == "" || r.Kind == strings.ToLower(r.Kind) || !slices.IsSorted(r.Subresources) {
			t.Errorf("%+v", r)
		}
		if got := Find(r.Group, r.Name); got == nil || got.Kind != r.Kind {
			t.Errorf("%v is not found: %+v", k, got)
		}
		if !HasGroup(r.Group) {
			t.Errorf("no group %q", r.Group)
		}
	}
	for name, want := range map[string]bool{"nodes": true, "pods": false, "events": false, "widgets": false, "clusterroles": true, "": false} {
		if ClusterScoped(name) != want {
			t.Errorf("%s is cluster-scoped: %t", name, !want)
		}
	}
	if Find("", "deployments") != nil || HasGroup("metrics.k8s.io") {
		t.Error("something is found that kube-apiserver does not serve")
	}
}
