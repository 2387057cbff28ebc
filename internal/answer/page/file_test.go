package page

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// report is the text of a page without events.
func report(t *testing.T) string {
	text, _ := write(t, About{}, Total{})
	return text
}

func TestCreate(t *testing.T) {
	t.Parallel()
	old := report(t)
	for name, c := range map[string]struct {
		there     func(t *testing.T, name string)
		overwrite bool
		want      error
	}{
		"nothing":          {there: func(*testing.T, string) {}},
		"a report":         {there: file(old)},
		"another file":     {there: file("precious"), want: ErrNotOurs},
		"an empty file":    {there: file(""), want: ErrNotOurs},
		"another, to lose": {there: file("precious"), overwrite: true},
		"a link":           {there: link, overwrite: true, want: ErrNotPlain},
		"a folder":         {there: func(t *testing.T, name string) { check(t, os.Mkdir(name, 0o755)) }, overwrite: true, want: ErrNotPlain},
		"a pipe":           {there: func(t *testing.T, name string) { check(t, syscall.Mkfifo(name, 0o644)) }, want: ErrNotPlain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			name := filepath.Join(dir, "report.html")
			c.there(t, name)
			before, _ := os.ReadDir(dir)
			f, err := Create(name, c.overwrite)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil {
				_, err := f.WriteString("new")
				check(t, errors.Join(err, f.Commit()))
				f.Cleanup() // changes nothing any more
				text, err := os.ReadFile(name)
				info, _ := os.Stat(name)
				if err != nil || string(text) != "new" || info.Mode() != 0o600 {
					t.Errorf("%q, %v, %v", text, info.Mode(), err)
				}
			}
			if after, _ := os.ReadDir(dir); len(after) > max(1, len(before)) {
				t.Errorf("%d files are left", len(after))
			}
		})
	}
}

func file(text string) func(*testing.T, string) {
	return func(t *testing.T, name string) { check(t, os.WriteFile(name, []byte(text), 0o644)) }
}

func link(t *testing.T, name string) { check(t, os.Symlink("elsewhere", name)) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCommit wants what came while the page was written to be treated as what was there before.
func TestCommit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before, came string
		overwrite    bool
		want         error
	}{
		{came: "precious", want: ErrNotOurs},
		{before: report(t), came: "precious", want: ErrNotOurs},
		{came: report(t)},
		{came: "to lose", overwrite: true},
	} {
		dir := t.TempDir()
		name := filepath.Join(dir, "report.html")
		if c.before != "" {
			file(c.before)(t, name)
		}
		f, err := Create(name, c.overwrite)
		check(t, err)
		file(c.came)(t, name)
		if _, err = f.WriteString("new"); err == nil {
			err = f.Commit()
		}
		text, _ := os.ReadFile(name)
		if want := map[bool]string{true: "new", false: c.came}[c.want == nil]; !errors.Is(err, c.want) || string(text) != want {
			t.Errorf("%+v: %v, and the file is %.20q", c, err, text)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("%+v: %d files are left", c, len(left))
		}
	}
}

// TestCleanup wants an unfinished page to leave what was there.
func TestCleanup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "report.html")
	old := report(t)
	check(t, os.WriteFile(name, []byte(old), 0o644))
	f, err := Create(name, false)
	check(t, err)
	_, err = f.WriteString(strings.Repeat("x", 1<<17))
	check(t, err)
	f.Cleanup()
	f.Cleanup()
	if text, err := os.ReadFile(name); err != nil || string(text) != old {
		t.Errorf("the earlier page is gone: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
	if _, err := Create(filepath.Join(dir, "absent/report.html"), false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestSudo says to whom a page belongs that root writes for somebody else.
func TestSudo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const user, other = 12345, 54321
	for name, c := range map[string]struct {
		sudo     string
		dir, old int // owners; old is -1 without an earlier page
		want     int
	}{
		"no sudo":                   {"", user, -1, 0},
		"their folder":              {"12345", user, -1, user},
		"root's folder":             {"12345", 0, -1, 0},
		"their page in root's":      {"12345", 0, user, user},
		"another's page in root's":  {"12345", 0, other, 0},
		"another's page, no sudo":   {"", 0, other, 0},
		"sudo of root":              {"0", 0, -1, 0},
		"what is no number of sudo": {"x", user, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SUDO_UID", c.sudo)
			t.Setenv("SUDO_GID", c.sudo)
			dir := t.TempDir()
			name := filepath.Join(dir, "report.html")
			if c.old >= 0 {
				check(t, os.WriteFile(name, []byte(report(t)), 0o644))
				check(t, os.Chown(name, c.old, c.old))
			}
			check(t, os.Chown(dir, c.dir, c.dir))
			f, err := Create(name, false)
			check(t, err)
			check(t, f.Commit())
			info, err := os.Stat(name)
			check(t, err)
			if !of(info, c.want) {
				t.Errorf("it belongs to %d", info.Sys().(*syscall.Stat_t).Uid)
			}
		})
	}
}
