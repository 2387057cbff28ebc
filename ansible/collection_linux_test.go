package ansible

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const name = "auditpatch.auditpatch"

// control is a machine that Ansible runs on: a folder with the collection installed from its
// archive, and an inventory with one node, which is a file tree of this machine.
type control struct {
	*testing.T
	dir, archive, node string
	env                []string
}

func newControl(t *testing.T) *control {
	t.Helper()
	if testing.Short() {
		t.Skip("ansible-playbook takes its time")
	}
	if _, err := exec.LookPath("ansible-galaxy"); err != nil {
		t.Skip("ansible-galaxy is not installed: apt install ansible-core")
	}
	if os.Geteuid() != 0 {
		t.Skip("the role gives the program to root")
	}
	dir := t.TempDir()
	c := &control{T: t, dir: dir, node: filepath.Join(dir, "no de")}
	c.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANSIBLE_") })
	c.env = append(c.env, "HOME="+dir, "ANSIBLE_NOCOLOR=1", "ANSIBLE_ASYNC_DIR="+filepath.Join(dir, "async"), "ANSIBLE_COLLECTIONS_PATH="+filepath.Join(dir, "collections"))
	c.install()
	manifest, err := os.ReadFile("../testdata/kube-apiserver.yaml")
	c.must(err)
	c.write("no de/etc/kubernetes/manifests/kube-apiserver.yaml", string(manifest))
	c.must(os.Mkdir(filepath.Join(c.node, "var"), 0o755))
	c.must(os.Mkdir(filepath.Join(c.node, "var/lib"), 0o755))
	c.write("inventory.ini", "[control_plane]\nnode\n")
	c.write("group_vars/all.yml", `ansible_connection: local
ansible_become: false
auditpatch_install_path: "{{ node_root }}/the program"
auditpatch_settings: {root: "{{ node_root }}", audit_log_maxage: 14, purge: true}
node_root: "`+c.node+`"
`)
	return c
}

