//go:build !linux

package proc

import "errors"

// Abort is for Linux only, as nodes are.
func (h Host) Abort(Process, []Connection) error { return errors.ErrUnsupported }

// Kill is for Linux only, as nodes are.
func (h Host) Kill(Process) error { return errors.ErrUnsupported }
