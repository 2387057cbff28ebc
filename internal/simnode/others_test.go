//go:build linux

package simnode

import (
	"os"
	"strings"
	"sync"
	"time"
)

// otherScenarios are manifests that are not kubeadm's plain one, and people and
// programs that change it too.
var otherScenarios = []scenario{
	{
		name: "sed -i after the interim write", proves: "theirs stays, ours goes, and it is said whether the API server lives",
		play: func(n *node) {
			edit := func() { n.sed(manifestPath, "cpu: 250m", "cpu: 251m") }
			o := n.begin("enable").at(interim, edit).wait()
			n.wantExit(o, 4)
			n.wantSilent(o, "put back")
			n.wantManifest("cpu: 251m", true)
			n.wantManifest("auditpatch/restart", false)
			n.wantReady()
		},
	},
	{
		name: "sed -i when the new one starts", extra: true, proves: "theirs stays",
		play: func(n *node) {
			edit := func() { n.sed(manifestPath, "cpu: 250m", "cpu: 251m") }
			o := n.begin("enable", "--timeout", "20s").at(newStarted, edit).wait()
			n.wantManifest("cpu: 251m", true)
			n.wantSilent(o, "put back")
			n.wantReady()
		},
	},
	{
		name: "Puppet writes the old manifest back", proves: "noticed within seconds, and said",
		play: func(n *node) {
			over, done := make(chan struct{}), sync.WaitGroup{}
			done.Go(func() {
				for {
					select {
					case <-over:
						return
					case <-time.After(paced(2 * time.Second)):
						n.puppet(manifestPath, n.original)
					}
				}
			})
			o := n.run("enable", "--timeout", "20s")
			close(over)
			done.Wait()
			if o.Exit != 3 {
				n.wantExit(o, 4)
			}
			n.wantWithin(o, 30*time.Second)
			n.wantSays(o, "another program")
			n.wantBack()
		},
	},
	{
		name: "leftover annotation", proves: "the next change starts and cleans up",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			// As a run leaves it that was ended by another's change.
			n.puppet(manifestPath, strings.Replace(n.read(manifestPath), "  annotations:\n", "  annotations:\n    auditpatch/restart: \"under way\"\n", 1))
			n.eventually("the kubelet has acted", func() bool { return n.count(Started) == 2 })
			n.wantReady()
			o := n.run("enable")
			n.wantExit(o, 0)
			n.wantSilent(o, "nothing changed")
			n.wantAgreed()
		},
	},
	{
		name: "leftover annotation from before", extra: true, proves: "the same on a node without audit logging",
		setup: setup{manifest: func(m string) string {
			return strings.Replace(m, "  annotations:\n", "  annotations:\n    auditpatch/restart: under way\n", 1)
		}},
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantAgreed()
		},
	},
	{
		name: "two runs at once", extra: true, proves: "one works, the other says who does",
		play: func(n *node) { playTwo(n) },
	},
	{
		name: "two runs with two state directories", proves: "the second is refused while the first is at it",
		play: func(n *node) {
			var second outcome
			first := n.begin("enable", "--state-dir", "/var/lib/a").at(draining, func() {
				second = n.run("disable", "--state-dir", "/var/lib/b")
			}).wait()
			n.wantExit(first, 0)
			n.wantExit(second, 2)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "restore after another's change", proves: "their image stays",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.puppet(manifestPath, strings.Replace(n.read(manifestPath), "v1.36.3", "v1.36.4", 1))
			n.eventually("the kubelet has acted", func() bool { return n.count(Started) == 2 })
			n.wantReady()
			n.run("restore")
			n.wantManifest("v1.36.4", true)
			n.wantReady()
		},
	},
	{
		name: "symlinked manifest", proves: "one restart, also after the kubelet's next list",
		setup: setup{before: func(n *node) {
			n.write("/srv/kube-apiserver.yaml", n.original, 0o600)
			n.ok(os.Remove(n.path(manifestPath)))
			n.ok(os.Symlink("../../../srv/kube-apiserver.yaml", n.path(manifestPath)))
		}},
		play: func(n *node) {
			n.wantExit(n.run("enable", "--timeout", "60s"), 0)
			n.wantRestarts(1)
			time.Sleep(paced(25 * time.Second)) // another list
			n.wantRestarts(0)
			n.wantOn()
		},
	},
	{
		name: "variables in arguments", proves: "compared as the kubelet expands them",
		setup: setup{manifest: func(m string) string {
			m = strings.Replace(m, "--advertise-address=192.0.2.10", "--advertise-address=$(HOST_IP)", 1)
			m = strings.Replace(m, "--service-account-issuer=https:", "--service-account-issuer=$(SCHEME):", 1)
			return strings.Replace(m, "    image: ", "    env:\n    - name: HOST_IP\n      valueFrom:\n        fieldRef:\n          fieldPath: status.hostIP\n    - name: SCHEME\n      value: https\n    image: ", 1)
		}},
		play: playEnable,
	},
	{
		name: "runAsUser", proves: "policy and log are for that user",
		setup: setup{
			manifest: func(m string) string {
				return strings.Replace(m, "  hostNetwork: true\n", "  hostNetwork: true\n  securityContext:\n    runAsUser: 990\n    runAsGroup: 990\n", 1)
			},
			before: func(n *node) {
				n.ok(os.Chown(n.path("/etc/kubernetes/pki/apiserver.key"), 990, 990))
				for _, dir := range []string{"/var/lib/etcd", "/var/lib/etcd/configmaps"} { // a stand-in's etcd
					n.ok(os.Chmod(n.path(dir), 0o777))
				}
			},
		},
		play: playEnable,
	},
	{
		name: "policy volume for a directory", proves: "mended or refused, no outage",
		setup: setup{manifest: withVolume("audit", policyPath, "DirectoryOrCreate")},
		play:  playWrongType,
	},
	{
		name: "log volume for a file", extra: true, proves: "mended or refused, no outage",
		setup: setup{manifest: withVolume("audit-log", "/var/log/kubernetes/audit", "FileOrCreate")},
		play:  playWrongType,
	},
	{
		name: "a directory where the policy belongs", proves: "an empty one is replaced",
		setup: setup{before: func(n *node) { n.mkdir(policyPath) }},
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "expired admin.conf", proves: "super-admin.conf is used",
		setup: setup{before: func(n *node) { n.kubeconfig("admin", Admin, time.Now().Add(-time.Hour)) }},
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "all credentials expired", extra: true, proves: "said, with the time",
		setup: setup{before: func(n *node) {
			n.kubeconfig("admin", Admin, time.Now().Add(-time.Hour))
		}},
		play: func(n *node) {
			n.kubeconfig("super-admin", SuperAdmin, time.Now().Add(-time.Hour))
			n.kubeconfig("kubelet", NodeUser(n.name()), time.Now().Add(-time.Hour))
			o := n.run("enable")
			n.wantSays(o, "expired on")
			if o.Exit != 2 { // nobody can ask the API server: refused, or done without a proof
				n.wantExit(o, 0)
			}
		},
	},
	{
		name: "HTTPS_PROXY", proves: "the node is asked directly",
		setup: setup{manifest: withFlag("--bind-address=" + NodeIP)}, // 127.0.0.1 is never proxied
		play: func(n *node) {
			proxy := []string{"HTTPS_PROXY=http://192.0.2.10:1", "https_proxy=http://192.0.2.10:1"}
			n.wantExit(n.beginWith(proxy, "enable").wait(), 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "--root / on the live node", proves: "refused: it would skip lock, health and wait",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--root", "/"), 2)
			n.wantPods(0)
			n.wantBack()
		},
	},
	{
		name: "empty --root", proves: "an unset variable is not the live host",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--root", ""), 2)
			n.wantPods(0)
			n.wantBack()
		},
	},
	{
		name: "manifest with a UID", proves: "refused or done, but not waited for in vain",
		setup: setup{manifest: func(m string) string {
			return strings.Replace(m, "  namespace: kube-system\n", "  namespace: kube-system\n  uid: 0123456789abcdef0123456789abcdef\n", 1)
		}},
		play: func(n *node) {
			o := n.run("enable", "--timeout", "20s")
			if o.Exit != 0 {
				n.wantExit(o, 2)
			}
			n.wantWhole()
		},
	},
	{
		name: "a backup in the manifests directory", extra: true, proves: "refused: the kubelet would run it",
		setup: setup{before: func(n *node) {
			n.names["kube-apiserver.yaml.bak"] = true
			n.write(manifestPath+".bak", n.original, 0o600)
		}},
		play: func(n *node) {
			o := n.run("enable")
			n.wantExit(o, 2)
			n.wantSays(o, "kube-apiserver.yaml.bak")
			n.wantBytes(manifestPath, n.original)
		},
	},
}

// playTwo starts two runs at the same time.
func playTwo(n *node) {
	n.Helper()
	a := n.begin("enable")
	b := n.begin("enable", "--preset", "metadata")
	first, second := a.wait(), b.wait()
	if exits := [2]int{first.Exit, second.Exit}; exits != [2]int{0, 2} && exits != [2]int{2, 0} {
		n.Errorf("exit status %v, want one 0 and one 2", exits)
	}
	n.wantRestarts(1)
	n.wantOn()
}

// playWrongType has a volume with a type that what is to lie there will not be.
func playWrongType(n *node) {
	n.Helper()
	n.anyBytes = true
	o := n.run("enable", "--timeout", "20s")
	if o.Exit == 2 {
		n.wantRestarts(0)
		return
	}
	n.wantExit(o, 0)
	n.wantRestarts(1)
	n.wantOn()
}

// withVolume adds a volume to a manifest, which nobody mounts yet.
func withVolume(name, path, kind string) func(string) string {
	return func(m string) string {
		return strings.Replace(m, "  volumes:\n", "  volumes:\n  - hostPath:\n      path: "+path+"\n      type: "+kind+"\n    name: "+name+"\n", 1)
	}
}