// install builds the collection, with the program in it as the README says, and installs it.
func (c *control) install() {
	c.Helper()
	source := filepath.Join(c.dir, "source")
	c.must(os.CopyFS(source, os.DirFS(".")))
	c.write("source/inventory.ini", "[control_plane]\nsecret ansible_become_password=hunter2\n")
	c.write("source/group_vars/all.yml", "secret: hunter2\n")
	for _, arch := range []string{"amd64", "arm64"} {
		file := filepath.Join(source, "roles/auditpatch/files/auditpatch-linux-"+arch)
		build := exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-o", file, "auditpatch")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if arch != otherArch {
			c.ran(build)
			continue
		}
		c.must(os.WriteFile(file, []byte("\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 11)+otherMachine), 0o644))
	}
	c.ran(c.command("ansible-galaxy", "collection", "build", source, "--output-path", c.dir))
	archives, err := filepath.Glob(filepath.Join(c.dir, "auditpatch-auditpatch-*.tar.gz"))
	if err != nil || len(archives) != 1 {
		c.Fatalf("the archives are %q (%v)", archives, err)
	}
	c.archive = archives[0]
	c.must(os.RemoveAll(source))
	c.ran(c.command("ansible-galaxy", "collection", "install", "--offline", c.archive, "-p", filepath.Join(c.dir, "collections")))
}

func (c *control) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *control) write(name, text string) {
	c.Helper()
	name = filepath.Join(c.dir, name)
	c.must(os.MkdirAll(filepath.Dir(name), 0o755))
	c.must(os.WriteFile(name, []byte(text), 0o600))
}

func (c *control) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

// ran runs a command that must succeed.
func (c *control) ran(cmd *exec.Cmd) string {
	c.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// play runs a playbook and wants its recap of the node: "changed=1 failed=0".
func (c *control) play(recap string, args ...string) string {
	c.Helper()
	out, err := c.command("ansible-playbook", append([]string{"-i", "inventory.ini"}, args...)...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.Fatal(err)
	}
	_, last, _ := strings.Cut(string(out), "PLAY RECAP")
	m := regexp.MustCompile(`node +: ok=\d+ +(changed=\d+) .* (failed=\d+)`).FindStringSubmatch(last)
	if m == nil || m[1]+" "+m[2] != recap || (err != nil) != !strings.HasSuffix(recap, "failed=0") {
		c.Fatalf("%s: the recap is not %q (%v)\n%s", args, recap, err, out)
	}
	return string(out)
}

// manifest is the node's.
func (c *control) manifest() string {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(c.node, "etc/kubernetes/manifests/kube-apiserver.yaml"))
	c.must(err)
	return string(text)
}

// TestCollection builds the collection, installs it from its archive without a network, and uses
// what is in it by its full names.
func TestCollection(t *testing.T) {
	c := newControl(t)
	for _, step := range []struct {
		name string
		do   func(c *control)
	}{
		{"packed", (*control).wantPacked},
		{"documented", (*control).wantDocumented},
		{"playbooks", (*control).runsPlaybooks},
		{"module", (*control).runsModule},
		{"no program", (*control).missesProgram},
	} {
		t.Run(step.name, func(t *testing.T) {
			on := *c
			on.T = t
			step.do(&on)
		})
	}
}

// runsPlaybooks turns audit logging on and off.
func (c *control) runsPlaybooks() {
	original := c.manifest()
	said := c.play("changed=2 failed=0", name+".enable", "--check", "--diff")
	if !strings.Contains(said, "+    - --audit-log-maxage=14") || c.manifest() != original {
		c.Fatalf("check mode changed the manifest, or shows no diff:\n%s", said)
	}
	c.play("changed=1 failed=0", name+".enable")
	if !strings.Contains(c.manifest(), "--audit-log-maxage=14") {
		c.Fatal("the manifest is as before")
	}
	c.play("changed=0 failed=0", name+".enable")

	c.write("role.yml", play("    - ansible.builtin.include_role: {name: auditpatch.auditpatch.auditpatch}\n      vars: {auditpatch_state: disabled}"))
	c.play("changed=1 failed=0", "role.yml")
	if c.manifest() != original {
		c.Fatal("the manifest is not what it was")
	}
}

func play(tasks string) string {
	return "- hosts: control_plane\n  gather_facts: false\n  tasks:\n" + tasks + "\n"
}

// TestCheckoutFromElsewhere wants the playbooks of a checkout to find role and module wherever
// they are called from: without the folder's ansible.cfg.
func TestCheckoutFromElsewhere(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not installed: apt install ansible-core")
	}
	checkout, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, playbook := range []string{"enable.yml", "disable.yml"} {
		cmd := exec.Command("ansible-playbook", "-i", "n,", "--list-tasks", filepath.Join(checkout, "playbooks", playbook))
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "auditpatch : Make audit logging ") {
			t.Errorf("%s: %v\n%s", playbook, err, out)
		}
	}
}

// wantPacked wants in the archive what Ansible needs, and nothing of the user's or of a checkout.
func (c *control) wantPacked() {
	c.Helper()
	f, err := os.Open(c.archive)
	c.must(err)
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	c.must(err)
	var names []string
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		c.must(err)
		if h.Typeflag != tar.TypeDir {
			names = append(names, h.Name)
		}
		if h.Name == "plugins/modules/auditpatch" && h.FileInfo().Mode()&0o111 == 0 {
			c.Error("the module is not executable in the archive")
		}
	}
	want := []string{"FILES.json", "MANIFEST.json", "README.md", "meta/runtime.yml"}
	for _, dir := range []string{"playbooks", "plugins", "roles"} {
		c.must(filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !strings.Contains(name, "/files/auditpatch-linux-") {
				want = append(want, name)
			}
			return err
		}))
	}
	want = append(want, "roles/auditpatch/files/auditpatch-linux-amd64", "roles/auditpatch/files/auditpatch-linux-arm64")
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		c.Errorf("the archive has\n%q\nwant\n%q", names, want)
	}
}

// wantDocumented wants ansible-doc to know the module and the role's entry points.
func (c *control) wantDocumented() {
	c.Helper()
	var module map[string]struct {
		Doc struct {
			Options map[string]any `json:"options"`
		} `json:"doc"`
	}
	full := name + ".auditpatch"
	c.must(json.Unmarshal([]byte(c.ran(c.command("ansible-doc", "--json", full))), &module))
	if options := module[full].Doc.Options; options["audit_log_maxage"] == nil || options["policy_content"] == nil {
		c.Errorf("ansible-doc knows of the module the options %v", options)
	}
	var role map[string]struct {
		EntryPoints map[string]any `json:"entry_points"`
	}
	c.must(json.Unmarshal([]byte(c.ran(c.command("ansible-doc", "--json", "-t", "role", full))), &role))
	if points := role[full].EntryPoints; points["main"] == nil || points["try"] == nil || points["install"] == nil {
		c.Errorf("ansible-doc knows of the role the entry points %v", points)
	}
}

