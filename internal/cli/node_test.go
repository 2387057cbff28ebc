package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/hint"
)

// TestNodeCommands wants hint to know which commands name a node, and with which flags.
func TestNodeCommands(t *testing.T) {
	var visit func(path string, commands []*cli.Command)
	visit = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			name := strings.TrimSpace(path + " " + c.Name)
			visit(name, c.Subcommands)
			var known []string
			for _, f := range c.Flags {
				if n := f.Names()[0]; slices.Contains(hint.NodeFlags, n) {
					known = append(known, n)
				}
			}
			if onNode := len(known) == len(hint.NodeFlags); onNode != hint.OnNode(name) {
				t.Errorf("%s knows %q, and hint says %v", name, known, hint.OnNode(name))
			}
		}
	}
	visit("", describe("test").app().Commands)
}

func TestNodeOf(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"auditpatch", ""},
		{"auditpatch enable", ""},
		{"auditpatch enable --root /n --state-dir=/s --manifest /m", "--manifest /m --root /n --state-dir /s"},
		{"auditpatch enable -root=/n --state_dir /s", "--root /n --state-dir /s"},
		{"auditpatch enable --root /a --root /b", "--root /b"},
		{"auditpatch enabel --unknown --root /n", "--root /n"},
		{"auditpatch enable --root", ""},
		{"auditpatch enable --root=", ""},
		{"auditpatch enable --manifest -", "--manifest -"},
		{"auditpatch enable --manifest " + DefaultManifest + " --state-dir " + defaultStateDir, ""},
		{"auditpatch export kubeadm --manifest /m", ""},
		{"auditpatch enable --root {token}", ""},
		{"auditpatch enable --root https://u:PW@h/x", "--root https://h/..."},
	} {
		var got []string
		for _, o := range NodeOf(strings.Fields(c.line)) {
			got = append(got, o.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.line, got, c.want)
		}
	}
}
