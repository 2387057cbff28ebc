package roles

import "testing"

// TestScalar has names with what nobody sees, which an eye would take for other names.
func TestScalar(t *testing.T) {
	for text, want := range map[string]string{
		"alice":                  "alice",
		"alice\ufe0f\u202e":      `"alice\ufe0f\u202e"`,
		"alice\U000e0100\u034fé": `"alice\U000e0100\u034fé"`,
		"yes":                    `"yes"`,
	} {
		if got := scalar(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	if got := comment("a\ufe0fb\u3164"); got != "a\ufffdb\ufffd" {
		t.Errorf("a comment is %q", got)
	}
}
