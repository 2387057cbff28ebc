package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"auditpatch/internal/hint"
)

// ErrUnfinished says that an earlier run was neither finished nor undone.
var ErrUnfinished error = &unfinishedError{}

type unfinishedError struct{}

func (*unfinishedError) Error() string { return "an earlier run is unfinished" }

// Remedy is what to type.
func (*unfinishedError) Remedy() hint.Hint { return hint.Command("recover") }

var (
	errNotAbsolute = errors.New("not an absolute path")
	errTooLarge    = errors.New("larger than 10 MiB")
	errDamaged     = errors.New("damaged")
)

// JournalError says that nobody can tell any more what an earlier run was
// doing: the journal Path, or the run that it names, cannot be used.
type JournalError struct {
	Path string // a path on the node; removing it forgets the run
	Err  error
}

func (e *JournalError) Error() string {
	return fmt.Sprintf("an earlier run was interrupted, and its journal %s cannot be used: %v", e.Path, e.Err)
}

func (e *JournalError) Unwrap() error { return e.Err }

// Remedy is what to type.
func (e *JournalError) Remedy() hint.Hint {
	remove := hint.Shell("rm %s", hint.Path(e.Path))
	if errors.Is(e.Err, syscall.EISDIR) {
		remove = hint.Shell("rm -r %s", hint.Path(e.Path))
	}
	return hint.Words("look at the manifest and the policy, then").Then(": ", remove)
}

// ChangedError says that a file is no longer what it was when it was read.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string { return e.Path + " changed since it was read" }

// Remedy is what to type.
func (e *ChangedError) Remedy() hint.Hint { return tryAgain }

var tryAgain = hint.Words("run the same command again")

// ChangedByOthersError lists files that were left alone because someone else has
// changed them since the run wrote them.
type ChangedByOthersError struct {
	Paths []string
	// Reverted says that someone has restored the earlier content.
	Reverted bool
}

func (e *ChangedByOthersError) Error() string {
	if e.Reverted {
		return "another program has put the earlier " + strings.Join(e.Paths, ", ") + " back: it manages this file"
	}
	return strings.Join(e.Paths, ", ") + ": changed by someone else in the meantime, left as it is"
}

// Remedy is what to type.
func (e *ChangedByOthersError) Remedy() hint.Hint {
	if !e.Reverted {
		return nil
	}
	return hint.Words("make the change in the program that writes the manifest, or stop that program").Then("; then: ", hint.Command("enable"))
}

// HalfwayError says that a run failed and that not everything could be rolled back.
// The old contents are in the backup ID.
type HalfwayError struct {
	ID   string
	Err  error // why the run failed
	Undo error // why it could not be undone
}

func (e *HalfwayError) Error() string {
	return fmt.Sprintf("%v; putting back from %s failed: %v", e.Err, e.ID, e.Undo)
}

func (e *HalfwayError) Unwrap() []error { return []error{e.Err, e.Undo} }

// LockedError says who holds the lock. PID is 0 when that is not known.
type LockedError struct {
	PID     int
	Purpose string
	Since   time.Time
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "locked by another process"
	}
	return fmt.Sprintf("locked by pid %d (%s, since %s)", e.PID, e.Purpose, e.Since.UTC().Format(time.RFC3339))
}

// Remedy is what to type.
func (e *LockedError) Remedy() hint.Hint { return tryAgain }

// multiError is several errors in one line.
type multiError []error

func (e multiError) Error() string {
	var texts []string
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(slices.Compact(texts), "; ")
}

func (e multiError) Unwrap() []error { return e }

// join returns nil when all errors are.
func join(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return multiError(errs)
}

// fail is the one form of our errors: what was done, to which path on the node,
// and the bare cause. The os package's own wrapping names paths below a file
// descriptor, which mean nothing to the reader.
func fail(op, path string, err error) error {
	return fmt.Errorf("%s %s: %w", op, path, bare(err))
}

func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	var s *os.SyscallError
	switch {
	case errors.As(err, &p):
		return bare(p.Err)
	case errors.As(err, &l):
		return bare(l.Err)
	case errors.As(err, &s):
		return bare(s.Err)
	}
	return err
}
