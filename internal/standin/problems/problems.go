// Package problems writes problems as text, for tests that compare them.
//
// Start with [Lines].
package problems

import (
	"strings"

	"auditpatch/patch/auditflags"
)

// Lines writes each problem as a line:
//
//	refuse|KIND flag,flag: message => hint
//
// "refuse" is what kube-apiserver refuses as well.
func Lines(kind string, problems []auditflags.Problem) []string {
	var lines []string
	for _, p := range problems {
		word := kind
		if p.Upstream {
			word = "refuse"
		}
		line := word + " " + strings.Join(p.Flags, ",") + ": " + p.Message
		if len(p.Hint) > 0 {
			line += " => " + p.Hint.String()
		}
		lines = append(lines, line)
	}
	return lines
}
