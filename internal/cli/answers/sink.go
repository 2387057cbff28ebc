package answers

import (
	"fmt"
	"sync"
	"time"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/auditlog/read"
)

// sink is standard output for an answer. It remembers that something was lost, which is said
// elsewhere, and takes a line of progress away before it prints to the same terminal.
type sink struct {
	*program
	progress *progress
	lost     error
}

func (s *sink) Write(text []byte) (int, error) {
	if s.progress != nil {
		s.progress.clear()
	}
	n, err := s.Stdout().Write(text)
	if err != nil && s.lost == nil {
		s.lost = err
	}
	return n, err
}

// progress is a line on the terminal that says how far reading has come.
type progress struct {
	*program
	mu          sync.Mutex
	off, shown  bool
	began, last time.Time
	width       int
}

const (
	// patience is how long nothing is said: most logs are read before.
	patience = time.Second
	// pace is how often the line changes.
	pace = 200 * time.Millisecond
)

// newProgress is silent unless people look at standard error, and see the log come to an end.
func (p *program) newProgress(ends bool) *progress {
	_, width := p.Terminals()
	return &progress{program: p, off: width == 0 || p.Quiet() || !ends || dumb(), began: time.Now(), width: width}
}

// show changes the line.
func (p *progress) show(at read.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.off || now.Sub(p.began) < patience || now.Sub(p.last) < pace {
		return
	}
	p.last, p.shown = now, true
	text := progressWords(at, now.Sub(p.began))
	if len(text) >= p.width {
		text = text[:max(p.width-1, 0)]
	}
	fmt.Fprintf(p.Stderr(), "\r\x1b[K%s", text)
}

// progressWords say how much is read, how fast, and how long the rest will take.
func progressWords(at read.Progress, since time.Duration) string {
	rate := float64(at.Bytes) / since.Seconds()
	text := auditlog.FormatSize(at.Bytes)
	if at.Total > 0 {
		text += " of " + auditlog.FormatSize(at.Total)
	}
	text += fmt.Sprintf(", %s/s", auditlog.FormatSize(int64(rate)))
	if left := at.Total - at.Bytes; at.Total > 0 && left > 0 && rate > 0 {
		text += fmt.Sprintf(", %s left", (time.Duration(float64(left) / rate * float64(time.Second))).Round(time.Second))
	}
	return text
}

// clear takes the line away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.Stderr(), "\r\x1b[K")
		p.shown = false
	}
}
