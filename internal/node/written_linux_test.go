package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWritten has a content that was laid out before it was put in place, as all
// contents of a run are.
func TestWritten(t *testing.T) {
	root := t.TempDir()
	temp, name := filepath.Join(root, ".temp"), filepath.Join(root, "manifest")
	if err := os.WriteFile(temp, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour)
	if err := os.Chtimes(temp, before, before); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, name); err != nil {
		t.Fatal(err)
	}
	if at := New(root, "").Written("/manifest"); time.Since(at) > time.Minute {
		t.Errorf("written at %s, want now", at)
	}
}
