package rollout

import (
	"errors"
	"strconv"
	"time"
)

// speed is how many times faster the waits of this package are than on a
// cluster. Tests that run the whole program beside a simulated kubelet set it
// when they link it (-ldflags=-X); a released program has none.
var speed string

// ErrInterrupted ends a wait on SIGINT and SIGTERM.
var ErrInterrupted = errors.New("interrupted")

// paced is a wait at that speed.
func paced(d time.Duration) time.Duration {
	if n, err := strconv.Atoi(speed); err == nil && n > 1 {
		return d / time.Duration(n)
	}
	return d
}
