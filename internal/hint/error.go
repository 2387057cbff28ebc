package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Remedier is an error that knows what to type next, nil when nothing is known.
type Remedier interface {
	error
	Remedy() Hint
}

// Error is an error with something to type.
type Error struct {
	Reason string
	Hint   Hint
}

func (e *Error) Error() string { return e.Reason }

// Remedy is the hint.
func (e *Error) Remedy() Hint { return e.Hint }

// Errorf is an error with something to type.
func Errorf(h Hint, format string, a ...any) error {
	return &Error{fmt.Sprintf(format, a...), h}
}

// New is an error with something to type, whose text never changes.
func New(h Hint, reason string) error { return &Error{reason, h} }

// Of is what to type after an error: what the outermost error says that knows, and
// nil when none does.
func Of(err error) Hint {
	if remedy := of(err); len(remedy) > 0 || !errors.Is(err, fs.ErrPermission) {
		return remedy
	}
	if os.Geteuid() == 0 {
		return Words("lsattr -d on that path and its folder: chattr -i lets it be changed")
	}
	return Words("run it as root: sudo auditpatch ...")
}

// of looks through the tree of wrapped errors, as errors.As does.
func of(err error) Hint {
	if r, ok := err.(Remedier); ok {
		if remedy := r.Remedy(); len(remedy) > 0 {
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
			if remedy := of(inner); len(remedy) > 0 {
				return remedy
			}
		}
	}
	return nil
}
