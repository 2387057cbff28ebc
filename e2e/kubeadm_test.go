//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/version"

	"auditpatch/e2e/cluster"
)

// upgrade is kubeadm upgrade to the version that runs already: it writes every manifest anew
// from kubeadm-config. In a kind node its preflight checks fail, and nothing can be pulled.
const upgrade = `kubeadm upgrade apply "$(kubeadm version -o short)" --yes --force ` +
	`--ignore-preflight-errors=all --etcd-upgrade=false --certificate-renewal=false`

// TestKubeadmUpgrade takes a node through kubeadm upgrade with the settings in kubeadm-config
// and without, and wants kubeadm-config back as it was in the end.
func TestKubeadmUpgrade(t *testing.T) {
	l := begin(t)
	l.stays(func() { l.auditpatch(0, "disable", "--persist") }) // what a run has left that was killed
	kept := l.clusterConfig()
	t.Cleanup(func() { l.putClusterConfig(kept) })

	l.rollsOut(func() {
		_, said, exit := l.node.Exec(l.ctx, "sh", "-ec", pageScript(t, "persist"))
		if exit != 0 {
			l.Fatalf("exit status %d: %s", exit, said)
		}
		pageOutput(l, "persist-output", said)
	})
	l.stays(func() { l.auditpatch(0, "status", "--check") })
	l.upgrade()
	if args := strings.Join(l.server().Args, " "); !strings.Contains(args, "--audit-log-path=") {
		l.Fatalf("kubeadm upgrade took audit logging out: %s", args)
	}
	l.stays(func() { l.auditpatch(0, "status", "--check") })
	l.kubectl("get", "secrets", "-A")
	l.wantEvent(event{user: "kubernetes-admin", verb: "list", resource: "secrets", code: 200})
	// kubeadm knows nothing of our annotation, so one restart brings it back.
	l.rollsOut(func() { l.auditpatch(0, "enable") })
	l.stays(func() { l.auditpatch(0, "diff", "--persist") })

	l.rollsOut(func() { l.auditpatch(0, "disable", "--persist") })
	if now := l.clusterConfig(); now != kept {
		l.Fatalf("enable --persist and disable --persist left another ClusterConfiguration than before:\n%s", now)
	}
	if text := l.read(cluster.Manifest); strings.Contains(text, "audit") {
		l.Fatalf("disable after kubeadm upgrade left something in the manifest:\n%s", text)
	}

	l.rollsOut(func() {
		if out := l.auditpatch(0, "enable"); strings.Contains(out, "kubeadm ") {
			l.Fatalf("enable without --persist speaks of kubeadm:\n%s", out)
		}
	})
	if out := l.auditpatch(0, "status", "--check"); !strings.Contains(out, "auditpatch enable --persist") {
		l.Fatalf("status does not warn of the next upgrade:\n%s", out)
	}
	l.upgrade()
	if out := l.auditpatch(1, "status", "--check"); !strings.Contains(out, "audit logging is off: the manifest sets no --audit-policy-file: auditpatch enable") {
		l.Fatalf("status does not say what to type:\n%s", out)
	}
	l.rollsOut(func() { l.auditpatch(0, "enable") })
	l.auditpatch(0, "status", "--check")

	// Where only kubeadm-config is missing something, nothing restarts.
	l.stays(func() {
		if out := l.auditpatch(0, "enable", "--persist", "-o", "json"); !strings.Contains(out, `"changed": true`) {
			l.Fatalf("enable --persist says that it changed nothing:\n%s", out)
		}
	})
	if out := l.auditpatch(0, "status"); !strings.Contains(out, "has the same audit settings") {
		l.Fatalf("status does not know of kubeadm-config:\n%s", out)
	}
	l.exports()
	l.patches()
	l.stays(func() { l.putClusterConfig(kept) })
}

// kubeadmReads are the releases whose kubeadm reads a version of its API: from the first on,
// and no more from the second on.
var kubeadmReads = map[string][2]string{
	"v1beta3": {"1.22", "1.37"},
	"v1beta4": {"1.31", "2.0"},
}

