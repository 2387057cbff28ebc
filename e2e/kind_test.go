//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
		l.wantSaid(l.shell(env, dir, 0, script), "== "+l.node.Name()+"\n", "audit logging is on; clients were served throughout\n")
	})
	l.stays(func() {
		l.wantSaid(l.shell(env, dir, 0, script), "audit logging is on as asked, nothing changed")
		l.wantSaid(l.shell(append(env, "KIND_CLUSTER_NAME=none"), dir, 1, script), "there is no kind cluster none here")
		l.auditpatch(0, "status", "--check")
		l.wantSaid(l.shell(ownKind(t, dir, l.node), dir, 0, "set -e\n"+pageScript(t, "kind-one")), "nothing changed", `"kind":"Event"`)
	})
}

// ownKind is an environment in which the commands for a new cluster meet this node: kind notes
// the configuration and makes nothing, and docker is given the node's own name.
func ownKind(t *testing.T, dir string, n *cluster.Node) []string {
	t.Helper()
	config, err := os.ReadFile("../kind-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(dir, "kind-config.yaml"): string(config),
		filepath.Join(bin, "kind"):             "#!/bin/sh\n[ \"$*\" = 'create cluster --config kind-config.yaml' ] && [ -s kind-config.yaml ]\n",
		filepath.Join(bin, "docker"):           fmt.Sprintf("#!/bin/bash\nexec '%s' \"${@//kind-control-plane/%s}\"\n", docker, n.Name()),
	} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
}

// kindEnv is an environment that names the cluster of a control-plane node as kind does.
func kindEnv(n *cluster.Node) []string {
	name, _, _ := strings.Cut(n.Name(), "-control-plane")
	return append(os.Environ(), "KIND_CLUSTER_NAME="+name)
}
