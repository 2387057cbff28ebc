//go:build linux

package simnode

import (
	"syscall"
	"time"
)

// deathScenarios end the program, or the whole machine, at moments.
var deathScenarios = append(reboots(), signals()...)

// writeMoments are moments of a change that works.
var writeMoments = []namedMoment{
	{"after the interim write", interim, false},
	{"while the old one drains", draining, true},
	{"when the old one is gone", oldGone, false},
	{"after the final write", final, true},
	{"when the new one starts", newStarted, true},
}

// reboots are deaths of the machine: everything ends at once, the kubelet comes
// back with it, and recover ends what was begun.
func reboots() (out []scenario) {
	for _, at := range writeMoments {
		out = append(out, scenario{
			name: "reboot " + at.name, proves: "every file is whole, recover ends it", extra: at.extra,
			play: func(n *node) {
				n.begin("enable").at(at.moment, n.reboot).wait()
				n.eventually("an API server runs", func() bool { return n.count(Started) > 0 })
				n.wantExit(n.run("recover"), 0)
				n.wantWhole()
			},
		})
	}
	return append(out, scenario{
		name: "reboot in a rollback", proves: "every file is whole, recover puts back",
		play: func(n *node) {
			n.fail(&Faults{When: audited, Words: "audit is broken"})
			n.begin("enable").at(then(newStarted, backAgain), n.reboot).wait()
			o := n.run("recover")
			if o.Exit != 0 {
				n.wantExit(o, 3)
			}
			n.wantBack()
		},
	}, scenario{
		name: "reboot, then enable", extra: true, proves: "enable ends the earlier run first",
		play: func(n *node) {
			n.begin("enable").at(oldGone, n.reboot).wait()
			n.eventually("an API server runs", func() bool { return n.count(Started) > 0 })
			n.wantExit(n.run("enable"), 0)
			n.wantOn()
		},
	})
}

// signals are ends of the program alone.
func signals() (out []scenario) {
	for _, at := range writeMoments {
		out = append(out, scenario{
			name: "killed " + at.name, proves: "every file is whole, recover ends it", extra: at.extra,
			play: func(n *node) {
				r := n.begin("enable")
				r.at(at.moment, func() { r.signal(syscall.SIGKILL) }).wait()
				n.wantExit(n.run("recover"), 0)
				n.wantWhole()
			},
		})
	}
	for _, s := range []struct {
		name string
		syscall.Signal
		moment
		extra bool
	}{
		{"SIGTERM after the interim write", syscall.SIGTERM, interim, false},
		{"SIGINT while the old one drains", syscall.SIGINT, draining, true},
		{"SIGTERM when the new one starts", syscall.SIGTERM, newStarted, true},
	} {
		out = append(out, scenario{
			name: s.name, proves: "everything is put back", extra: s.extra,
			play: func(n *node) {
				r := n.begin("enable")
				o := r.at(s.moment, func() { r.signal(s.Signal) }).wait()
				n.wantExit(o, 3)
				n.wantBack()
			},
		})
	}
	return append(out, scenario{
		name: "SIGHUP", proves: "a dropped session stops nothing",
		play: func(n *node) {
			r := n.begin("enable")
			o := r.at(draining, func() { r.signal(syscall.SIGHUP) }).wait()
			n.wantExit(o, 0)
			n.wantRestarts(1)
			n.wantOn()
		},
	}, scenario{
		name: "SIGTERM twice", extra: true, proves: "putting back is not cancelled",
		play: func(n *node) {
			r := n.begin("enable")
			o := r.at(interim, func() {
				r.signal(syscall.SIGTERM)
				time.Sleep(paced(500 * time.Millisecond))
				r.signal(syscall.SIGTERM)
			}).wait()
			n.wantExit(o, 3)
			n.wantBack()
		},
	})
}