// exports wants kubeadm's strict loader to take what export kubeadm prints, in each version of
// its API that this kubeadm reads, and both to refuse the others.
func (l *lab) exports() {
	l.Helper()
	kubeadm := l.kubeadm()
	for api, releases := range kubeadmReads {
		reads := kubeadm.AtLeast(version.MustParseGeneric(releases[0])) && kubeadm.LessThan(version.MustParseGeneric(releases[1]))
		const script = `cd "$(mktemp -d)"
			auditpatch export kubeadm --api-version "$1" >config
			echo "kubernetesVersion: $(kubeadm version -o short)" >>config
			kubeadm config validate --config config`
		if _, stderr, exit := l.node.Exec(l.ctx, "sh", "-ec", script, "sh", api); (exit == 0) != reads {
			l.Fatalf("kubeadm %s reads %s: exit status %d, want it to: %v\n%s", kubeadm, api, exit, reads, stderr)
		}
		_, stderr, exit := l.node.Auditpatch(l.ctx, "export", "kubeadm", "--manifest", cluster.Manifest, "--api-version", api)
		if (exit == 0) != reads {
			l.Fatalf("export kubeadm writes %s for %s: exit status %d, want it to: %v\n%s", api, kubeadm, exit, reads, stderr)
		}
	}
}

// kubeadm is the version of the node's kubeadm, which E2E_KUBERNETES need not be.
func (l *lab) kubeadm() *version.Version {
	l.Helper()
	stdout, stderr, _ := l.node.Exec(l.ctx, "kubeadm", "version", "-o", "short")
	v, err := version.ParseSemantic(strings.TrimSpace(stdout))
	if err != nil {
		l.Fatalf("kubeadm version: %v %s", err, stderr)
	}
	return v
}

// patches wants kubeadm to take our patches, and the manifest to be one that the kubelet takes,
// also where kubeadm-config has the same settings.
func (l *lab) patches() {
	l.Helper()
	const script = `cd "$(mktemp -d)"
		auditpatch export kubeadm-patches --dir "$PWD/patches"
		kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' >cluster
		version=$(sed -n 's/^apiVersion: //p' cluster)
		(cat cluster; printf -- '---\napiVersion: %s\nkind: InitConfiguration\npatches: {directory: %s}\n' "$version" "$PWD/patches") >config
		rm -rf /etc/kubernetes/tmp/kubeadm-init-dryrun*
		kubeadm init phase control-plane apiserver --dry-run --config config
		auditpatch diff --manifest - <"$(echo /etc/kubernetes/tmp/kubeadm-init-dryrun*/kube-apiserver.yaml)" || exit 9`
	stdout, stderr, exit := l.node.Exec(l.ctx, "sh", "-ec", script)
	l.Logf("patches: exit status %d\n%s%s", exit, stdout, stderr)
	l.exec("rm", "-rf", "/etc/kubernetes/tmp")
	if exit != 0 {
		l.Fatalf("the patches do not make the manifest that enable makes: exit status %d", exit)
	}
}

// upgrade runs it. The old API server's watches are cut as soon as it has told them to end:
// else each upgrade takes half a minute more.
func (l *lab) upgrade() {
	l.Helper()
	const helped = `(while sleep 1; do
			ss -Hltn 'sport = 6443' | grep -q . || ss --kill state established 'sport = 6443' >/dev/null 2>&1
		done) & helper=$!
		trap 'kill $helper' EXIT
		` + upgrade
	l.waitMirror()
	old, from := l.server(), time.Now()
	stdout, stderr, exit := l.node.Exec(l.ctx, "sh", "-c", helped)
	l.Logf("kubeadm upgrade: %.0f s, exit status %d\n%s%s", time.Since(from).Seconds(), exit, stdout, stderr)
	seen, err := l.node.Updates(l.ctx, from, time.Now())
	if err != nil {
		l.Fatal(err)
	}
	l.node.Intend(seen.Remove)
	if exit != 0 {
		l.Fatalf("kubeadm upgrade: exit status %d\n%s", exit, stderr)
	}
	if _, err := l.node.WaitServer(l.ctx, old.PID); err != nil {
		l.Fatal(err)
	}
}

