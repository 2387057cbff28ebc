//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"auditpatch/e2e/cluster"
)

// playground is a copy of what Ansible needs of a checkout in which make build has run, with the
// nodes of a cluster as inventory, and what reaches them.
type playground struct {
	*lab
	nodes []*lab // each node's own
	ssh   *cluster.SSH
	dir   string
}

func (l *lab) playground(c *cluster.Cluster) *playground {
	l.Helper()
	p := &playground{lab: l, ssh: l.reachable(c), dir: l.TempDir()}
	inventory := "[control_plane]\n"
	for i, n := range c.Nodes() {
		on := *l
		on.node = n
		p.nodes = append(p.nodes, &on)
		inventory += fmt.Sprintf("cp%d\n", i+1)
	}
	l.shell(os.Environ(), "..", 0, pageScript(l, "ansible-install"))
	p.shell(nil, "..", 0, "cp go.mod auditpatch '"+p.dir+"'")
	folder := filepath.Join(p.dir, "ansible")
	if err := os.CopyFS(folder, os.DirFS("../ansible")); err != nil {
		l.Fatal(err)
	}
	for name, text := range map[string]string{
		"inventory.ini":     inventory + "\n[control_plane:vars]\nansible_user=admin\n",
		"own.yml":           pageScript(l, "ansible-own"),
		"audit-policy.yaml": "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n",
		"broken.yaml":       "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  verb: [get]\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
			l.Fatal(err)
		}
	}
	return p
}

