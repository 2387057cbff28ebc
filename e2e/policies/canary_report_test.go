//go:build e2e

package policies

import (
	"fmt"
	"slices"
	"strings"
)

// canaryReport is the table of what was tried and what each policy recorded.
type canaryReport struct {
	names    []string            // of the policies
	rows     []string            // operations, in the order in which they were first done
	levels   map[string][]string // by operation, one for each policy
	requests int                 // of one policy
	canaries int                 // of one policy
	events   int
	leaks    int // canaries in logs that may have none
}

// letters are the levels in the table, as on the other pages.
var letters = map[string]string{"None": "-", "Metadata": "M", "Request": "Q", "RequestResponse": "R"}

// add notes a policy's levels. Operations of one name are of one level in any policy, or
// the row shows all of them.
func (c *canaryReport) add(name string, r *trial) {
	c.names = append(c.names, name)
	of := byID(r.events)
	column := map[string]string{}
	for _, op := range r.sent {
		if !slices.Contains(c.rows, op.name) {
			c.rows = append(c.rows, op.name)
		}
		if letter := letters[levelOf(of[op.id])]; !strings.Contains(column[op.name], letter) {
			column[op.name] += letter
		}
	}
	for _, step := range kubectlSteps {
		if row := "kubectl: " + step.name(); !slices.Contains(c.rows, row) {
			c.rows = append(c.rows, row)
		}
		column["kubectl: "+step.name()] = letters[levelOf(step.of(r.events))]
	}
	for _, row := range c.rows {
		for len(c.levels[row]) < len(c.names)-1 {
			c.levels[row] = append(c.levels[row], "")
		}
		c.levels[row] = append(c.levels[row], column[row])
	}
	c.requests, c.canaries, c.events = len(r.sent), len(r.canaries), c.events+len(r.events)
	if name != "control" && r.Failed() {
		for name := range r.shown {
			if !isQuoted(name) {
				c.leaks++
			}
		}
	}
}

// String is the table. Columns are numbered, for names are long.
func (c *canaryReport) String() string {
	var b strings.Builder
	b.WriteString("what was tried, and the level in the log: - none, M Metadata, Q Request, R RequestResponse\n")
	for i, name := range c.names {
		fmt.Fprintf(&b, "  %2d %s\n", i, name)
	}
	fmt.Fprintf(&b, "%-52s", "")
	for i := range c.names {
		fmt.Fprintf(&b, "%3d", i)
	}
	b.WriteByte('\n')
	for _, row := range c.rows {
		fmt.Fprintf(&b, "%-52s", row)
		for _, level := range c.levels[row] {
			fmt.Fprintf(&b, "%3s", level)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
