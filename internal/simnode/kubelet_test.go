//go:build linux

package simnode

import (
	"strings"
	"time"
)

// kubeletScenarios have a kubelet that goes away, or comes anew.
var kubeletScenarios = append([]scenario{
	{
		name: "dead-lock of a restarted kubelet", extra: true, proves: "of the stand-in: nothing starts until it is restarted again",
		play: func(n *node) {
			// The interim Pod has a volume that cannot be mounted yet, as none is in the
			// first moments.
			unmounted := withVolume("test", "/srv/test", "File")(strings.Replace(n.original, "    volumeMounts:\n", "    volumeMounts:\n    - mountPath: /test\n      name: test\n", 1))
			n.kubelet.stop()
			n.call("StopContainers", None{}, nil)
			n.puppet(manifestPath, unmounted)
			n.kubelet.start()
			n.eventually("it has tried to mount the volume", func() bool { return n.count(MountFailed) > 0 })
			n.write("/srv/test", "", 0o600)
			n.puppet(manifestPath, n.original)
			n.eventually("the interim Pod is not ended", func() bool { return n.count(RemoveSkipped) == 1 })
			time.Sleep(paced(20 * time.Second))
			n.wantRestarts(0)
			n.kubelet.restart()
			n.wantReady()
			n.wantRestarts(1)
		},
	},
	{
		name: "no kubelet", proves: "refused, nothing touched",
		play: func(n *node) {
			n.kubelet.stop()
			n.wantExit(n.run("enable"), 2)
			n.wantExit(n.run("enable", "--dry-run"), 2)
			n.wantExit(n.run("diff"), 1)
			for _, command := range []string{"status", "doctor"} {
				n.wantSays(n.run(command), "systemctl start kubelet")
			}
			n.wantBytes(manifestPath, n.original)
			n.kubelet.start()
			n.wantBack()
		},
	},
	{
		name: "kubelet stops for good", proves: "the files are back, and it is said why nobody acts on them",
		play: func(n *node) {
			o := n.begin("enable", "--timeout", "10s").at(draining, n.kubelet.stop).wait()
			n.wantExit(o, 4)
			n.wantSays(o, "kubelet")
			n.wantBytes(manifestPath, n.original)
			n.kubelet.start()
			n.wantBack()
		},
	},
	{
		name: "kubelet stops for 2 s", extra: true, proves: "the wait goes on",
		play: func(n *node) {
			o := n.begin("enable", "--timeout", "10s").at(newStarted, func() {
				n.kubelet.stop()
				time.Sleep(paced(2 * time.Second))
				n.kubelet.start()
			}).wait()
			n.wantExit(o, 0)
			n.wantOn()
		},
	},
}, kubeletRestarts()...)

// namedMoment is a moment with its name, and whether it is a variant of another.
type namedMoment struct {
	name string
	moment
	extra bool
}

// restartMoments are moments of a change.
var restartMoments = []namedMoment{
	{"at once", after(0), true},
	{"before the interim write", after(500 * time.Millisecond), true},
	{"after the interim write", interim, false},
	{"while the old one drains", draining, true},
	{"when the old one is gone", oldGone, false},
	{"after the final write", final, true},
	{"when the new one starts", newStarted, false},
	{"before it is ready", func(n *node) func() bool {
		started := newStarted(n)
		var at time.Time
		return func() bool {
			if at.IsZero() && started() {
				at = time.Now()
			}
			return !at.IsZero() && time.Since(at) > paced(2*time.Second)
		}
	}, true},
}

// rollbackMoments are moments of a change whose API server dies at its start.
var rollbackMoments = []namedMoment{
	{"when the new one starts", newStarted, false},
	{"when the new one has died", sees(Exited, 2), true},
	{"when the new Pod is removed", sees(PodRemoved, 3), false}, // the old and the interim one came before
	{"when the earlier manifest is back", then(newStarted, backAgain), true},
	{"when the earlier Pod is added", original(PodAdded), true},
	{"when the earlier one starts", original(Started), true},
}

// original is when an event comes of the Pod that was there at the beginning.
func original(kind string) moment {
	return func(n *node) func() bool {
		p, err := decodePod([]byte(n.original), manifestPath, n.name())
		n.ok(err)
		counting := Counting{From: n.start, Kind: kind, Pod: p.Identity}
		return func() bool {
			times := 0
			n.call("Count", counting, &times)
			return times > 0
		}
	}
}

// backAgain is when the manifest is what it was at the beginning.
func backAgain(n *node) func() bool {
	return func() bool { return n.read(manifestPath) == n.original }
}

// kubeletRestarts are restarts of the kubelet during enable, and during the
// rollback of one. Each ends healthy, or says soon what to type.
func kubeletRestarts() (out []scenario) {
	for _, at := range restartMoments {
		out = append(out, scenario{
			name: "kubelet restarts " + at.name, proves: "healthy within 60 s, or says what to type", extra: at.extra,
			play: func(n *node) {
				o := n.begin("enable", "--timeout", "30s").at(at.moment, n.kubelet.restart).wait()
				n.wantMended(o)
			},
		})
	}
	for _, at := range rollbackMoments {
		out = append(out, scenario{
			name: "kubelet restarts in a rollback, " + at.name, proves: "healthy within 60 s, or says what to type", extra: at.extra,
			play: func(n *node) {
				n.fail(&Faults{When: audited, Words: "audit is broken"})
				n.wantMended(n.begin("enable", "--timeout", "30s").at(at.moment, n.kubelet.restart).wait())
			},
		})
	}
	return out
}

// then is one moment after another.
func then(first, second moment) moment {
	return func(n *node) func() bool {
		one := first(n)
		var two func() bool
		return func() bool {
			if two == nil && one() {
				two = second(n)
			}
			return two != nil && two()
		}
	}
}

// wantMended wants a healthy node soon, by itself or by what the program says.
func (n *node) wantMended(o outcome) {
	n.Helper()
	n.wantWithin(o, time.Minute)
	if o.Exit != 0 && strings.Contains(o.Stderr, "systemctl restart kubelet") {
		n.kubelet.restart()
	}
	if o.Exit == 4 { // the last line says it too
		n.wantSays(o, "hint: systemctl restart kubelet; then: auditpatch recover")
	}
	n.wantReady()
	if o.Exit == 4 { // what could not be undone then can be now
		n.wantExit(n.run("recover"), 0)
	}
	n.wantWhole()
}