// waitMirror waits until the API shows the static pod that runs. When the API server has
// restarted a few times, it can show an earlier one for a minute or more (80 s were seen);
// kubeadm would compare with that one, and wait for 5 min for a change if it writes the same now.
func (l *lab) waitMirror() {
	l.Helper()
	const runs = `sed -n 's/.*pod\([0-9a-f]\{32\}\).*/\1/p' "/proc/$1/cgroup" | head -n 1`
	uid, stderr, exit := l.node.Exec(l.ctx, "sh", "-c", runs, "sh", strconv.Itoa(l.server().PID))
	if uid = strings.TrimSpace(uid); exit != 0 || uid == "" {
		l.Fatalf("kube-apiserver runs in no Pod: %q %s", uid, stderr)
	}
	var shown string
	for from := time.Now(); time.Since(from) < 3*time.Minute; time.Sleep(time.Second) {
		shown, _, _ = l.node.Kubectl(l.ctx, "-n", "kube-system", "get", "pods", "-l", "component=kube-apiserver",
			"-o", `jsonpath={.items[*].metadata.annotations.kubernetes\.io/config\.hash}`)
		if shown == uid {
			l.Logf("the API shows Pod %s after %.0f s", uid, time.Since(from).Seconds())
			return
		}
	}
	l.Fatalf("the API shows Pod %q, and not %s, which runs", shown, uid)
}

// clusterConfig is what kubeadm keeps in the cluster.
func (l *lab) clusterConfig() string {
	l.Helper()
	return l.kubectl("-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "jsonpath={.data.ClusterConfiguration}")
}

func (l *lab) putClusterConfig(text string) {
	l.Helper()
	body, err := json.Marshal(map[string]any{"data": map[string]string{"ClusterConfiguration": text}})
	if err != nil {
		l.Fatal(err)
	}
	// Also at the test's end, when its context is over.
	out, err := exec.Command("docker", "exec", l.node.Name(), "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf",
		"-n", "kube-system", "patch", "configmap", "kubeadm-config", "--type=merge", "--patch", string(body)).CombinedOutput()
	if err != nil {
		l.T.Errorf("put kubeadm-config back: %v: %s", err, out)
	}
}

// TestKindCluster makes a new cluster from what export kind prints, and wants it to log, and
// enable to keep what it has.
func TestKindCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a second cluster")
	}
	dir, bin := t.TempDir(), t.TempDir()
	program, err := filepath.Abs("../auditpatch")
	if err != nil {
		t.Fatal(err)
	}
	// The block's kind notes its configuration: start makes the cluster, which adds what this
	// machine needs.
	const note = "#!/bin/sh\n[ \"$1 $2 $3\" = 'create cluster --config' ] && cp \"$4\" noted.yaml\n"
	if err := os.WriteFile(filepath.Join(bin, "kind"), []byte(note), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "auditpatch")); err != nil {
		t.Fatal(err)
	}
	block := exec.Command("sh", "-ec", pageScript(t, "kind-new"))
	block.Dir, block.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if out, err := block.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c, err := start("-audit", filepath.Join(dir, "noted.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(); err != nil {
			t.Error(err)
		}
	})
	l := enter(t, c) // a reset would take the folder away that kind mounts
	l.stays(func() { l.auditpatch(0, "status", "--check") })
	l.kubectl("get", "secrets", "-A")
	l.wantEvent(event{user: "kubernetes-admin", verb: "list", resource: "secrets", code: 200})
	l.rollsOut(func() { l.auditpatch(0, "enable") })
	l.rollsOut(func() { l.auditpatch(0, "enable", "--preset", "metadata") })
	l.stays(func() { l.auditpatch(0, "status", "--check") })
	if _, err := os.Stat(filepath.Join(dir, "audit", "audit-policy.yaml")); err != nil {
		l.Fatal(err)
	}
}
