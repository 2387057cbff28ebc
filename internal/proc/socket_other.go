//go:build !linux

package proc

import (
	"errors"
	"os"
)

// Abort is for Linux only, as nodes are.
func (h Host) Abort(Process, []Connection) error { return errors.ErrUnsupported }

// Kill is for Linux only, as nodes are.
func (h Host) Kill(Process) error { return errors.ErrUnsupported }

// Listener is not supported.
func (h Host) Listener(Process, int) (*os.File, error) { return nil, errors.ErrUnsupported }

// Descriptor is not supported.
func (h Host) Descriptor(Process, int) (*os.File, error) { return nil, errors.ErrUnsupported }
