package roles

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/validate/content"
)

// TestRoleNames wants names that roles can have, of which no two users, subjects and namespaces,
// also that somebody made up, have the same.
func TestRoleNames(t *testing.T) {
	parts := []string{"", "a", "n1", "to", "to:a", ":", "/", "%", "-", ".", "a:n1", "n1:a", "oidc/x", "oidc-x", "oidc%x", "\n", "\u202e", ".n1", "-to", "auditpatch:a",
		"-" + hash("oidc/x"), hash("oidc/x") + ":oidc-x", "system:serviceaccount:ci:builder"}
	seen := map[string]string{}
	want := func(of, name string) {
		if other, ok := seen[name]; ok {
			t.Errorf("%s and %s are both called %s", of, other, name)
		}
		seen[name] = of
		if wrong := content.IsPathSegmentName(name); len(wrong) > 0 || CheckName(name) != nil {
			t.Errorf("%s is called %s: %q, %v", of, name, wrong, CheckName(name))
		}
	}
	for _, part := range parts {
		for _, namespace := range parts {
			if namespace != "" && !label().MatchString(namespace) {
				continue
			}
			want(fmt.Sprintf("subject %q in %q", part, namespace), roleNames("", "", part)(namespace))
			if part != "" {
				want(fmt.Sprintf("user %q in %q", part, namespace), roleNames("", part, "a")(namespace))
			}
		}
	}
	if got, want := roleNames("", "system:serviceaccount:ci:builder", "")(""), "auditpatch:system:serviceaccount:ci:builder"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := roleNames("", "oidc/x", "")("n1"); !strings.HasSuffix(got, ".n1:oidc-x") {
		t.Errorf("got %s", got)
	}
	if got := roleNames("", "", "group:devs")(""); got != "auditpatch-to:group:devs" {
		t.Errorf("got %s", got)
	}
	if got := roleNames("ci", "alice", "")("n1"); got != "ci:n1" {
		t.Errorf("got %s", got)
	}
}
