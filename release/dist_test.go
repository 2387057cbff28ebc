//go:build dist

// Package release checks what make dist has made.
package release

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/contract/page"
)

// mostBytes is what a binary may weigh.
const mostBytes = 28_000_000

// read is dist's files by name.
func read(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("%v: run make dist first", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

var binaries = map[string]elf.Machine{
	"auditpatch-linux-amd64": elf.EM_X86_64,
	"auditpatch-linux-arm64": elf.EM_AARCH64,
}

// TestFiles wants each file that docs/usage.md names, and a sum for each.
func TestFiles(t *testing.T) {
	files := read(t, "../dist")
	var names, sums []string
	for name := range files {
		if names = append(names, name); name != "SHA256SUMS" {
			sums = append(sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(files[name]), name))
		}
	}
	slices.Sort(names)
	want := []string{"SHA256SUMS", "_auditpatch", "auditpatch-linux-amd64", "auditpatch-linux-amd64.cdx.json",
		"auditpatch-linux-amd64.deb", "auditpatch-linux-amd64.rpm",
		"auditpatch-linux-arm64", "auditpatch-linux-arm64.cdx.json",
		"auditpatch-linux-arm64.deb", "auditpatch-linux-arm64.rpm", "auditpatch.1", "auditpatch.bash", "auditpatch.fish"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	// Names sort as the lines of sha256sum do: behind 64 digits and two spaces.
	slices.SortFunc(sums, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	if diff := cmp.Diff(strings.Join(sums, ""), string(files["SHA256SUMS"])); diff != "" {
		t.Errorf("SHA256SUMS (-want +got):\n%s", diff)
	}
}

// TestBinaries wants static binaries within the bound.
func TestBinaries(t *testing.T) {
	for name, machine := range binaries {
		f, err := elf.Open("../dist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if f.Machine != machine {
			t.Errorf("%s is for %v", name, f.Machine)
		}
		// Without either a program needs no loader and no library.
		for _, prog := range f.Progs {
			if prog.Type == elf.PT_INTERP || prog.Type == elf.PT_DYNAMIC {
				t.Errorf("%s is not static: it has %v", name, prog.Type)
			}
		}
		info, err := os.Stat("../dist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d of at most %d bytes", name, info.Size(), mostBytes)
		if info.Size() > mostBytes {
			t.Errorf("%s is too large", name)
		}
		if info.Mode().Perm() != 0o755 {
			t.Errorf("%s has the mode %o", name, info.Mode().Perm())
		}
	}
}

// bom is what is looked at of an SBOM.
type bom struct {
	BOMFormat, SpecVersion, SerialNumber string
	Metadata                             struct {
		Timestamp  string
		Component  struct{ Name, Version string }
		Properties []struct{ Name, Value string }
	}
	Components []struct {
		Name, Version, Purl string
		Evidence            struct{ Licenses []any }
	}
}

// TestSBOM compares the components with what the linker noted in the binary.
func TestSBOM(t *testing.T) {
	files := read(t, "../dist")
	for name := range binaries {
		var b bom
		if err := json.Unmarshal(files[name+".cdx.json"], &b); err != nil {
			t.Fatal(err)
		}
		if b.BOMFormat != "CycloneDX" || b.SpecVersion != "1.6" || b.SerialNumber != "" || b.Metadata.Timestamp != "" {
			t.Errorf("%s: %s %s, serial number %q, time %q", name, b.BOMFormat, b.SpecVersion, b.SerialNumber, b.Metadata.Timestamp)
		}
		if diff := cmp.Diff(linked(t, "../dist/"+name), components(t, b)); diff != "" {
			t.Errorf("%s: modules (-binary +SBOM):\n%s", name, diff)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(files[name]))
		if !slices.Contains(b.Metadata.Properties, struct{ Name, Value string }{"cdx:gomod:binary:hash:SHA-256", sum}) {
			t.Errorf("the SBOM of %s is not of this binary", name)
		}
		if stamp := []byte(b.Metadata.Component.Version); len(stamp) == 0 || !bytes.Contains(files[name], stamp) {
			t.Errorf("%s: the SBOM has the version %q, the binary another one", name, stamp)
		}
	}
}

// linked are the modules of a binary, as go version -m lists them, and Go's own library.
func linked(t *testing.T, path string) []string {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	modules := []string{"std " + info.GoVersion}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		modules = append(modules, dep.Path+" "+dep.Version)
	}
	slices.Sort(modules)
	return modules
}

func components(t *testing.T, b bom) []string {
	var modules []string
	for _, c := range b.Components {
		modules = append(modules, c.Name+" "+c.Version)
		if !strings.HasPrefix(c.Purl, "pkg:golang/"+c.Name+"@") {
			t.Errorf("%s has the purl %q", c.Name, c.Purl)
		}
		if len(c.Evidence.Licenses) == 0 && c.Name != "std" {
			t.Errorf("%s has no licence", c.Name)
		}
	}
	slices.Sort(modules)
	return modules
}

// TestVersion runs the binary of this machine: the version is git's.
func TestVersion(t *testing.T) {
	name, err := filepath.Glob("../dist/auditpatch-linux-" + goenv(t, "GOARCH"))
	if err != nil || len(name) != 1 || goenv(t, "GOOS") != "linux" {
		t.Skip("no binary is for this machine")
	}
	out, err := exec.Command(name[0], "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "dev"
	if stamp, err := git("describe", "--tags", "--always", "--abbrev=12", "--dirty"); err == nil {
		want = stamp
	}
	if got := strings.Fields(string(out)); len(got) < 2 || got[1] != want {
		t.Errorf("%s, want the version %s", out, want)
	}
}

func goenv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// git asks about this checkout, whoever owns it.
func git(args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"--git-dir=.git"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// TestAgain builds a clone that lies elsewhere, with other surroundings: every
// byte is the same.
func TestAgain(t *testing.T) {
	if _, err := git("rev-parse"); err != nil {
		t.Skip("this is no git checkout, so there is nothing to clone")
	}
	if changed, err := git("status", "--porcelain"); err != nil || changed != "" {
		t.Skipf("a clone does not have these changes, commit them first:\n%s %v", changed, err)
	}
	clone := filepath.Join(t.TempDir(), "a clone")
	config := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(config, []byte("[safe]\n\tdirectory = *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o077))
	for _, cmd := range []*exec.Cmd{
		exec.Command("git", "clone", "-q", top, clone),
		exec.Command("make", "-C", clone, "dist"),
	} {
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+config, "TZ=Pacific/Auckland", "LC_ALL=C.UTF-8",
			"GOFLAGS=-buildvcs=true -tags=none", "GOAMD64=v3", "GOARM64=v9.0", "CGO_ENABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	first, second := read(t, "../dist"), read(t, filepath.Join(clone, "dist"))
	for name := range second {
		if !bytes.Equal(first[name], second[name]) {
			t.Errorf("%s is another one each time", name)
		}
		delete(first, name)
	}
	if len(first) > 0 {
		t.Errorf("files that the clone does not have: %d", len(first))
	}
}

// TestInstall installs from dist as docs/usage.md says, into a folder of its own.
func TestInstall(t *testing.T) {
	_, block, err := page.Find("..", "dist")
	if err != nil {
		t.Fatal(err)
	}
	prefix := t.TempDir()
	cmd := exec.Command("bash", "-euc", block.Text)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "PREFIX="+prefix)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Count(string(out), ": OK\n"); got != len(read(t, "../dist"))-1 {
		t.Errorf("%d sums were compared:\n%s", got, out)
	}
	for from, to := range map[string]string{
		"auditpatch-linux-amd64": "bin/auditpatch",
		"auditpatch.1":           "share/man/man1/auditpatch.1",
		"auditpatch.bash":        "share/bash-completion/completions/auditpatch",
		"_auditpatch":            "share/zsh/site-functions/_auditpatch",
		"auditpatch.fish":        "share/fish/vendor_completions.d/auditpatch.fish",
	} {
		got, err := os.ReadFile(filepath.Join(prefix, to))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, read(t, "../dist")[from]) {
			t.Errorf("%s is not %s", to, from)
		}
	}
}
