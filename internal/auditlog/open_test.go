//go:build unix

package auditlog

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOpenRegular is a pipe without a writer, which to open would wait.
func TestOpenRegular(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "audit.log")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := OpenRegular(pipe); err == nil {
		_ = f.Close()
		t.Error("a pipe is taken for a regular file")
	}
	file := pipe + ".x"
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenRegular(file)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}