// play runs a script in the folder and returns what it said.
func (p *playground) play(want int, script string) string {
	p.Helper()
	// Connections that ansible keeps open are of no use to another run's nodes of the same name;
	// the path of their sockets must be short.
	sockets, err := os.MkdirTemp("", "cp")
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(sockets) }()
	env := append(p.ssh.Env(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_SSH_CONTROL_PATH_DIR="+sockets)
	return p.shell(env, p.dir, want, script)
}

func rollsOut(on *lab, step func()) { on.rollsOut(step) }

// onEach wraps a step into what each node's lab wants of it.
func (p *playground) onEach(want func(on *lab, step func()), step func()) {
	p.Helper()
	for _, on := range p.nodes {
		inner := step
		step = func() { want(on, inner) }
	}
	step()
}

var recapLine = regexp.MustCompile(`(?m)^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)`)

// wantRecap compares the last recap of a script: NAME CHANGED UNREACHABLE FAILED of each node.
func (p *playground) wantRecap(said string, want ...string) {
	p.Helper()
	_, recap, _ := cutLast(said, "PLAY RECAP")
	var got []string
	for _, m := range recapLine.FindAllStringSubmatch(recap, -1) {
		got = append(got, strings.Join(m[1:], " "))
	}
	if !slices.Equal(got, want) {
		p.Fatalf("the recap is %q, want %q", got, want)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// changedLines are the lines of unified diffs that are added or removed.
func changedLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if regexp.MustCompile(`^(\+[^+]|-[^-])`).MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestAnsible runs the playbooks of the folder ansible with a real ansible-playbook, over SSH,
// as a user who has to use sudo.
func TestAnsible(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a second cluster")
	}
	c, err := threeNodes()
	if err != nil {
		t.Fatal(err)
	}
	p := beginOn(t, c).playground(c)
	originals := p.manifests()
	p.onEach(func(on *lab, step func()) {
		on.exec("rm", "/usr/local/bin/auditpatch") // the role brings it
		step()
	}, func() { p.failsOnTheFirst() })
	p.wantManifests(originals)

	p.onEach(rollsOut, func() {
		said := p.play(0, pageScript(t, "ansible"))
		p.wantRecap(said, "cp1 1 0 0", "cp2 1 0 0", "cp3 1 0 0")
		trial, _, _ := cutLast(said, "PLAY [Ask every node")
		p.wantRecap(trial, "cp1 1 0 0", "cp2 2 0 0", "cp3 2 0 0") // cp1 has the program from before
		if !strings.Contains(trial, "+    - --audit-log-maxage=30") {
			p.Fatal("--check --diff shows no diff")
		}
	})
	for _, on := range p.nodes {
		on.auditpatch(0, "status", "--check")
	}
	p.onEach((*lab).stays, func() { p.asksEach() })
	p.onEach((*lab).stays, func() { p.changesNothing() })
	p.onEach((*lab).stays, func() { p.keepsOthersOut() })

	p.onEach(rollsOut, func() {
		p.wantRecap(p.play(0, "cd ansible && ansible-playbook playbooks/disable.yml"), "cp1 1 0 0", "cp2 1 0 0", "cp3 1 0 0")
	})
	p.wantManifests(originals)
	if err := c.Unintended(p.ctx); err != nil {
		p.Fatal(err)
	}
}

// failsOnTheFirst lets the first node's API server not start with the new settings: the node is
// as before, and the others are not begun with.
func (p *playground) failsOnTheFirst() {
	p.Helper()
	first, log := p.nodes[0], filepath.Dir(auditLog)
	first.exec("sh", "-c", "mkdir -p "+log+" && mount -t tmpfs -o ro tmpfs "+log)
	defer first.exec("umount", log)
	others := &playground{lab: p.lab, nodes: p.nodes[1:]}
	others.onEach((*lab).stays, func() {
		first.writes(4, func() {
			// Without force it is refused: the file system is seen to be read-only.
			said := p.play(2, "cd ansible && ansible-playbook playbooks/enable.yml --skip-tags try -e '{auditpatch_settings: {force: true}}'")
			p.wantSaid(said, `"rc": 3`, "read-only file system", `"step": "undo"`, "the earlier settings are back and healthy")
			p.wantRecap(said, "cp1 1 0 1")
		})
	})
}

// asksEach brings the answers of all nodes here, and puts them in the order of time.
func (p *playground) asksEach() {
	p.Helper()
	for i, on := range p.nodes {
		on.exec("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--server=https://127.0.0.1:6443", "--tls-server-name=kubernetes", "create", "configmap", fmt.Sprintf("asked-%d", i))
	}
	said := p.play(0, "PATH=$PWD:$PATH\n"+pageScript(p, "fleet"))
	if !strings.Contains(said, "asked-0") {
		p.Fatalf("the answers of the fleet:\n%s", said)
	}
	all := p.play(0, "cd ansible && ../auditpatch events --all-stages --log answers -o flat")
	var last string
	names := map[string]bool{}
	for line := range strings.Lines(all) {
		var e struct{ Time, Name, Verb string }
		if json.Unmarshal([]byte(line), &e) != nil {
			continue // what is said on standard error
		}
		if e.Time < last {
			p.Fatalf("%s comes after %s", e.Time, last)
		}
		last = e.Time
		names[e.Verb+" "+e.Name] = true
	}
	for i := range p.nodes {
		answer, err := os.ReadFile(filepath.Join(p.dir, "ansible", "answers", fmt.Sprintf("cp%d.jsonl", i+1)))
		if err != nil || len(answer) == 0 || !names[fmt.Sprintf("create asked-%d", i)] {
			p.Fatalf("cp%d: %d bytes, %v; in all answers: %v", i+1, len(answer), err, names)
		}
		p.nodes[i].exec("sh", "-c", "! ls /tmp /root | grep auditpatch-events")
	}
	p.Logf("%d bytes of answers, in the order of time", len(all))
}

// changesNothing runs the playbook in the ways that change nothing where audit logging is on.
func (p *playground) changesNothing() {
	p.Helper()
	before := p.manifests()
	received := p.received()
	p.wantRecap(p.play(0, "cd ansible && ansible-playbook playbooks/enable.yml"), "cp1 0 0 0", "cp2 0 0 0", "cp3 0 0 0")
	for i, now := range p.received() {
		// The rest of the cluster talks to the node meanwhile. The program has 24 MB.
		if got := now - received[i]; got > 10<<20 {
			p.Fatalf("%s has received %d bytes: that is the program", p.nodes[i].node.Name(), got)
		} else {
			p.Logf("%s has received %d bytes in two plays", p.nodes[i].node.Name(), got)
		}
	}

	const other = "audit_log_maxage: 14"
	said := p.play(0, "cd ansible && ansible-playbook playbooks/enable.yml --check --diff -e '{auditpatch_settings: {"+other+"}}'")
	p.wantRecap(said, "cp1 1 0 0", "cp2 1 0 0", "cp3 1 0 0")
	var want []string
	for _, on := range p.nodes {
		want = append(want, changedLines(on.auditpatch(1, "diff", "--audit-log-maxage=14"))...)
	}
	if got := changedLines(said); len(want) < len(p.nodes) || !slices.Equal(got, want) {
		p.Fatalf("--check --diff shows\n%q, auditpatch diff\n%q", got, want)
	}

	p.wantRecap(p.play(0, "cd ansible && ansible-playbook own.yml --check"), "cp1 1 0 0", "cp2 1 0 0", "cp3 1 0 0")

	// The first node refuses, although none was asked before.
	said = p.play(2, "cd ansible && ansible-playbook playbooks/enable.yml --skip-tags try -e auditpatch_policy_file=$PWD/broken.yaml")
	p.wantSaid(said, `policy_content:5:3: unknown field \"verb\" in rules[0]`)
	p.wantRecap(said, "cp1 0 0 1")
	p.wantManifests(before)
}

// received are the bytes that each node's network has taken.
func (p *playground) received() (bytes []int) {
	p.Helper()
	for _, on := range p.nodes {
		n, err := strconv.Atoi(strings.TrimSpace(on.read("/sys/class/net/eth0/statistics/rx_bytes")))
		if err != nil {
			p.Fatal(err)
		}
		bytes = append(bytes, n)
	}
	return bytes
}

// prying is somebody on the node who tries, as long as /tmp/prying is there, to write to the
// program, to lay another in its place, and to read or replace what Ansible has brought. What he
// can do he leaves in /tmp/pried.
const prying = `while [ -e /tmp/prying ]; do
	for f in /usr/local/bin/auditpatch /home/admin/.ansible/tmp/*/* /tmp/remote/*/* /root/.ansible/tmp/*/*; do
		{ head -c 1 "$f" >/dev/null && [ "$f" != /usr/local/bin/auditpatch ] && echo "read $f" >>/tmp/pried; } 2>/dev/null
		{ echo id >"$f" && echo "wrote to $f" >>/tmp/pried; } 2>/dev/null
		{ mv /tmp/lure "$f" && echo "replaced $f" >>/tmp/pried; } 2>/dev/null </dev/null
		{ mv "${f%/*}" "${f%/*}.gone" && echo "moved $f" >>/tmp/pried; } 2>/dev/null </dev/null
	done
	echo >>/tmp/tries
	sleep 0.05
done`

// keepsOthersOut runs the playbook on nodes whose /tmp, where Ansible puts its files this time,
// runs no programs, and beside somebody who pries.
func (p *playground) keepsOthersOut() {
	p.Helper()
	for _, on := range p.nodes {
		on.exec("sh", "-c", "mount -t tmpfs -o noexec,mode=1777 tmpfs /tmp && touch /tmp/prying")
		on.exec("su", "nobody", "-s", "/bin/sh", "-c", "echo id >/tmp/lure; ("+prying+") >/dev/null 2>&1 &")
	}
	defer func() {
		for _, on := range p.nodes {
			on.exec("sh", "-c", "rm /tmp/prying; sleep 1; umount -l /tmp")
		}
	}()
	const where = "cd ansible && ANSIBLE_REMOTE_TMP=/tmp/remote ansible-playbook "
	p.wantRecap(p.play(0, where+"playbooks/enable.yml"), "cp1 0 0 0", "cp2 0 0 0", "cp3 0 0 0")
	for _, on := range p.nodes {
		if tries := strings.Count(on.read("/tmp/tries"), "\n"); tries < 10 {
			p.Fatalf("%s: nobody has tried more than %d times", on.node.Name(), tries)
		}
		on.exec("sh", "-c", "! cat /tmp/pried >&2")
	}

	// A program in a folder of everybody's.
	p.nodes[0].exec("mkdir", "-m", "0777", "/opt/loose")
	defer p.nodes[0].exec("rm", "-r", "/opt/loose")
	said := p.play(2, where+"playbooks/enable.yml --skip-tags try -e auditpatch_install_path=/opt/loose/auditpatch --limit cp1")
	p.wantSaid(said, `"msg": "/opt/loose can be changed by others than root, and the program runs as root"`,
		`"hint": "chown root:root '/opt/loose' && chmod go-w '/opt/loose'"`)
}

func (p *playground) manifests() (texts []string) {
	p.Helper()
	for _, on := range p.nodes {
		texts = append(texts, on.read(cluster.Manifest))
	}
	return texts
}

func (p *playground) wantManifests(want []string) {
	p.Helper()
	if now := p.manifests(); !slices.Equal(now, want) {
		p.Fatalf("want the manifests\n%s\nhave\n%s", want, now)
	}
}
