package contract

import (
	"bytes"
	"os"
	"testing"

	"auditpatch/e2e/cast"
)

// TestSession wants the README's picture to be the recording that a test in e2e
// makes. UPDATE_README=1 draws it anew.
func TestSession(t *testing.T) {
	const picture = top + "/docs/session.svg"
	recording, err := cast.Read(top + "/docs/session.cast")
	if err != nil {
		t.Fatal(err)
	}
	want := recording.SVG("auditpatch on a control-plane node")
	if updatePages {
		if err := os.WriteFile(picture, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not show the recording: UPDATE_README=1 go test -run TestSession ./contract", picture)
	}
}
