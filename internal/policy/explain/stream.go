package explain

import (
	"runtime"
	"strings"
	"sync"

	"auditpatch/internal/policy"
)

const (
	// partSize is what one goroutine looks into at a time; partsAhead are read and not
	// yet answered at most.
	partSize   = 16 << 10
	partsAhead = 16
	mostAtOnce = 4 // goroutines
)

// stream answers for the lines of one reader in their order, on several goroutines.
type stream struct {
	policy  *policy.Policy
	own     *reader // of the caller's goroutine, which looks into lines while it waits
	each    func(Event, Answer) error
	ahead   bool
	total   Total
	lines   int     // of the parts that were delivered
	begun   bool    // the first block was taken
	waiting []*part // in order, not yet delivered
	spare   []*part
	work    chan *part // nil while there is nobody to do it
	done    sync.WaitGroup
}

// part is some lines, and what came of them.
type part struct {
	block
	first    bool // of the stream
	lines    int  // that it has
	answered []answered
	none     []Unreadable // by their lines in the part
	ready    chan struct{}
}

// answered is an event and the answer to it.
type answered struct {
	event  Event
	answer Answer
}

// take has the lines of a block looked into, and calls each for what is done. When the
// next read may wait, that is all of it.
func (s *stream) take(b block) error {
	for several := len(b.text) > partSize || len(s.waiting) > 0; b != (block{}); {
		p := s.part()
		p.block, p.first, b = b, !s.begun, block{}
		s.begun = true
		if end := strings.IndexByte(p.text[min(partSize, len(p.text)):], '\n') + 1; end > 0 && several {
			p.text, b.text = p.text[:partSize+end], p.text[partSize+end:]
		}
		s.begin(p, several)
		if err := s.deliver(partsAhead - 1); err != nil {
			return err
		}
	}
	if s.ahead {
		return nil
	}
	return s.deliver(0)
}

// part is an empty one.
func (s *stream) part() *part {
	if n := len(s.spare); n > 0 {
		p := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return p
	}
	return &part{ready: make(chan struct{}, 1)}
}

// begin gives a part to whoever is free.
func (s *stream) begin(p *part, several bool) {
	s.waiting = append(s.waiting, p)
	n := min(runtime.GOMAXPROCS(0), mostAtOnce) - 1
	if !several || n == 0 {
		s.own.answer(p)
		return
	}
	if s.work == nil {
		s.work = make(chan *part, partsAhead)
		for range n {
			s.done.Go(func() {
				r := newReader(s.policy)
				for p := range s.work {
					r.answer(p)
				}
			})
		}
	}
	s.work <- p
}

// deliver calls each for the first parts, until no more than some are left.
func (s *stream) deliver(left int) error {
	for len(s.waiting) > left {
		p := s.waiting[0]
		s.wait(p)
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
		if err := s.hand(p); err != nil {
			return err
		}
		clear(p.answered)
		p.block, p.answered, p.none = block{}, p.answered[:0], p.none[:0]
		s.spare = append(s.spare, p)
	}
	return nil
}

// wait looks into parts that nobody has begun until one is ready.
func (s *stream) wait(p *part) {
	for {
		select {
		case <-p.ready:
			return
		default:
		}
		select {
		case <-p.ready:
			return
		case other := <-s.work: // never, where there is no other goroutine
			s.own.answer(other)
		}
	}
}

// hand calls each for the events of a part, and counts them.
func (s *stream) hand(p *part) error {
	none := p.none
	before := func(line int) {
		for len(none) > 0 && none[0].Line < line {
			s.total.unreadable(s.lines+none[0].Line, none[0].Reason)
			none = none[1:]
		}
	}
	for i := range p.answered {
		a := &p.answered[i]
		if len(none) > 0 {
			before(a.event.Line)
		}
		a.event.Line += s.lines
		s.total.Events++
		s.total.Bytes += a.event.Bytes
		if err := s.each(a.event, a.answer); err != nil {
			return err
		}
	}
	before(p.lines + 1)
	s.lines += p.lines
	return nil
}

// close ends the other goroutines. They have a few parts to do at most.
func (s *stream) close() {
	if s.work == nil {
		return
	}
	close(s.work)
	for range s.work { // nobody waits for these
	}
	s.done.Wait()
}

// reader looks into lines, on one goroutine.
type reader struct {
	answers *answers
	rebuild *rebuilder
	decided *decisions
}

func newReader(p *policy.Policy) *reader {
	return &reader{newAnswers(p), newRebuilder(), newDecisions(p)}
}

// answer does a part.
func (r *reader) answer(p *part) {
	p.lines = 0
	if p.long > 0 {
		p.lines = 1
		p.none = append(p.none, Unreadable{1, longLine(p.long)})
	}
	for rest := p.text; rest != ""; {
		line, n := rest, len(rest)
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			line, n = rest[:i], i+1
		}
		rest = rest[n:]
		if p.lines++; p.first && p.lines == 1 {
			line = strings.TrimPrefix(line, byteOrderMark)
		}
		if line == "" || line[0] != '{' && strings.TrimSpace(line) == "" {
			continue
		}
		p.answered = append(p.answered, answered{})
		a := &p.answered[len(p.answered)-1]
		if reason := r.rebuild.read(line, &a.event); reason != "" {
			p.none = append(p.none, Unreadable{p.lines, reason})
			p.answered = p.answered[:len(p.answered)-1]
			continue
		}
		a.event.Line, a.event.Bytes = p.lines, int64(n)
		a.answer = r.answers.of(r.decided.of(r.rebuild), r.rebuild.course())
	}
	p.ready <- struct{}{}
}
