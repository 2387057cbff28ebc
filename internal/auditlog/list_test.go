package auditlog

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// changing is a folder in which something happens each time after it was listed.
type changing struct {
	fs.FS
	do []func()
}

func (c *changing) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(c.FS, name)
	if len(c.do) > 0 {
		c.do[0]()
		c.do = c.do[1:]
	}
	return entries, err
}

// TestListWhileChanging wants no file to be missing that is rotated or packed while the
// folder is listed.
func TestListWhileChanging(t *testing.T) {
	dir := t.TempDir()
	const first, second = "audit-2026-11-22T11-20-04.000.log", "audit-2026-11-22T11-20-05.000.log"
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name string) {
		t.Helper()
		if err := os.WriteFile(at(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(at(from), at(to)); err != nil {
				t.Error(err)
			}
			put("audit.log")
		}
	}
	put(first)
	put("audit.log")
	got, err := Files(&changing{os.DirFS(dir), []func(){move(first, first+".gz"), move("audit.log", second)}}, "audit.log")
	if want := []string{first + ".gz", second, "audit.log"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestByLog wants one listing of a folder to have of each log what Files has of it.
func TestByLog(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"audit.log", "audit-2026-11-22T11-20-04.000.log.gz", "audit-2026-11-22T11-20-04.000.log", "audit-2026-11-22T11-20-05.000.log", "audit-2026-11-22T11-20-03.000.log.gz",
		"gone-2026-11-22T11-20-05.000.log", "other.json.gz", "other.json", "n\xff.log",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := ByLog(Folder(dir))
	if err != nil || len(all) != 5 {
		t.Errorf("got %q, %v", all, err)
	}
	for live, got := range all {
		if want, err := Files(Folder(dir), live); err != nil || !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: got %q, want %q, %v", live, got, want, err)
		}
	}
}
