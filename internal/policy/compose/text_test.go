package compose

import "testing"

// TestComment writes a comment on a file whose name has what nobody sees.
func TestComment(t *testing.T) {
	w := writer{end: "\n"}
	w.line("# from %s", "a\ufe0f\u202e\u3164é.yaml")
	if got := w.String(); got != "# from a???é.yaml\n" {
		t.Errorf("%q", got)
	}
}
