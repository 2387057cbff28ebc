// Package hint gives errors something to type.
//
// Call [Errorf] for a new error, and [Of] for what to type after any.
package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Remedier is an error that knows what to type next, "" when nothing is known.
type Remedier interface {
	error
	Remedy() string
}

// Error is an error with something to type.
type Error struct {
	Reason string
	Hint   string
}

func (e *Error) Error() string { return e.Reason }

// Remedy is the hint.
func (e *Error) Remedy() string { return e.Hint }

// Errorf is an error with something to type.
func Errorf(hint, format string, a ...any) error {
	return &Error{fmt.Sprintf(format, a...), hint}
}

// New is an error with something to type, whose text never changes.
func New(hint, reason string) error { return &Error{reason, hint} }

// Of is what to type after an error: what the outermost error says that knows, and
// "" when none does.
func Of(err error) string {
	if remedy := of(err); remedy != "" || !errors.Is(err, fs.ErrPermission) {
		return remedy
	}
	if os.Geteuid() == 0 {
		return "lsattr -d on that path and its folder: chattr -i lets it be changed"
	}
	return "run it as root: sudo auditpatch ..."
}

// of looks through the tree of wrapped errors, as errors.As does.
func of(err error) string {
	if r, ok := err.(Remedier); ok {
		if remedy := r.Remedy(); remedy != "" {
			return remedy
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return of(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			if remedy := of(inner); remedy != "" {
				return remedy
			}
		}
	}
	return ""
}
