package read

import (
	"bytes"

	"auditpatch/internal/auditlog/event"
)

// worker reads units of a stream, one after the other. It has so many fields because
// nothing is made anew for a line.
type worker struct {
	*run
	stream  *stream
	buf     []byte
	e       event.Event
	search  search
	out     chan<- *batch
	b       *batch             // that is being filled
	home    chan *batch        // batches that were let go
	made    int                // how many there are
	most    int                // how many there may be
	at      place              // of the line
	prepare func(*event.Event) // nil without one
	half    bool               // it is the last one of a live file, and has no end
	seen    int64              // lines and wanted events of the last chunk
	hits    int64
	events  int64
	bytes   int64
}

// mostBatches is how many batches one worker may have. The consumer holds two at most,
// so that the worker on the unit that it waits for always has one to fill.
const mostBatches = 8

// batches is how many it has where there are so many workers.
func batches(workers int) int { return max(3, min(mostBatches, 16/workers)) }

func (w *worker) work(shared chan *batch) {
	defer w.wait.Done()
	for {
		u, ok := w.stream.take(w.run, shared != nil)
		if !ok {
			return
		}
		if w.out = u.out; shared != nil {
			w.out = shared
		}
		w.at = place{file: u.file, chunk: u.chunk}
		w.seen, w.hits = 0, 0
		w.read(u)
		w.flush()
		u.file.counted(u.chunk, w.at.line)
		w.counts.events.Add(w.events)
		w.counts.bytes.Add(w.bytes)
		w.events, w.bytes = 0, 0
		if shared == nil {
			close(u.out)
		}
	}
}

// lines looks at whole lines; the last one need not end.
func (w *worker) lines(text []byte) {
	w.search.begin(text, w.words)
	for s := 0; s < len(text); {
		end := bytes.IndexByte(text[s:], '\n')
		if end < 0 {
			end = len(text)
			w.half = w.at.file.live
		} else {
			end += s
		}
		line := text[s:end]
		w.at.line++
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if !w.search.passed(s, end) || !event.Usual(line) {
			w.line(line)
		} else {
			w.events++
			w.bytes += int64(len(line)) + 1
		}
		s = end + 1
	}
	w.half = false
}

// line looks at one line.
func (w *worker) line(line []byte) {
	w.seen++
	err := w.take(line)
	if err == nil {
		w.bytes += int64(len(line)) + 1
		return
	}
	switch {
	case len(bytes.TrimSpace(line)) == 0:
	case w.half:
		w.counts.half()
	default:
		w.odd(line, err)
	}
}

// take looks at the text of one event.
func (w *worker) take(text []byte) error {
	if w.Match == nil || w.hits*4 > w.seen {
		return w.keep(text, true)
	}
	if err := w.parse(&w.e, text, w.MatchFields); err != nil {
		return err
	}
	if !w.Match(&w.e) {
		w.events++
		return nil
	}
	return w.keep(text, false)
}

func (w *worker) parse(e *event.Event, text []byte, want event.Fields) error {
	if w.Strict {
		return e.ParseStrict(text, want)
	}
	return e.Parse(text, want)
}

// keep puts an event into the batch, if it is wanted.
func (w *worker) keep(text []byte, ask bool) error {
	if !w.fit(len(text)) {
		return nil // cancelled
	}
	b := w.b
	from := len(b.text)
	b.text = append(b.text, text...)
	e := &b.events[b.n]
	err := w.parse(e, b.text[from:len(b.text):len(b.text)], w.wanted)
	if err == nil && ask && w.Match != nil && !w.Match(e) {
		b.text = b.text[:from]
		w.events++
		return nil
	}
	if err == nil && w.Checked && !w.Strict {
		err = event.Check(e.JSON)
	}
	if err != nil {
		b.text = b.text[:from]
		return err
	}
	b.ids[b.n] = id(e)
	if w.prepare != nil {
		w.prepare(e)
	}
	b.n++
	w.hits++
	w.events++
	return nil
}

// fit makes room in the batch, and waits for one that was let go if need be. It is
// false when the run is cancelled.
func (w *worker) fit(n int) bool {
	if w.b != nil && w.b.room(n) {
		return true
	}
	w.flush()
	if w.b == nil {
		select {
		case w.b = <-w.home:
		default:
			if w.made < w.most {
				w.made++
				w.b = &batch{events: make([]event.Event, w.batch), ids: make([]uint64, w.batch), home: w.home}
				break
			}
			select {
			case w.b = <-w.home:
			case <-w.ctx.Done():
				return false
			}
		}
	}
	w.b.n, w.b.text = 0, w.b.text[:0]
	if size := max(n, w.sizes.text); cap(w.b.text) != size {
		w.b.text = make([]byte, 0, size)
	}
	return true
}

// flush hands the batch over.
func (w *worker) flush() {
	if w.b == nil || w.b.n == 0 {
		return
	}
	w.b.left = w.b.n
	select {
	case w.out <- w.b:
	case <-w.ctx.Done():
	}
	w.b = nil
}

// bad notes that the line cannot be read.
func (w *worker) bad(n int64, reason string) {
	p := w.at
	p.bytes, p.reason = n, reason
	w.counts.bad(p)
}