// runsModule uses the module alone, after the role has brought the program: in the background,
// with another program in its place, and with none.
func (c *control) runsModule() {
	const (
		install = "    - ansible.builtin.import_role: {name: auditpatch.auditpatch.auditpatch, tasks_from: install}\n"
		module  = "    - auditpatch.auditpatch.auditpatch: {settings: \"{{ auditpatch_settings }}\"}\n" +
			"      environment: \"{{ auditpatch_environment }}\"\n"
	)
	c.write("async.yml", play(install+module+"      async: 60\n      poll: 1"))
	c.play("changed=1 failed=0", "async.yml")

	c.write("replaced.yml", play(install+"    - ansible.builtin.copy: {content: x, dest: \"{{ auditpatch_install_path }}\", mode: '0755'}\n"+module))
	said := c.play("changed=1 failed=1", "replaced.yml")
	c.wantSaid(said, `"msg": "`+c.node+`/the program is not a program for `)

	// Another version is a program that runs.
	c.write("older.yml", play(install+"    - ansible.builtin.shell: {cmd: \"echo >>'{{ auditpatch_install_path }}'\"}\n"+module))
	said = c.play("changed=2 failed=1", "older.yml")
	c.wantSaid(said, "/the program is another version than the role has copied: SHA-1 ",
		`"hint": "ansible.builtin.include_role: {name: auditpatch.auditpatch.auditpatch, tasks_from: install}"`)

	c.write("deleted.yml", play(install+"    - ansible.builtin.file: {path: \"{{ auditpatch_install_path }}\", state: absent}\n"+module))
	said = c.play("changed=2 failed=1", "deleted.yml")
	c.wantSaid(said, `"msg": "the program is not on this node: there is no file `+c.node+`/the program"`, `"rc": 2`)
}

func (c *control) wantSaid(said string, parts ...string) {
	c.Helper()
	for _, part := range parts {
		if !strings.Contains(said, part) {
			c.Errorf("does not say %s\n%s", part, said)
		}
	}
}

// missesProgram wants the run to end where Ansible runs, before the node is touched, when there is
// no program for the node.
func (c *control) missesProgram() {
	files := filepath.Join(c.dir, "collections/ansible_collections/auditpatch/auditpatch/roles/auditpatch/files/auditpatch-linux-")
	facts := func(machine string) string { return `{"ansible_facts": {"architecture": "` + machine + `"}}` }
	c.must(os.Remove(files + "arm64"))
	said := c.play("changed=0 failed=1", name+".enable", "-e", facts("aarch64"))
	c.wantSaid(said, `"msg": "no program for linux/arm64: it would be `+files+`arm64; make dist in a checkout of auditpatch makes dist/auditpatch-linux-arm64"`)

	// The other machine's program under this one's name.
	c.must(os.Rename(files+"amd64", files+"arm64"))
	said = c.play("changed=0 failed=1", name+".enable", "-e", facts(map[string]string{"amd64": "aarch64", "arm64": "x86_64"}[thisArch]))
	c.wantSaid(said, `"msg": "no program for linux/`+otherArch)

	said = c.play("changed=0 failed=1", name+".enable", "-e", "auditpatch_binary=/no/such", "-e", facts("x86_64"))
	c.wantSaid(said, `"msg": "no program for linux/amd64: it would be /no/such; make dist in a checkout`)

	said = c.play("changed=0 failed=1", name+".enable", "-e", facts("riscv64"))
	c.wantSaid(said, `"msg": "auditpatch runs on x86_64 and aarch64, not on riscv64"`)
	if _, err := os.Stat(filepath.Join(c.node, "the program")); !errors.Is(err, fs.ErrNotExist) {
		c.Errorf("something was copied to the node (%v)", err)
	}
}
