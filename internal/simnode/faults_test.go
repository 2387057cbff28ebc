//go:build linux

package simnode

import (
	"strings"
	"syscall"
	"time"
)

// audited are API servers with the new settings.
const audited = "--audit-policy-file"

// faultScenarios are changes that do not work: each has to end as it began.
var faultScenarios = []scenario{
	{
		name: "unknown flag", proves: "rolled back after the first death, with its words",
		play: func(n *node) {
			n.fail(&Faults{Unknown: "audit-log-compress"})
			o := n.run("enable", "--audit-log-compress")
			n.wantExit(o, 3)
			n.wantSays(o, "unknown flag: --audit-log-compress")
			n.wantBack()
		},
	},
	{
		name: "dies twice", proves: "rolled back after the second death, with its words",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Words: "the quota is used up"})
			o := n.run("enable")
			n.wantExit(o, 3)
			n.wantSays(o, "the quota is used up")
			n.wantBack()
			n.wantRestarts(3) // two of the new, and the earlier
		},
	},
	{
		name: "last words come late", proves: "they are waited for",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Words: "the quota is used up", LateLog: true})
			o := n.run("enable")
			n.wantExit(o, 3)
			n.wantSays(o, "the quota is used up")
			n.wantBack()
		},
	},
	{
		name: "dies once", extra: true, proves: "one death is no reason to turn back",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Words: "the quota is used up", Times: 1})
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(2)
			n.wantOn()
		},
	},
	{
		name: "dies after it listened", extra: true, proves: "rolled back",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Exit: 500 * time.Millisecond})
			n.wantExit(n.run("enable"), 3)
			n.wantBack()
		},
	},
	{
		name: "never ready", extra: true, proves: "rolled back when the time is over",
		play: func(n *node) {
			n.fail(&Faults{When: audited, NeverReady: true})
			n.wantExit(n.run("enable", "--timeout", "3s"), 3)
			n.wantBack()
		},
	},
	{
		name: "hangs", extra: true, proves: "one that takes connections and says nothing is rolled back",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Hang: true})
			n.wantExit(n.run("enable", "--timeout", "2s"), 3)
			n.wantBack()
		},
	},
	{
		name: "old one is deaf", extra: true, proves: "an API server that does not end is killed",
		setup: setup{before: func(n *node) { n.fail(&Faults{Deaf: true, Times: 1}) }},
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "port taken", proves: "rolled back with the cause, healthy once the port is free",
		play: func(n *node) { playPortTaken(n, "close") },
	},
	{
		name: "port taken by one that hangs", extra: true, proves: "the same when the port's owner never answers",
		play: func(n *node) { playPortTaken(n, "hang") },
	},
	{
		name: "bad policy on disk", proves: "refused, nothing touched",
		setup: setup{before: func(n *node) {
			n.write(policyPath, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Everything\n", 0o600)
		}},
		play: func(n *node) {
			n.anyBytes = true
			n.wantExit(n.run("enable"), 2)
			n.wantRestarts(0)
			n.wantBack()
		},
	},
	{
		name: "policy deleted meanwhile", proves: "the wait ends early, rolled back",
		play: func(n *node) {
			o := n.begin("enable").at(interim, func() { n.ok(syscall.Unlink(n.path(policyPath))) }).wait()
			n.wantExit(o, 3)
			n.wantSays(o, policyPath)
			n.wantWithin(o, 60*time.Second)
			n.wantBack()
		},
	},
	{
		name: "log unwritable", proves: "rolled back with the API server's words",
		play: func(n *node) {
			n.call("Mount", Volume{Path: "/var/log/kubernetes/audit", Size: "4g"}, nil)
			o := n.begin("enable").at(interim, func() { n.call("ReadOnly", "/var/log/kubernetes/audit", nil) }).wait()
			n.wantExit(o, 3)
			n.wantSays(o, "read-only file system")
			n.wantBack()
		},
	},
	{
		name: "log on a full disk", proves: "no event can be written: refused or rolled back, with the cause",
		play: func(n *node) {
			n.call("Mount", Volume{Path: "/var/log/kubernetes/audit", Size: "64k"}, nil)
			fill(n, "/var/log/kubernetes/audit/ballast")
			o := n.run("enable")
			if o.Exit != 2 {
				n.wantExit(o, 3)
			}
			n.wantSays(o, "/var/log/kubernetes/audit")
			n.wantBack()
		},
	},
	{
		name: "full disk at the second write", proves: "what is needed was laid out before the first",
		setup: setup{before: smallManifests},
		play: func(n *node) {
			const ballast = "/etc/kubernetes/manifests/.ballast"
			o := n.begin("enable").at(interim, func() { fill(n, ballast) }).wait()
			n.ok(syscall.Unlink(n.path(ballast)))
			n.wantExit(o, 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	},
	{
		name: "full disk, rolled back", extra: true, proves: "going back needs no space either",
		setup: setup{before: smallManifests},
		play: func(n *node) {
			const ballast = "/etc/kubernetes/manifests/.ballast"
			n.fail(&Faults{When: audited, Words: "audit is broken"})
			o := n.begin("enable").at(interim, func() { fill(n, ballast) }).wait()
			n.ok(syscall.Unlink(n.path(ballast)))
			n.wantExit(o, 3)
			n.wantBack()
		},
	},
	{
		name: "full disk at the first write", proves: "nothing is touched",
		setup: setup{before: smallManifests},
		play: func(n *node) {
			const ballast = "/etc/kubernetes/manifests/.ballast"
			fill(n, ballast)
			o := n.run("enable")
			n.ok(syscall.Unlink(n.path(ballast)))
			n.wantExit(o, 2)
			n.wantSays(o, "no space left on device")
			n.wantPods(0)
			n.wantBack()
		},
	},
	{
		name: "webhook", extra: true, proves: "its deliveries are seen",
		play: func(n *node) {
			n.call("Listen", Port{Address: "127.0.0.1:9000", Do: "200"}, nil)
			o := n.run("enable", "--webhook-url", "http://127.0.0.1:9000/events")
			n.wantExit(o, 0)
			n.wantSays(o, "webhook 127.0.0.1:9000 takes events")
			n.wantRestarts(1)
		},
	},
	{
		name: "webhook refuses", extra: true, proves: "a warning, and audit logging is on",
		play: func(n *node) {
			n.call("Listen", Port{Address: "127.0.0.1:9000", Do: "403"}, nil)
			o := n.run("enable", "--webhook-url", "http://127.0.0.1:9000/events")
			n.wantExit(o, 0)
			n.wantSays(o, "403")
			n.wantRestarts(1)
		},
	},
	{
		name: "webhook hangs in blocking mode", proves: "named as the cause, before it makes the API server unhealthy",
		play: func(n *node) {
			n.call("Listen", Port{Address: "127.0.0.1:9000", Do: "hang"}, nil)
			o := n.run("enable", "--webhook-url", "http://127.0.0.1:9000/events", "--audit-webhook-mode", "blocking", "--timeout", "15s")
			n.wantExit(o, 2)
			n.wantSays(o, "webhook")
			n.wantRestarts(0)
			n.wantBack()
		},
	},
	{
		name: "unhealthy before", proves: "refused, nothing touched",
		setup: setup{manifest: withFlag("--no-such-flag=1"), broken: true},
		play:  playBroken,
	},
}

// playPortTaken has somebody who takes the port as soon as it is free.
func playPortTaken(n *node, do string) {
	n.Helper()
	const port = ":6443"
	take := func() { n.call("Listen", Port{Address: port, Do: do}, nil) }
	free := func() { n.call("Release", port, nil) }
	o := n.begin("enable").at(draining, take).at(sees(Exited, 4), free).wait()
	n.wantExit(o, 3)
	n.wantSays(o, "address already in use")
	n.wantBack()
}

// smallManifests is a manifests directory with little room.
func smallManifests(n *node) {
	n.call("Mount", Volume{Path: "/etc/kubernetes/manifests", Size: "64k"}, nil)
	n.write(manifestPath, n.original, 0o600)
}

// fill takes all that is left of a small file system.
func fill(n *node, name string) {
	data := make([]byte, 4096)
	fd, err := syscall.Open(n.path(name), syscall.O_CREAT|syscall.O_WRONLY|syscall.O_TRUNC, 0o600)
	n.ok(err)
	defer syscall.Close(fd)
	for {
		if _, err := syscall.Write(fd, data); err != nil {
			return
		}
	}
}

// playBroken has an API server that somebody else has broken.
func playBroken(n *node) {
	o := n.run("enable")
	n.wantExit(o, 2)
	n.wantSays(o, "unknown flag: --no-such-flag")
	n.wantPods(0)
	n.wantBytes(manifestPath, n.original)
	o = n.run("enable", "--force", "--timeout", "3s")
	n.wantExit(o, 3)
	n.wantSays(o, "unknown flag: --no-such-flag")
	n.wantBytes(manifestPath, n.original)
	if n.exists(policyPath) {
		n.Error("put back, and yet there is a policy")
	}
}

// withFlag adds a flag of the API server to a manifest.
func withFlag(flag string) func(string) string {
	return func(manifest string) string {
		const last = "    - --tls-private-key-file="
		return strings.Replace(manifest, last, "    - "+flag+"\n"+last, 1)
	}
}
