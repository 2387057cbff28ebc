// Package ansible tests what Ansible is given: the module, which is a shell script, and the
// collection that the folder is.
package ansible

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// standIn makes the test binary the program that the module runs: it says what it was given.
const standIn = "AUDITPATCH_TEST_STAND_IN"

func TestMain(m *testing.M) {
	if os.Getenv(standIn) != "" {
		os.Exit(actAsProgram())
	}
	os.Exit(m.Run())
}

func actAsProgram() int {
	if slices.Equal(os.Args[1:], []string{"version"}) {
		return 0
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil || len(os.Args) != 2 {
		return 9
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"msg": string(text), "rc": 3})
	return 1
}

const (
	installHint = "ansible.builtin.include_role: {name: auditpatch, tasks_from: install}"
	pathHint    = "auditpatch_install_path: /usr/local/bin/auditpatch"
)

// node is a folder in which the program lies, as the role has copied it.
type node struct {
	*testing.T
	module             string
	dir, program, sha1 string
	arguments          []string
}

func newNode(t *testing.T) *node {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{T: t, module: "plugins/modules/auditpatch", dir: filepath.Join(t.TempDir(), "bin"), sha1: fmt.Sprintf("%x", sha1.Sum(text))}
	n.program, n.arguments = filepath.Join(n.dir, "auditpatch"), []string{filepath.Join(t.TempDir(), "args")}
	n.must(os.Mkdir(n.dir, 0o755))
	n.must(os.WriteFile(n.program, text, 0o755))
	n.must(os.WriteFile(n.arguments[0], []byte(`{"state": "enabled"}`), 0o600))
	return n
}

func (n *node) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

// patch writes bytes into the program.
func (n *node) patch(offset int64, text string) {
	n.Helper()
	f, err := os.OpenFile(n.program, os.O_WRONLY, 0)
	n.must(err)
	_, err = f.WriteAt([]byte(text), offset)
	n.must(errors.Join(err, f.Close()))
}

// mode sets a mode whatever the umask is.
func (n *node) mode(name string, mode uint32) {
	n.Helper()
	n.must(syscall.Chmod(name, mode))
}

// result is what a module says of a task that failed.
type result struct {
	Changed *bool  `json:"changed"`
	Failed  bool   `json:"failed"`
	RC      int    `json:"rc"`
	Msg     string `json:"msg"`
	Hint    string `json:"hint"`
	Edits   []any  `json:"edits"`
	Steps   *[]any `json:"steps"`
	Exit    int    `json:"-"`
}

// task runs the module with a shell, as Ansible does.
func (n *node) task(shell []string) (r result) {
	n.Helper()
	cmd := exec.Command(shell[0], slices.Concat(shell[1:], []string{n.module}, n.arguments)...)
	cmd.Env = append(os.Environ(), standIn+"=1", "AUDITPATCH_PROGRAM="+n.program, "AUDITPATCH_SHA1="+n.sha1)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		n.Fatal(err)
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || stderr.Len() > 0 {
		n.Fatalf("%v: the module printed\n%s%s", err, &stdout, &stderr)
	}
	r.Exit = cmd.ProcessState.ExitCode()
	return r
}

// shells are those of this machine that /bin/sh may be.
func shells(t *testing.T) (list [][]string) {
	t.Helper()
	for _, words := range [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		if _, err := exec.LookPath(words[0]); err == nil {
			list = append(list, words)
		}
	}
	return list
}

// TestModuleRuns wants the program to be given the file, and its words and exit status to come back.
func TestModuleRuns(t *testing.T) {
	for name, prepare := range map[string]func(n *node){
		"plain":   func(*node) {},
		"no sum":  func(n *node) { n.sha1 = "" },
		"sticky":  func(n *node) { n.mode(n.dir, 0o1777) },
		"symlink": func(n *node) { n.link(n.program) },
		"odd names": func(n *node) {
			dir := filepath.Join(filepath.Dir(n.dir), "-it's \"a\" $(exit 7) `exit 8`\\ * bin")
			n.must(os.Rename(n.dir, dir))
			n.program = filepath.Join(dir, "auditpatch")
			args := filepath.Join(dir, "args of $HOME")
			n.must(os.Rename(n.arguments[0], args))
			n.arguments[0] = args
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			prepare(n)
			for _, shell := range shells(t) {
				if r := n.task(shell); r.Exit != 1 || r.RC != 3 || r.Msg != `{"state": "enabled"}` {
					t.Errorf("%s: %+v", shell, r)
				}
			}
		})
	}
}

