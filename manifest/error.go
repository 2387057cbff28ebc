package manifest

import (
	"fmt"

	"auditpatch/internal/hint"
)

// Error says why a manifest was refused, and where. Nothing has been changed
// when one is returned.
type Error struct {
	File   string // as given to Parse
	Line   int    // from 1; 0 when the reason concerns the whole file
	Col    int    // from 1, in characters
	Reason string // a phrase without a full stop
	Hint   hint.Hint
}

// Error is "file:line:col: reason".
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Reason)
}

// Remedy is the hint, as an error's method.
func (e *Error) Remedy() hint.Hint { return e.Hint }

// refuse is an *Error that does not know its file yet; Parse and Apply fill it in.
func refuse(line, col int, format string, args ...any) *Error {
	return &Error{Line: line, Col: col, Reason: fmt.Sprintf(format, args...)}
}

// hint adds what to do next.
func (e *Error) hint(format string, args ...any) *Error {
	e.Hint = hint.Words(format, args...)
	return e
}
