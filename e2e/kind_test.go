//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"

	"auditpatch/e2e/cluster"
)

// TestKindReadme runs the README's script for a kind cluster that runs: with a node that
// refuses, then for good, once more, and for a cluster that is not there.
func TestKindReadme(t *testing.T) {
	l := begin(t)
	dir, env, script := checkout(t), kindEnv(l.node), pageScript(t, "kind")
	l.stays(func() {
		defer l.locked()()
		l.wantSaid(l.shell(env, dir, 2, script), "locked by")
	})
	l.rollsOut(func() {
		l.wantSaid(l.shell(env, dir, 0, script), "== "+l.node.Name()+"\n", "audit logging is on\n")
	})
	l.stays(func() {
		l.wantSaid(l.shell(env, dir, 0, script), "audit logging is on as asked, nothing changed")
		l.wantSaid(l.shell(append(env, "KIND_CLUSTER_NAME=none"), dir, 1, script), "there is no kind cluster none here")
		l.auditpatch(0, "status", "--check")
	})
}

// kindEnv is an environment that names the cluster of a control-plane node as kind does.
func kindEnv(n *cluster.Node) []string {
	name, _, _ := strings.Cut(n.Name(), "-control-plane")
	return append(os.Environ(), "KIND_CLUSTER_NAME="+name)
}
