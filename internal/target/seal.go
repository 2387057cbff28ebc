package target

import (
	"errors"
	"path"

	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/patch"
)

// LogSeal looks whether folder and file of a log are immutable, or can only be
// appended to: lost says that no event could be written, stuck that the log could not
// be rotated.
func (t *Target) LogSeal(now patch.Settings) (lost, stuck error) {
	file := path.Clean(now.Log.Host)
	for _, name := range []string{path.Dir(file), file} {
		var s *node.SealedError
		switch err := t.Node.Sealed(name); {
		case !errors.As(err, &s): // whoever may not look is told so when it is written
		case name == file && s.Appends:
			return nil, hint.Errorf(s.Remedy(), "the log cannot be rotated, and events are lost once it is full: %s", s.Why)
		default:
			return hint.Errorf(s.Remedy(), "the API server cannot write its log: %s", s.Why), nil
		}
	}
	return nil, nil
}
