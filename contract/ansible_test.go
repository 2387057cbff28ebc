package contract

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAnsiblePlaybooks runs the playbooks of the folder ansible with a real
// ansible-playbook, on two file trees that look like nodes.
func TestAnsiblePlaybooks(t *testing.T) {
	if testing.Short() {
		t.Skip("ansible-playbook takes its time")
	}
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not installed: apt install ansible-core")
	}
	if os.Geteuid() != 0 {
		t.Skip("the role gives the program to root")
	}
	t.Parallel()
	play := playbooks(t)
	for _, step := range []struct {
		playbook string
		fails    bool
		recap    string   // of each node
		says     []string // regular expressions
	}{
		{"enable.yml --check --diff", false, "ok=4 changed=2 failed=0", []string{
			`(?m)^\+    - --audit-log-maxage=14$`, `(?m)^\+\+\+ after: /etc/kubernetes/audit-policy.yaml$`}},
		// The program is there from check mode.
		{"enable.yml", false, "ok=7 changed=1 failed=0", nil},
		{"enable.yml", false, "ok=7 changed=0 failed=0", nil},
		{"enable.yml -e auditpatch_policy_file=$PWD/broken.yaml", true, "ok=3 changed=0 failed=1", []string{
			`"hint": "write \\"verbs: \[\\\\\\"get\\\\\\"\]\\""`, `"msg": "policy_content:5:3: unknown field`}},
		{"disable.yml", false, "ok=4 changed=1 failed=0", nil},
	} {
		said, err := play(step.playbook)
		if step.fails != (err != nil) {
			t.Fatalf("%s: %v\n%s", step.playbook, err, said)
		}
		for _, want := range step.says {
			if !regexp.MustCompile(want).MatchString(said) {
				t.Errorf("%s: does not say %s\n%s", step.playbook, want, said)
			}
		}
		_, recap, _ := strings.Cut(said, "PLAY RECAP")
		for _, node := range []string{"a", "b"} {
			words := strings.Fields(regexp.MustCompile(`(?m)^` + node + ` .*$`).FindString(recap))
			if len(words) < 6 || strings.Join([]string{words[2], words[3], words[5]}, " ") != step.recap {
				t.Errorf("%s: the recap of %s is %q, want %s\n%s", step.playbook, node, words, step.recap, said)
			}
		}
	}
}

// playbooks prepares a copy of the folder ansible with two nodes as inventory,
// for which this is the program, and returns what runs a playbook there.
func playbooks(t *testing.T) (play func(args string) (string, error)) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(top+"/ansible")); err != nil {
		t.Fatal(err)
	}
	_, file := binary(t)
	a, b := newNode(t), newNode(t)
	if err := os.Mkdir(filepath.Join(dir, "group_vars"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"inventory.ini": "[control_plane]\na node_root=" + a + "\nb node_root=" + b + "\n",
		"group_vars/all.yml": "ansible_connection: local\nansible_become: false\n" +
			"auditpatch_binary: '" + file + "'\nauditpatch_install_path: '{{ node_root }}/auditpatch'\n" +
			"auditpatch_settings: {root: '{{ node_root }}', audit_log_maxage: 14, purge: true}\n",
		"broken.yaml": "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  verb: [get]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(args string) (string, error) {
		cmd := exec.Command("sh", "-c", "ansible-playbook playbooks/"+args)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCAL_TEMP="+dir+"/tmp", "ANSIBLE_REMOTE_TEMP="+dir+"/tmp")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}
