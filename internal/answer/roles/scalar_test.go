package roles

import "testing"

// TestScalar has names with what nobody sees, which an eye would take for other names.
func TestScalar(t *testing.T) {
	for text, want := range map[string]string{
		"alice":                           "alice",
		"alice\ufe0f\u202e":               `"alice\ufe0f\u202e"`,
		"alice\U000e0100\u034fé":          `"alice\U000e0100\u034fé"`,
		"yes":                             `"yes"`,
		"\u0301alice\u11a8":               `"\u0301alice\u11a8"`,
		"e\u0301\u0301\u0301\u0301\u0301": "\"e\u0301\u0301\u0301\u0301\\u0301\"",
	} {
		if got := scalar(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
