//go:build !linux

package rehearsal

import (
	"context"
	"errors"
	"os"
	"time"
)

const supported = false

const (
	stageName = "auditpatch-rehearsal"
	heldFD    = -1
)

// Stage does nothing on systems without namespaces.
func Stage([]string) {}

type instance struct {
	process   *os.Process
	output    tail
	ended     chan struct{}
	signalled bool
}

type tail struct{}

func (tail) String() string { return "" }

func start(context.Context, spec) (*instance, error) {
	return nil, errors.New("only Linux has namespaces")
}

func (*instance) hasEnded() bool { return true }

func (*instance) end(time.Duration) bool { return false }
