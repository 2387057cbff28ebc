package proof

import (
	"context"
	"fmt"
	"testing"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/node"
	"auditpatch/internal/standin"
)

// TestFind compares the reasons.
func TestFind(t *testing.T) {
	root := t.TempDir()
	fsys, err := node.New(root, "").FS()
	if err != nil {
		t.Fatal(err)
	}
	defer fsys.Close()
	search := auditlog.Begin(fsys, "/audit.log")
	defer search.Close()
	if _, err := find(context.Background(), search, []string{"a"}, 0); fmt.Sprint(err) != "/audit.log: file does not exist" {
		t.Errorf("no log: %v", err)
	}
	(standin.Tree{T: t, Root: root}).Write("audit.log", "")
	if _, err := find(context.Background(), search, []string{"a", "never"}, 0); fmt.Sprint(err) != "event never is not in it" {
		t.Errorf("empty: %v", err)
	}
}
