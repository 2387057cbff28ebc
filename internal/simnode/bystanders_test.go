//go:build linux

package simnode

import (
	"fmt"
	"strings"
)

// bystander is a process that the program has to leave alone.
type bystander struct {
	name  string
	pid   int
	notes string
}

// bystand starts one: it notes signals and cut connections.
func (n *node) bystand(name string, c Command) {
	n.Helper()
	b := bystander{name: name, notes: fmt.Sprintf("/tmp/bystander-%d", len(n.bystanders))}
	c.Path, c.Bystander = selfPath, b.notes
	n.call("Start", c, &b.pid)
	n.bystanders = append(n.bystanders, b)
	n.eventually(name+" stands", func() bool { return strings.Contains(n.read(b.notes), "stands") })
}

// checkBystanders wants every one of them to live, and to have felt nothing.
func (n *node) checkBystanders() {
	n.Helper()
	for _, b := range n.bystanders {
		var now Result
		n.call("Look", b.pid, &now)
		if notes := n.read(b.notes); !now.Running || notes != "stands\n" {
			n.Errorf("%s: running %v, signal %q; it noted\n%s%s", b.name, now.Running, now.Signal, notes, now.Stderr)
		}
	}
}
