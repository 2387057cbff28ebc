package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// Error says why a policy is refused. Its findings are sorted by position and
// there is at least one.
type Error struct {
	File     string
	Findings []Finding
}

// Finding is one fault. Line and Col count from 1, Col in characters.
type Finding struct {
	Line, Col int
	Field     string // path of the field, such as rules[0].level; empty when the file as a whole is meant
	Message   string // what is wrong, and what would come of it
	Hint      string // what to type; may be empty
	Ignored   bool   // kube-apiserver passes over it, and starts
}

// Error is the first finding with its position, and how many there are more.
func (e *Error) Error() string {
	if len(e.Findings) == 0 {
		return e.File + ": refused"
	}
	f := e.Findings[0]
	text := fmt.Sprintf("%s:%d:%d: %s", e.File, f.Line, f.Col, f.Message)
	switch more := len(e.Findings) - 1; more {
	case 0:
		return text
	case 1:
		return text + " (and 1 more finding)"
	default:
		return fmt.Sprintf("%s (and %d more findings)", text, more)
	}
}

// maxFindings bounds what one file can make us say.
const maxFindings = 100

// newError sorts the findings by position; the order among findings at one
// place stays.
func newError(file string, findings []Finding) *Error {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return &Error{File: file, Findings: findings[:min(len(findings), maxFindings)]}
}

// Remedy is the first finding's hint, and where to see the others.
func (e *Error) Remedy() string {
	if len(e.Findings) == 0 {
		return ""
	}
	hint := e.Findings[0].Hint
	if len(e.Findings) == 1 || e.File == "" {
		return hint
	}
	all := fmt.Sprintf("auditpatch policy lint --policy %s shows all %d findings", e.File, len(e.Findings))
	if hint == "" {
		return all
	}
	return hint + "; " + all
}
