//go:build linux

package simnode

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// scenario is one story on one node.
type scenario struct {
	name   string
	proves string
	setup  setup
	play   func(n *node)
	// extra is a variant that is played with -all only, so that all the others
	// stay within a minute.
	extra bool
}

// TestScenarios plays all scenarios, each on a node of its own, and prints what
// was proven.
func TestScenarios(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces and control groups need root")
	}
	if testing.Short() {
		t.Skip("a minute of two processors")
	}
	sweepGroups(groupPrefix)
	buildProgram(t)
	all := slices.Concat(plainScenarios, faultScenarios, kubeletScenarios, deathScenarios, foreignScenarios, otherScenarios, twiceScenarios)
	rows := table{total: len(all)}
	t.Cleanup(func() { rows.print(t) })
	names := map[string]bool{}
	for _, s := range all {
		if names[s.name] {
			t.Errorf("two scenarios are called %s", s.name)
		}
		names[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			if s.extra && !*playAll {
				t.Skip("a variant: played with -all")
			}
			t.Parallel()
			began := time.Now()
			n := newNode(t, s.setup)
			t.Cleanup(func() { rows.add(n, s, time.Since(began)) })
			s.play(n)
			n.check()
		})
	}
}

// check is what holds after every scenario.
func (n *node) check() {
	n.Helper()
	n.checkFiles()
	n.checkNames()
	n.checkBystanders()
	if n.Failed() {
		n.Logf("events:\n%s\nkubelet:\n%s", n.story(), n.read("/var/log/kubelet.log"))
	}
}

// story is the events for people.
func (n *node) story() string {
	var out strings.Builder
	events := n.events()
	for _, e := range events {
		if e.Kind != NameSeen {
			fmt.Fprintf(&out, "%7.3f  %-14s %.8s  %s\n", e.At.Sub(events[0].At).Seconds(), e.Kind, e.Pod, e.Text)
		}
	}
	return out.String()
}

// table is what was proven.
type table struct {
	mu    sync.Mutex
	rows  []row
	total int
}

type row struct {
	name, result, exits, proves string
	seconds                     float64
	restarts, pods              int
}

func (r *table) add(n *node, s scenario, took time.Duration) {
	var exits []string
	for _, o := range n.outcomes {
		exits = append(exits, fmt.Sprint(o.Exit))
	}
	result := map[bool]string{false: "ok", true: "FAILED"}[n.Failed()]
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, row{s.name, result, strings.Join(exits, ","), s.proves, took.Seconds(), n.count(Started), n.count(PodAdded)})
}

func (r *table) print(t *testing.T) {
	slices.SortFunc(r.rows, func(a, b row) int { return cmp.Compare(a.name, b.name) })
	var out strings.Builder
	for _, r := range r.rows {
		fmt.Fprintf(&out, "%-34s %-6s %5.1f s  %-10s %8d %5d  %s\n", r.name, r.result, r.seconds, r.exits, r.restarts, r.pods, r.proves)
	}
	t.Logf("%-34s %-6s %7s  %-10s %8s %5s  %s\n%s%d scenarios of %d",
		"scenario", "", "time", "exit", "restarts", "Pods", "proves", out.String(), len(r.rows), r.total)
}
