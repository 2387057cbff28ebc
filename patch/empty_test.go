package patch_test

import (
	"testing"

	"auditpatch/patch"
)

// TestEmptyFlags keeps flags that turn a backend off with an empty value: they say
// what is wanted, and disable gives back the same bytes.
func TestEmptyFlags(t *testing.T) {
	for _, flags := range []string{
		"    - --audit-log-path=\n",
		"    - --audit-webhook-config-file=\n",
		"    - --audit-log-path=/var/log/kubernetes/audit/audit.log\n    - --audit-log-path=\n",
		"    - --audit-policy-file=\n    - --audit-webhook-config-file=\n",
	} {
		text := []byte(pod(flags, "", "", ""))
		s := plain(text)
		on, err := patch.Enable(s, patch.Options{Policy: anyPolicy})
		if err != nil {
			t.Errorf("%s: %v", flags, err)
			continue
		}
		s.Manifest.Data, _ = on.Text(s.Manifest.Path)
		off, err := patch.Disable(s, false)
		if err != nil {
			t.Errorf("%s: %v", flags, err)
			continue
		}
		if got, _ := off.Text(s.Manifest.Path); string(got) != string(text) {
			t.Errorf("%s: disable gives\n%s", flags, got)
		}
	}
}
