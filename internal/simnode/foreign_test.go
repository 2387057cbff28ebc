//go:build linux

package simnode

import (
	"fmt"
	"strings"
)

// A UID of a Pod that was created in the API, and what systemd makes of it.
const apiPodUID = "b2f4c7de-51a3-4f6e-9a0b-6f1d2c3e4a5b"

// foreignScenarios have processes beside the API server that have its name, and
// perhaps its command line. Each is played with a change that is rolled back,
// and one that works.
var foreignScenarios = []scenario{
	{
		name: "hosted API server", proves: "one in a Pod of the API is left alone",
		play: func(n *node) {
			n.write("/var/log/pods/tenant-a_kube-apiserver-0_"+apiPodUID+"/kube-apiserver/0.log", "", 0o640)
			n.bystand("hosted kube-apiserver", Command{
				Argv: []string{"kube-apiserver", "--secure-port=7443", "--etcd-servers=https://etcd.tenant-a:2379"}, Alone: true,
				Group: podGroup(apiPodUID, false) + "/" + newID(),
			})
			playBeside(n)
		},
	},
	{
		name: "hosted API server, same port", proves: "the same with the node's own port, in a network of its own",
		play: func(n *node) {
			n.write("/var/log/pods/tenant-a_kube-apiserver-0_"+apiPodUID+"/kube-apiserver/0.log", "", 0o640)
			n.bystand("hosted kube-apiserver", Command{Argv: n.serverArgv(), Alone: true, Group: podGroup(apiPodUID, false) + "/" + newID()})
			playBeside(n)
		},
	},
	{
		name: "hosted API server, systemd", extra: true, proves: "the same with systemd's control groups",
		setup: setup{systemd: true},
		play: func(n *node) {
			n.write("/var/log/pods/kube-system_kube-apiserver-cp-1_"+apiPodUID+"/kube-apiserver/0.log", "", 0o640)
			n.bystand("hosted kube-apiserver", Command{
				Argv: []string{"kube-apiserver", "--secure-port=7443"}, Alone: true,
				Group: podGroup(apiPodUID, true) + "/cri-containerd-" + newID() + ".scope",
			})
			playBeside(n)
		},
	},
	{
		name: "another static Pod", proves: "kube-apiserver-foo is left alone",
		setup: setup{before: func(n *node) {
			other := strings.NewReplacer("name: kube-apiserver\n  namespace", "name: kube-apiserver-foo\n  namespace",
				"--secure-port=6443", "--secure-port=7443", "component: kube-apiserver", "component: foo").Replace(n.original)
			n.names["foo.yaml"] = true
			n.write("/etc/kubernetes/manifests/foo.yaml", other, 0o600)
			n.eventually("both run", func() bool { return n.count(Started) == 2 || n.kubelet == nil })
		}},
		play: func(n *node) {
			foo := n.started("foo")
			n.fail(&Faults{When: audited, Words: "audit is broken"})
			n.wantExit(n.run("enable"), 3)
			n.wantBack()
			if again := n.started("foo"); again != foo {
				n.Errorf("kube-apiserver-foo: pid %d became %d", foo, again)
			}
		},
	},
	{
		name: "bare process, root", proves: "one with the very command line, but in no Pod",
		play: func(n *node) {
			n.bystand("kube-apiserver of root", Command{Argv: n.serverArgv()})
			playBeside(n)
		},
	},
	{
		name: "bare process, nobody", extra: true, proves: "the same by a user without rights",
		play: func(n *node) {
			n.bystand("kube-apiserver of nobody", Command{Argv: n.serverArgv(), UID: 65534})
			playBeside(n)
		},
	},
	{
		name: "container of docker", extra: true, proves: "the same in a container that is no Pod's",
		play: func(n *node) {
			n.bystand("kube-apiserver in docker", Command{Argv: n.serverArgv(), Group: "docker/" + newID()})
			playBeside(n)
		},
	},
	{
		name: "somebody's kubelet", proves: "a process called kubelet without rights is not the kubelet",
		play: func(n *node) {
			n.bystand("kubelet of nobody", Command{Argv: []string{"kubelet", "--config=/tmp/config.yaml", "--pod-manifest-path=/tmp/manifests"}, UID: 65534})
			playBeside(n)
		},
	},
}

// playBeside plays a rollback and a change.
func playBeside(n *node) {
	n.Helper()
	n.fail(&Faults{When: audited, Words: "audit is broken"})
	n.wantExit(n.run("enable"), 3)
	n.wantBack()
	n.fail()
	n.wantExit(n.run("enable"), 0)
	n.wantAgreed()
}

// serverArgv is the API server's own command line.
func (n *node) serverArgv() []string {
	n.Helper()
	p, err := decodePod([]byte(n.original), manifestPath, n.name())
	if err != nil {
		n.Fatal(err)
	}
	argv, _ := commandLine(p.Spec.Containers[0])
	return argv
}

// started is the process that was started last for a Pod whose manifest's name
// has a text in it.
func (n *node) started(file string) (pid int) {
	n.Helper()
	uid := ""
	for _, e := range n.events() {
		switch {
		case e.Kind == PodAdded && strings.Contains(e.Text, file):
			uid = e.Pod
		case e.Kind == Started && e.Pod == uid && uid != "":
			_, _ = fmt.Sscanf(e.Text, "kube-apiserver pid %d", &pid)
		}
	}
	return pid
}
