//go:build dist

package release

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// architectures are what the families call the platforms.
var architectures = []struct{ goarch, deb, rpm string }{
	{"amd64", "amd64", "x86_64"},
	{"arm64", "arm64", "aarch64"},
}

// shared are the files of both families, by what they are in dist.
var shared = map[string]string{
	"usr/share/bash-completion/completions/auditpatch":    "auditpatch.bash",
	"usr/share/fish/vendor_completions.d/auditpatch.fish": "auditpatch.fish",
	"usr/share/man/man1/auditpatch.1.gz":                  "auditpatch.1",
}

// needs skips a test that this machine cannot do. CI has to be able to.
func needs(t *testing.T, program string) {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("CI") != "" {
		skip = t.Fatalf
	}
	if os.Geteuid() != 0 {
		skip("only root can install a package")
	}
	if _, err := exec.LookPath(program); err != nil {
		skip("%v", err)
	}
}

// must runs a program of the system, and returns what it printed.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	// dpkg wants to know that programs of maintainer scripts could be found.
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// wantFiles compares the files below a root with those of dist: names, bytes,
// modes, owners and times.
func wantFiles(t *testing.T, root string, want map[string]string) {
	t.Helper()
	dist := read(t, "../dist")
	licence, err := os.ReadFile("../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	dist["LICENSE"] = licence
	var names []string
	for name, info := range installed(t, root) {
		names = append(names, name)
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(name, "usr/bin/") {
			mode = 0o755
		}
		owner := info.Sys().(*syscall.Stat_t)
		if info.Mode() != mode || owner.Uid != 0 || owner.Gid != 0 {
			t.Errorf("%s has the mode %v and belongs to %d:%d", name, info.Mode(), owner.Uid, owner.Gid)
		}
		if got := strconv.FormatInt(info.ModTime().Unix(), 10); got != epoch() {
			t.Errorf("%s has the time %s, want %s", name, got, epoch())
		}
		if !bytes.Equal(contents(t, filepath.Join(root, name)), dist[want[name]]) {
			t.Errorf("%s is not %s", name, want[name])
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// installed are the files below a root, without what the package system keeps for itself.
func installed(t *testing.T, root string) map[string]fs.FileInfo {
	t.Helper()
	files := map[string]fs.FileInfo{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil || name == "var" || d.IsDir() {
			if name == "var" {
				return fs.SkipDir
			}
			return err
		}
		files[name], err = d.Info()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// contents is a file, unpacked where it is packed.
func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return data
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return data
}

// runs wants the program to run in a root where there is nothing else, and to have
// the version that its package was made of.
func runs(t *testing.T, root, goarch, version string) {
	t.Helper()
	if goarch != goenv(t, "GOARCH") {
		return
	}
	cmd := exec.Command("/usr/bin/auditpatch", "version")
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if words := strings.Fields(string(out)); len(words) < 2 || number(t, words[1]) != version {
		t.Errorf("%s is in a package of version %s", out, version)
	}
}

// epoch is the time of everything in dist, as make dist takes it.
func epoch() string {
	if set := os.Getenv("SOURCE_DATE_EPOCH"); set != "" {
		return set
	}
	commit, err := git("log", "-1", "--format=%ct")
	if err != nil {
		return "0"
	}
	return commit
}

// number is a version as packages have it.
func number(t *testing.T, version string) string {
	t.Helper()
	return strings.TrimSpace(must(t, "env", "SOURCE_DATE_EPOCH="+epoch(), "./packages/number.sh", version))
}

// debianRoot is a root in which dpkg finds no package.
func debianRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"info", "updates", "triggers"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestDeb installs each .deb into a root of its own, runs the program there, and
// removes the package again.
func TestDeb(t *testing.T) {
	needs(t, "dpkg")
	for _, arch := range architectures {
		t.Run(arch.goarch, func(t *testing.T) {
			deb := "../dist/auditpatch-linux-" + arch.goarch + ".deb"
			field := func(name string) string { return strings.TrimSpace(must(t, "dpkg-deb", "-f", deb, name)) }
			head := []string{field("Package"), field("Architecture"), field("Depends"), field("Pre-Depends")}
			if diff := cmp.Diff([]string{"auditpatch", arch.deb, "", ""}, head); diff != "" {
				t.Errorf("control file (-want +got):\n%s", diff)
			}
			must(t, "dpkg", "--validate-version", field("Version"))
			root := debianRoot(t)
			dpkg := []string{"--root=" + root, "--log=/dev/null", "--force-architecture"}
			must(t, "dpkg", append(dpkg, "--install", deb)...)
			want := maps.Clone(shared)
			want["usr/bin/auditpatch"] = "auditpatch-linux-" + arch.goarch
			want["usr/share/zsh/vendor-completions/_auditpatch"] = "_auditpatch"
			want["usr/share/doc/auditpatch/copyright"] = "LICENSE"
			wantFiles(t, root, want)
			runs(t, root, arch.goarch, strings.TrimSuffix(field("Version"), "-1"))
			must(t, "dpkg", append(dpkg, "--purge", "auditpatch")...)
			wantFiles(t, root, nil)
		})
	}
}

// wantNothing wants rpm to have no answer to queries but its own abilities.
func wantNothing(t *testing.T, file string, queries ...string) {
	t.Helper()
	for _, query := range queries {
		for line := range strings.Lines(must(t, "rpm", "-qp", query, file)) {
			if !strings.HasPrefix(line, "rpmlib(") {
				t.Errorf("%s: %s", query, line)
			}
		}
	}
}

// TestRPM does the same with each .rpm.
func TestRPM(t *testing.T) {
	needs(t, "rpm")
	for _, arch := range architectures {
		t.Run(arch.goarch, func(t *testing.T) {
			file := "../dist/auditpatch-linux-" + arch.goarch + ".rpm"
			must(t, "rpm", "-K", file)
			got := must(t, "rpm", "-qp", "--qf", "%{name} %{arch} %{license} %{buildhost} %{version}", file)
			head, version := got[:strings.LastIndex(got, " ")], got[strings.LastIndex(got, " ")+1:]
			if want := "auditpatch " + arch.rpm + " Apache-2.0 localhost"; head != want {
				t.Errorf("%q, want %q", head, want)
			}
			wantNothing(t, file, "--requires", "--scripts", "--triggers")
			root := t.TempDir()
			// Debian's rpm wants to hear that it is meant to install something.
			rpm := []string{"--root=" + root, "--dbpath=/var/lib/rpm"}
			must(t, "rpm", append(rpm, "--install", "--force-debian", "--ignorearch", file)...)
			want := maps.Clone(shared)
			want["usr/bin/auditpatch"] = "auditpatch-linux-" + arch.goarch
			want["usr/share/zsh/site-functions/_auditpatch"] = "_auditpatch"
			want["usr/share/licenses/auditpatch/LICENSE"] = "LICENSE"
			wantFiles(t, root, want)
			must(t, "rpm", append(rpm, "--verify", "auditpatch")...)
			runs(t, root, arch.goarch, version)
			must(t, "rpm", append(rpm, "--erase", "--force-debian", "auditpatch")...)
			wantFiles(t, root, nil)
		})
	}
}

// TestNumber wants the versions of packages in the order in which they were made.
func TestNumber(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795392000")
	rows := [][2]string{ // what git describe says, what packages have
		{"dev", "0~20261123.dev"},
		{"1e7a8dd916eb-dirty", "0~20261123.1e7a8dd916eb.dirty"},
		{"v1.2.0-rc.1", "1.2.0~rc.1"},
		{"v1.2.0-rc.1-5-g1e7a8dd916eb", "1.2.0~rc.1+5.g1e7a8dd916eb"},
		{"v1.2.0-rc.2", "1.2.0~rc.2"},
		{"v1.2.0", "1.2.0"},
		{"v1.2.0-7-g1e7a8dd916eb", "1.2.0+7.g1e7a8dd916eb"},
		{"v1.2.0-12-g1e7a8dd916eb-dirty", "1.2.0+12.g1e7a8dd916eb+dirty"},
		{"v1.10.0", "1.10.0"},
	}
	_, noDpkg := exec.LookPath("dpkg")
	for i, row := range rows {
		if got := number(t, row[0]); got != row[1] {
			t.Errorf("%s is %s, want %s", row[0], got, row[1])
		}
		// The first two are of the same day, and only their hashes order them.
		if i > 1 && noDpkg == nil {
			must(t, "dpkg", "--compare-versions", rows[i-1][1], "lt", row[1])
		}
	}
}
