package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"auditpatch/internal/hint"
)

// Error says why a policy is refused. Its findings are sorted by position and
// there is at least one.
type Error struct {
	File     string
	OnNode   bool // File is a path on the node, and not on this machine
	Findings []Finding
}

// Finding is one fault. Line and Col count from 1, Col in characters.
type Finding struct {
	Line, Col int
	Field     string // path of the field, such as rules[0].level; empty when the file as a whole is meant
	Message   string // what is wrong, and what would come of it
	Hint      string // what to write in its place; may be empty
	Ignored   bool   // kube-apiserver passes over it, and starts
	Kind      Kind   // what kind of fault it is, for whoever counts or looks them up
}

// Kind is a kind of fault; empty for what has none of its own.
type Kind string

// The kinds of faults that [Load] and CheckTarget find.
const (
	NotYAML        Kind = "not-yaml"        // no parser reads the text
	SecondDocument Kind = "second-document" // content that the API server never reads
	NotPolicy      Kind = "not-a-policy"    // empty, or of another kind or version
	UnknownField   Kind = "unknown-field"
	DuplicateKey   Kind = "duplicate-key"
	WrongType      Kind = "wrong-type"
	NoRules        Kind = "no-rules"
	BadLevel       Kind = "bad-level" // unknown or missing
	BadStage       Kind = "bad-stage"
	BadGroup       Kind = "bad-group"  // not the name of an API group
	LoneNames      Kind = "lone-names" // resourceNames without resources
	MixedRule      Kind = "mixed-rule" // resources and paths in one rule
	BadURL         Kind = "bad-url"
	TooNew         Kind = "too-new-for-target" // the version that is asked for does not know it
)

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

// OnNode says of an error that its file lies on the node.
func OnNode(err error) error {
	var own *Error
	if errors.As(err, &own) {
		own.OnNode = true
	}
	return err
}

// Remedy is the first finding's hint, and where to see the others.
func (e *Error) Remedy() hint.Hint {
	if len(e.Findings) == 0 {
		return nil
	}
	var first hint.Hint
	if words := e.Findings[0].Hint; words != "" {
		first = hint.Words("%s", words)
	}
	if len(e.Findings) == 1 || e.File == "" {
		return first
	}
	all := hint.Command("policy lint").Spaced("policy", e.file()).Note(fmt.Sprintf("shows all %d findings", len(e.Findings)))
	return first.Then("; ", all)
}

// file is what the flag --policy takes for the file.
func (e *Error) file() any {
	switch {
	case e.OnNode:
		return hint.Path(e.File)
	case e.File == "<stdin>":
		return "-"
	}
	return e.File
}
