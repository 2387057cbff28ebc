package policies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRewriteLinks follows links that nobody else can have made, and no others.
func TestRewriteLinks(t *testing.T) {
	const somebody = 65534
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, dir string)
		refuse string
	}{
		{name: "a link of ours", change: func(*testing.T, string) {}},
		{"a link of somebody else", func(t *testing.T, dir string) { give(t, filepath.Join(dir, "there", "link.yaml"), somebody) }, "somebody else"},
		{"a link in a directory of somebody else", func(t *testing.T, dir string) { give(t, filepath.Join(dir, "there"), somebody) }, "somebody else"},
		{"a link below a directory of somebody else", func(t *testing.T, dir string) { give(t, dir, somebody) }, "somebody else"},
		{"a link where everybody can write", func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, "there"), 0o777); err != nil {
				t.Fatal(err)
			}
		}, "somebody else"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "real", "p.yaml")
			for _, d := range []string{"real", "there"} {
				if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(dir, "there", "link.yaml")
			if err := os.Symlink("../real/../real/p.yaml", link); err != nil {
				t.Fatal(err)
			}
			tt.change(t, dir)
			real, err := rewrite(link, []byte("old"), []byte("new"))
			have, readErr := os.ReadFile(file)
			if readErr != nil {
				t.Fatal(readErr)
			}
			want := "new"
			if tt.refuse != "" {
				want = "old"
			}
			if string(have) != want || (err == nil) != (tt.refuse == "") || err != nil && !strings.Contains(err.Error(), tt.refuse) {
				t.Errorf("the file is %q, error %v", have, err)
			}
			if err == nil && filepath.Base(filepath.Dir(real)) != "real" {
				t.Errorf("the path is %s", real)
			}
			// Without a link it is their file, and stays it.
			if _, err := rewrite(file, have, []byte("newer")); err != nil {
				t.Errorf("by its own name: %v", err)
			}
		})
	}
}

// TestRewriteBehindDots rewrites the file that was read: for the kernel, ".." behind a
// symlink to a directory is above what the symlink leads to.
func TestRewriteBehindDots(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("real/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real/sub", "u"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"p.yaml", "real/p.yaml"} {
		if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	real, err := rewrite("u/../p.yaml", []byte("old"), []byte("new"))
	if err != nil || !strings.HasSuffix(real, "/real/p.yaml") {
		t.Errorf("%s, %v", real, err)
	}
	for name, want := range map[string]string{"p.yaml": "old", "real/p.yaml": "new"} {
		if have, err := os.ReadFile(name); err != nil || string(have) != want {
			t.Errorf("%s is %q, want %q (%v)", name, have, want, err)
		}
	}
}

func give(t *testing.T, name string, uid int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	if err := os.Lchown(name, uid, uid); err != nil {
		t.Fatal(err)
	}
}

// TestRewriteHardLink leaves a file alone that has more than one name.
func TestRewriteHardLink(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, other); err != nil {
		t.Skip(err)
	}
	if _, err := rewrite(file, []byte("old"), []byte("new")); err == nil || !strings.Contains(err.Error(), "2 names") {
		t.Error(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "old" {
		t.Errorf("%q, %v", text, err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if _, err := rewrite(file, []byte("old"), []byte("new")); err != nil {
		t.Error(err)
	}
}

// TestRewriteOdd is about names that are no files.
func TestRewriteOdd(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{loop, dir, filepath.Join(file, "x"), filepath.Join(dir, "absent"), "/", "/dev/stdin", "/dev/null"} {
		if _, err := rewrite(name, nil, []byte("new")); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}
