// Package wait has what all waits have in common: how long they are, since tests
// make them faster, and how a signal ends them.
//
// Call [Scaled] for a length of time.
package wait

import (
	"errors"
	"strconv"
	"time"
)

// ErrInterrupted ends a wait on SIGINT and SIGTERM.
var ErrInterrupted = errors.New("interrupted")

// speed is how many times faster waits are than on a cluster. Tests that run the
// whole program beside a simulated kubelet set it when they link it
// (-ldflags=-X); a released program has none.
var speed string

// Scaled is a length of time at that speed.
func Scaled(d time.Duration) time.Duration {
	if n, err := strconv.Atoi(speed); err == nil && n > 1 {
		return d / time.Duration(n)
	}
	return d
}
