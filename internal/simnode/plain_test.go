//go:build linux

package simnode

import (
	"path/filepath"
	"strings"
	"time"
)

// plainScenarios are changes on a node where nothing is wrong.
var plainScenarios = []scenario{
	{
		name: "enable", proves: "one restart, and it is on",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantPods(2)
			n.wantAgreed()
		},
	},
	{
		name: "enable, disable, enable", proves: "one restart each, the same bytes after disable",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			on := n.read(manifestPath)
			n.wantExit(n.run("disable"), 0)
			n.wantRestarts(1)
			n.wantReady()
			n.wantBytes(manifestPath, n.original)
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantBytes(manifestPath, on)
			n.wantPods(6)
			n.wantOn()
		},
	},
	{
		name: "another preset", extra: true, proves: "a changed policy restarts once",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantExit(n.run("enable", "--preset", "metadata"), 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "nothing to change", proves: "the second run touches nothing",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			before := n.read(manifestPath)
			o := n.run("enable")
			n.wantExit(o, 0)
			n.wantSays(o, "nothing changed")
			n.wantRestarts(0)
			n.wantBytes(manifestPath, before)
			n.wantPods(2)
		},
	},
	{
		name: "graceful", proves: "the kubelet's 30 s are waited for",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--restart", "graceful"), 0)
			n.wantRestarts(1)
			if n.count(Killed) < 1 {
				n.Error("the kubelet did not end the old API server itself")
			}
			n.wantOn()
		},
	},
	{
		name: "no wait", proves: "one write, the rest is the kubelet's",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--no-wait"), 0)
			n.eventually("the new API server starts", func() bool { return n.count(Started) == 1 })
			n.wantPods(1)
			n.wantOn()
		},
	},
	{
		name: "dry run", extra: true, proves: "nothing is touched",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--dry-run"), 0)
			n.wantRestarts(0)
			n.wantPods(0)
			n.wantBack()
		},
	},
	{
		name: "restore", extra: true, proves: "back to the bytes before, one restart",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantExit(n.run("restore"), 0)
			n.wantRestarts(1)
			n.wantBack()
		},
	},
	{
		name: "persist", extra: true, proves: "kubeadm-config has it too",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--persist"), 0)
			n.wantRestarts(1)
			n.wantOn()
			if cm := n.read("/var/lib/etcd/configmaps/kube-system/kubeadm-config"); !strings.Contains(cm, "audit-policy-file") {
				n.Errorf("kubeadm-config: %s", cm)
			}
		},
	},
	{
		name: "cgroup v2", extra: true, proves: "the same with one hierarchy",
		setup: setup{v2: true},
		play:  playEnable,
	},
	{
		name: "systemd cgroups", proves: "the same with systemd's names",
		setup: setup{systemd: true},
		play:  playEnable,
	},
	{
		name: "cgroup v2, systemd, crun", proves: "nested control groups get the quick restart too",
		setup: setup{v2: true, systemd: true, crun: true},
		play:  playEnable,
	},
	{
		name: "crun", extra: true, proves: "the same on cgroup v1",
		setup: setup{crun: true},
		play:  playEnable,
	},
	{
		name: "host name in capitals", extra: true, proves: "Pods are found under the lower-case name",
		setup: setup{host: "CP-One"},
		play:  playEnable,
	},
	{
		name: "hostname-override", extra: true, proves: "Pods are found under the kubelet's name for the node",
		setup: setup{override: "node-7"},
		play:  playEnable,
	},
	{
		name: "slow start", extra: true, proves: "50 s are waited for",
		play: func(n *node) {
			n.fail(&Faults{Slow: 50 * time.Second})
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "log rotates at once", extra: true, proves: "the event is found in a log that was rotated meanwhile",
		setup: setup{before: func(n *node) { n.write(logPath, strings.Repeat("{}\n", 1<<20/3-20), 0o600) }},
		play: func(n *node) {
			n.wantExit(n.run("enable", "--audit-log-maxsize", "1"), 0)
			n.wantRestarts(1)
			n.wantOn()
			if backups, _ := filepath.Glob(n.path(filepath.Dir(logPath) + "/audit-*.log")); len(backups) != 1 {
				n.Errorf("rotated files: %q", backups)
			}
		},
	},
	{
		name: "batch mode", extra: true, proves: "a batch is waited for",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--audit-log-mode", "batch"), 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "legacy log format", proves: "the event is found in the legacy line",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--audit-log-format", "legacy"), 0)
			n.wantRestarts(1)
			n.wantManifest("--audit-log-format=legacy", true)
			n.wantAgreed()
		},
	},
}

// playEnable turns it on in one quick restart, and off again.
func playEnable(n *node) {
	n.Helper()
	n.wantExit(n.run("enable"), 0)
	n.wantRestarts(1)
	if n.count(Killed) != 0 {
		n.Error("the old API server was left to the kubelet")
	}
	n.wantOn()
	n.wantExit(n.run("disable"), 0)
	n.wantRestarts(1)
	n.wantReady()
	n.wantBytes(manifestPath, n.original)
}
