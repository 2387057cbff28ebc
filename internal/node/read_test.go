package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRead(t *testing.T) {
	root := newTree(t, map[string]string{
		"/etc/plain":         "plain\n",
		"/etc/empty":         "",
		"/etc/relative":      "-> plain",
		"/etc/absolute":      "-> /etc/plain",
		"/etc/up":            "-> ../../../../../../etc/plain",
		"/etc/chain":         "-> absolute",
		"/etc/dangling":      "-> /var/gone",
		"/link":              "-> /etc",
		"/etc/dir/":          "",
		"/outside":           "-> /../../etc/plain",
		"/etc/dir/back/file": "far\n",
	})
	n := testNode(root)
	for name, want := range map[string]File{
		"/etc/plain":              {Exists: true, Data: []byte("plain\n")},
		"/etc//./plain":           {Exists: true, Data: []byte("plain\n")},
		"/etc/empty":              {Exists: true, Data: []byte{}},
		"/etc/relative":           {Exists: true, Data: []byte("plain\n"), Real: "/etc/plain"},
		"/etc/absolute":           {Exists: true, Data: []byte("plain\n"), Real: "/etc/plain"},
		"/etc/up":                 {Exists: true, Data: []byte("plain\n"), Real: "/etc/plain"},
		"/etc/chain":              {Exists: true, Data: []byte("plain\n"), Real: "/etc/plain"},
		"/link/plain":             {Exists: true, Data: []byte("plain\n"), Real: "/etc/plain"},
		"/link/../etc/plain":      {Exists: true, Data: []byte("plain\n")},
		"/link/dir/back/../../up": {Exists: true, Data: []byte("plain\n"), Real: "/etc/plain"},
		"/outside":                {Exists: true, Data: []byte("plain\n"), Real: "/etc/plain"},
		"/../../etc/plain":        {Exists: true, Data: []byte("plain\n")},
		"/etc/gone":               {},
		"/gone/gone":              {},
		"/etc/dangling":           {Real: "/var/gone"},
		"/link/gone":              {Real: "/etc/gone"},
	} {
		t.Run(name, func(t *testing.T) {
			want.Path = name
			if want.Exists {
				want.Mode, want.UID, want.GID = 0o600, os.Geteuid(), os.Getegid()
			}
			equal(t, "file", read(t, n, name), want)
		})
	}
}

func TestReadRefuses(t *testing.T) {
	root := newTree(t, map[string]string{
		"/file": "text", "/dir/": "", "/loop": "-> /loop2", "/loop2": "-> loop",
		"/big": strings.Repeat("x", maxFile+1), "/full": strings.Repeat("x", maxFile),
	})
	must(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	n := testNode(root)
	for name, want := range map[string]string{
		"/dir":         "read /dir: is a directory",
		"/":            "read /: is a directory",
		"/fifo":        "read /fifo: a named pipe, not a file",
		"/loop":        "read /loop: too many levels of symbolic links",
		"/big":         "read /big: larger than 10 MiB",
		"/file/x":      "read /file/x: not a directory",
		"/gone/../dir": "read /gone/../dir: no such file or directory",
		"dir":          "read dir: not an absolute path",
		"":             "read : not an absolute path",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Read(name)
			wantErr(t, err, want)
		})
	}
	equal(t, "size of the largest", len(read(t, n, "/full").Data), maxFile)
}

func TestReadNoRoot(t *testing.T) {
	_, err := New("/no/such/root", "").Read("/etc/passwd")
	wantErr(t, err, "open /no/such/root: no such file or directory")
}

// On "/" the paths are the machine's own, absolute links included.
func TestReadThisMachine(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	fillTree(t, dir, map[string]string{"/file": "text", "/link": "-> " + dir + "/file"})
	f := read(t, New("", ""), dir+"/link")
	equal(t, "text", string(f.Data), "text")
	equal(t, "real", f.Real, dir+"/file")
}

func TestStat(t *testing.T) {
	root := newTree(t, map[string]string{"/dir/file": "text"})
	must(t, os.Chmod(filepath.Join(root, "dir"), 0o750|fs.ModeSetgid))
	n := testNode(root)
	want := File{Path: "/dir", Exists: true, Dir: true, Mode: 0o750 | fs.ModeSetgid, UID: os.Geteuid(), GID: os.Getegid()}
	equal(t, "directory", stat(t, n, "/dir"), want)
	equal(t, "absent", stat(t, n, "/gone"), File{Path: "/gone"})
	f := stat(t, n, "/dir/file")
	equal(t, "data of a file", f.Data, []byte(nil))
}

func TestSiblings(t *testing.T) {
	root := newTree(t, map[string]string{
		manifests + "/kube-apiserver.yaml":     "pod\n",
		manifests + "/kube-apiserver.yaml.bak": "backup\n",
		manifests + "/.hidden":                 "no\n",
		manifests + "/linked":                  "-> /etc/elsewhere",
		manifests + "/dangling":                "-> gone",
		manifests + "/dir/file":                "no\n",
		manifests + "/big":                     strings.Repeat("x", maxFile+1),
		"/etc/elsewhere":                       "other\n",
	})
	must(t, syscall.Mkfifo(filepath.Join(root, manifests, "fifo"), 0o600))
	all, err := testNode(root).Siblings(manifests)
	must(t, err)
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprintf("%s %q %v", filepath.Base(s.Path), s.Data, s.Err))
	}
	d := manifests
	equal(t, "siblings", got, []string{
		`big "" read ` + d + `/big: larger than 10 MiB`,
		`dangling "" read ` + d + `/dangling: no such file or directory`,
		`dir "" read ` + d + `/dir: is a directory`,
		`fifo "" read ` + d + `/fifo: a named pipe, not a file`,
		`kube-apiserver.yaml "pod\n" <nil>`,
		`kube-apiserver.yaml.bak "backup\n" <nil>`,
		`linked "other\n" <nil>`,
	})
}

func TestSiblingsNone(t *testing.T) {
	n := testNode(newTree(t, map[string]string{"/file": ""}))
	all, err := n.Siblings("/etc/gone")
	must(t, err)
	equal(t, "siblings", len(all), 0)
	_, err = n.Siblings("/file")
	wantErr(t, err, "read /file: not a directory")
}

// TestFinishDir wants a new directory that another run of ours uses already to be
// taken as it is, and any other that is not empty to be left alone.
func TestFinishDir(t *testing.T) {
	at := t.TempDir()
	for name, want := range map[string]error{"used": nil, "swapped": errSwapped, "made wider later": nil} {
		mode := map[string]os.FileMode{"used": 0o700, "swapped": 0o750, "made wider later": 0o700}[name]
		final := map[string]os.FileMode{"used": 0o700, "swapped": 0o700, "made wider later": 0o755}[name]
		must(t, os.Mkdir(filepath.Join(at, name), mode))
		must(t, os.WriteFile(filepath.Join(at, name, "lock"), nil, 0o600))
		dir, err := os.OpenRoot(at)
		must(t, err)
		if err := finishDir(dir, name, final); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		must(t, dir.Close())
	}
}
