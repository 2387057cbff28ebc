package contract

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// TestUnread gives enable a full pipe for standard error that nobody reads, as an SSH
// session may be that hangs: the change has to be made all the same, and to be told in
// full to whoever reads at last.
func TestUnread(t *testing.T) {
	root := newNode(t)
	before := read(t, root, manifestPath)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	filling, err := w.Write(make([]byte, 4<<20))
	if err == nil {
		t.Fatalf("a pipe took %d bytes", filling)
	}
	cmd := program(t, "enable", "--root", root)
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(8 * time.Second); bytes.Equal(read(t, root, manifestPath), before); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody reads what enable says, and so it does nothing")
		}
	}
	said, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	text := string(said[min(filling, len(said)):])
	if !strings.HasPrefix(text, "policy ") || !strings.HasSuffix(text, "\naudit logging is configured\n") {
		t.Errorf("enable said:\n%s", text)
	}
}
