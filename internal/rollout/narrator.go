package rollout

import (
	"fmt"
	"sync"
	"time"
)

// narrator tells people of the steps of a change. Several goroutines may have it
// tell something.
type narrator struct {
	start time.Time // of the change: steps are timed, and logs read, from here
	say   func(Progress)

	mu   sync.Mutex
	told time.Time // when something was told last
}

// newNarrator tells say, which may be nil, of a change that began at start.
func newNarrator(start time.Time, say func(Progress)) *narrator {
	if say == nil {
		say = func(Progress) {}
	}
	return &narrator{start: start, say: say, told: time.Now()}
}

// stepf tells of a step.
func (n *narrator) stepf(step, format string, a ...any) { n.quotef(step, "", format, a...) }

// quotef tells of a step, and what the API server said.
func (n *narrator) quotef(step, detail, format string, a ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = time.Now()
	n.say(Progress{Step: step, Text: fmt.Sprintf(format, a...), After: time.Since(n.start), Detail: detail})
}

// silence is for how long nothing was told.
func (n *narrator) silence() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Since(n.told)
}

// heartbeat tells every now and then that something goes on, until the function
// that it returns is called.
func (n *narrator) heartbeat(step, format string, a ...any) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(silentFor)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				n.stepf(step, format, a...)
			}
		}
	}()
	return func() { close(quit); <-done }
}
