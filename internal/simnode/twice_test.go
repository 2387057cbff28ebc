//go:build linux

package simnode

import (
	"os"
	"strings"
	"syscall"
	"time"
)

// inLog is when the proof's event is in the log.
func inLog(n *node) func() bool {
	return func() bool { return strings.Contains(n.read(logPath), "auditpatch-proof") }
}

// twiceScenarios have two things go wrong at once, or one at an odd moment.
var twiceScenarios = []scenario{
	{
		name: "recover without a kubelet", extra: true, proves: "ends, and says why",
		play: func(n *node) {
			r := n.begin("enable")
			r.at(interim, func() { r.signal(syscall.SIGKILL) }).wait()
			n.eventually("interim runs", func() bool { return n.count(Started) > 0 })
			n.wantReady()
			n.kubelet.stop()
			o := n.run("recover")
			n.wantExit(o, 4)
			n.wantSays(o, "the kubelet does not run")
			n.kubelet.start()
			n.wantBack()
		},
	},
	{
		name: "kubelet restarts twice", proves: "healthy",
		play: func(n *node) {
			o := n.begin("enable").at(draining, n.kubelet.restart).at(sees(Exited, 2), n.kubelet.restart).wait()
			n.wantExit(o, 0)
			n.wantOn()
		},
	},
	{
		name: "dies while the webhook is waited for", proves: "rolled back",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Exit: 10 * time.Second})
			n.call("Listen", Port{Address: "127.0.0.1:9000", Do: "hang"}, nil)
			o := n.run("enable", "--webhook-url", "http://127.0.0.1:9000/events")
			n.wantExit(o, 3)
			n.wantBack()
		},
	},
	{
		name: "the old manifest comes back while the webhook is waited for", proves: "noticed",
		play: func(n *node) {
			n.call("Listen", Port{Address: "127.0.0.1:9000", Do: "hang"}, nil)
			o := n.begin("enable", "--webhook-url", "http://127.0.0.1:9000/events").at(then(newStarted, inLog), func() { n.puppet(manifestPath, n.original) }).wait()
			if o.Exit == 0 {
				n.Error("exit 0 with the old manifest")
			}
			n.wantReady()
		},
	},
	{
		name: "reboot in a rollback, slow start", extra: true, proves: "waited for",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Words: "audit is broken"})
			n.begin("enable").at(then(newStarted, backAgain), func() { n.fail(&Faults{Slow: 80 * time.Second}); n.reboot() }).wait()
			o := n.run("recover")
			n.wantExit(o, 0)
			n.wantBack()
		},
	},
	{
		name: "policy only, kubelet stops, SIGTERM", proves: "no healthy earlier server is claimed",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			r := n.begin("enable", "--preset", "metadata")
			o := r.at(newStarted, func() { n.kubelet.stop(); r.signal(syscall.SIGTERM) }).wait()
			n.wantExit(o, 4)
			n.wantSays(o, "the kubelet does not run")
			n.kubelet.start()
			n.wantOn()
		},
	},
	{
		name: "recover with the policy deleted", proves: "there is a way out",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			policy := n.read(policyPath)
			r := n.begin("enable", "--audit-log-maxage", "7")
			r.at(interim, func() { r.signal(syscall.SIGKILL) }).wait()
			n.ok(os.Remove(n.path(policyPath)))
			n.anyBytes = true
			o := n.begin("recover").at(after(10*time.Second), func() { n.write(policyPath, policy, 0o600) }).wait()
			n.wantSays(o, policyPath)
			n.wantOn()
		},
	},
	{
		name: "SIGTERM in the hold", extra: true, proves: "put back, or what to type",
		play: func(n *node) {
			r := n.begin("enable")
			o := r.at(draining, n.kubelet.restart).at(newStarted, func() { r.signal(syscall.SIGTERM) }).wait()
			n.wantMended(o)
			n.wantBack()
		},
	},
	{
		name: "SIGTERM in the release", extra: true, proves: "put back",
		play: func(n *node) {
			r := n.begin("enable")
			o := r.at(draining, n.kubelet.restart).at(final, func() { r.signal(syscall.SIGTERM) }).wait()
			n.wantMended(o)
			n.wantBack()
		},
	},
	{
		name: "killed in the hold, then recover", extra: true, proves: "whole",
		play: func(n *node) {
			r := n.begin("enable")
			r.at(draining, n.kubelet.restart).at(newStarted, func() { r.signal(syscall.SIGKILL) }).wait()
			n.wantExit(n.run("recover"), 0)
			n.wantWhole()
		},
	},
	{
		name: "reboot in the release", extra: true, proves: "whole",
		play: func(n *node) {
			r := n.begin("enable")
			r.at(draining, n.kubelet.restart).at(final, n.reboot).wait()
			n.wantExit(n.run("recover"), 0)
			n.wantWhole()
		},
	},
	{
		name: "no wait, then enable", extra: true, proves: "waited for",
		play: func(n *node) {
			n.wantExit(n.run("enable", "--no-wait"), 0)
			n.wantExit(n.run("enable"), 0)
			n.wantAgreed()
		},
	},
	{
		name: "nothing to change, crash loop", extra: true, proves: "said",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.fail(&Faults{Words: "etcd is away"})
			n.reboot()
			before := n.count(Exited) // the reboot's own among them
			n.eventually("died", func() bool { return n.count(Exited) > before })
			n.wantSays(n.run("enable", "--timeout", "10s"), "etcd is away")
			n.fail()
			n.wantReady()
		},
	},
	{
		name: "nothing to change, API server hangs", proves: "said",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.fail(&Faults{Hang: true, Times: 1})
			n.reboot()
			time.Sleep(time.Second)
			n.wantSays(n.run("enable"), "not ready")
		},
	},
	{
		name: "graceful, kubelet restarts twice", extra: true, proves: "healthy",
		play: func(n *node) {
			o := n.begin("enable", "--restart", "graceful").at(draining, n.kubelet.restart).at(sees(Exited, 2), n.kubelet.restart).wait()
			n.wantExit(o, 0)
			n.wantOn()
		},
	},
	{
		name: "restart in hold before ready", extra: true, proves: "healthy",
		play: func(n *node) {
			o := n.begin("enable").at(draining, n.kubelet.restart).at(newStarted, n.kubelet.restart).wait()
			n.wantMended(o)
			n.wantExit(o, 0)
		},
	},
}