// link makes the program a symlink to a file.
func (n *node) link(to string) {
	n.Helper()
	n.program = filepath.Join(n.TempDir(), "auditpatch")
	n.must(os.Symlink(to, n.program))
}

const thisArch = runtime.GOARCH

// otherArch is the other of amd64 and arm64, otherMachine what an ELF header calls it.
var (
	otherArch    = map[string]string{"amd64": "arm64", "arm64": "amd64"}[thisArch]
	otherMachine = map[string]string{"amd64": "\xb7\x00", "arm64": "\x3e\x00"}[thisArch]
)

const (
	nobody   = 65534
	byOthers = " can be changed by others than root, and the program runs as root"
)

// refusals are what the module must not run, and what it says of it. PROGRAM and DIR stand for
// the program's path and its folder's.
var refusals = []struct {
	name      string
	prepare   func(n *node)
	msg, hint string
}{
	{"missing", func(n *node) { n.must(os.Remove(n.program)) },
		"the program is not on this node: there is no file PROGRAM", installHint},
	{"a folder", func(n *node) { n.program = n.dir },
		"the program is not on this node: there is no file PROGRAM", installHint},
	{"a dangling symlink", func(n *node) { n.link("/nowhere") },
		"the program is not on this node: there is no file PROGRAM", installHint},
	{"missing, in the collection", func(n *node) {
		n.must(os.Remove(n.program))
		n.must(os.WriteFile(n.arguments[0], []byte(`{"preset": "a", "_ansible_module_name": "auditpatch.auditpatch.auditpatch", "_ansible_diff": false}`), 0o600))
	}, "the program is not on this node: there is no file PROGRAM",
		"ansible.builtin.include_role: {name: auditpatch.auditpatch.auditpatch, tasks_from: install}"},
	{"a path with quotes", func(n *node) { n.program = "/no \"where\"\\\n\tat all" },
		`the program is not on this node: there is no file /no "where"\at all`, installHint},
	{"relative", func(n *node) { n.program = "auditpatch" },
		"AUDITPATCH_PROGRAM: auditpatch is not an absolute path", "AUDITPATCH_PROGRAM: /usr/local/bin/auditpatch"},
	{"without arguments", func(n *node) { n.arguments = nil },
		"a module takes one argument, the file that Ansible writes", "PROGRAM --help"},

	{"another version", func(n *node) { n.sha1 = strings.Repeat("0", 40) },
		"PROGRAM is another version than the role has copied: SHA-1 SUM, not " + strings.Repeat("0", 40), installHint},
	{"another machine's", func(n *node) { n.patch(18, otherMachine) }, "PROGRAM is not a program for MACHINE", installHint},
	{"32 bits", func(n *node) { n.patch(4, "\x01") }, "PROGRAM is not a program for MACHINE", installHint},
	{"a script", func(n *node) { n.must(os.WriteFile(n.program, []byte("#!/bin/sh\necho '{}'\n"), 0o755)) },
		"PROGRAM is not a program for MACHINE", installHint},
	{"empty", func(n *node) { n.must(os.Truncate(n.program, 0)) }, "PROGRAM is not a program for MACHINE", installHint},
	{"not executable", func(n *node) { n.mode(n.program, 0o644) },
		"PROGRAM does not run: see its mode, and whether its file system is mounted noexec", pathHint},

	{"writable by everybody", func(n *node) { n.mode(n.program, 0o757) },
		"PROGRAM" + byOthers, "chown root:root 'PROGRAM' && chmod go-w 'PROGRAM'"},
	{"writable by a group, and sticky", func(n *node) { n.mode(n.program, 0o1775) },
		"PROGRAM" + byOthers, "chown root:root 'PROGRAM' && chmod go-w 'PROGRAM'"},
	{"somebody's", func(n *node) { n.must(os.Chown(n.program, nobody, -1)) },
		"PROGRAM" + byOthers, "chown root:root 'PROGRAM' && chmod go-w 'PROGRAM'"},
	{"somebody's in a sticky folder", func(n *node) { n.mode(n.dir, 0o1777); n.must(os.Chown(n.program, nobody, -1)) },
		"PROGRAM" + byOthers, "chown root:root 'PROGRAM' && chmod go-w 'PROGRAM'"},
	{"a folder that everybody writes to", func(n *node) { n.mode(n.dir, 0o777) },
		"DIR" + byOthers, "chown root:root 'DIR' && chmod go-w 'DIR'"},
	{"a folder of somebody", func(n *node) { n.must(os.Chown(n.dir, nobody, -1)) },
		"DIR" + byOthers, "chown root:root 'DIR' && chmod go-w 'DIR'"},
	{"a sticky folder of somebody", func(n *node) { n.mode(n.dir, 0o1755); n.must(os.Chown(n.dir, nobody, -1)) },
		"DIR" + byOthers, "chown root:root 'DIR' && chmod go-w 'DIR'"},
	{"a symlink into such a folder", func(n *node) { n.mode(n.dir, 0o777); n.link(n.program) },
		"DIR" + byOthers, "chown root:root 'DIR' && chmod go-w 'DIR'"},
}

// TestModuleRefuses lets the module find what it must not run.
func TestModuleRefuses(t *testing.T) {
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("gives files to others")
			}
			n := newNode(t)
			tc.prepare(n)
			for _, shell := range shells(t) {
				n.wantRefused(shell, tc.msg, tc.hint)
			}
		})
	}
}

// wantRefused compares what the module says.
func (n *node) wantRefused(shell []string, msg, hint string) {
	n.Helper()
	var sum string
	if text, err := os.ReadFile(n.program); err == nil {
		sum = fmt.Sprintf("%x", sha1.Sum(text))
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	full := strings.NewReplacer("PROGRAM", n.program, "DIR", n.dir, "SUM", sum, "MACHINE", machine)
	if strings.HasPrefix(msg, "AUDITPATCH_PROGRAM") {
		full = strings.NewReplacer()
	}
	msg, hint = full.Replace(msg), full.Replace(hint)
	r := n.task(shell)
	if r.Msg != msg || r.Hint != hint {
		n.Errorf("%s: says\n%s\n%s\nwant\n%s\n%s", shell, r.Msg, r.Hint, msg, hint)
	}
	if r.Exit != 1 || r.RC != 2 || !r.Failed || r.Changed == nil || *r.Changed || r.Edits == nil || r.Steps == nil {
		n.Errorf("%s: exit status %d, result %+v", shell, r.Exit, r)
	}
}

// TestModuleNoexec lets the module and the arguments lie on a file system that runs nothing, and
// then the program.
func TestModuleNoexec(t *testing.T) {
	n := newNode(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOEXEC, "size=64m,mode=0755"); err != nil {
		t.Skip("cannot mount: ", err)
	}
	t.Cleanup(func() { n.must(syscall.Unmount(dir, 0)) })
	n.module, n.arguments[0] = n.copied(n.module, dir), n.copied(n.arguments[0], dir)
	for _, shell := range shells(t) {
		if r := n.task(shell); r.RC != 3 {
			t.Errorf("%s: %+v", shell, r)
		}
	}
	n.dir = filepath.Join(dir, "bin") // where the module's name is free
	n.must(os.Mkdir(n.dir, 0o755))
	n.program = n.copied(n.program, n.dir)
	for _, shell := range shells(t) {
		n.wantRefused(shell, "PROGRAM does not run: see its mode, and whether its file system is mounted noexec", pathHint)
	}
}

// copied is a copy of a file in a folder.
func (n *node) copied(file, dir string) string {
	n.Helper()
	text, err := os.ReadFile(file)
	n.must(err)
	to := filepath.Join(dir, filepath.Base(file))
	n.must(os.WriteFile(to, text, 0o755))
	return to
}
