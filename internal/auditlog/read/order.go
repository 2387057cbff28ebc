package read

import (
	"cmp"
	"slices"

	"auditpatch/internal/auditlog/event"
)

// ref is an event in a batch.
type ref struct {
	key event.Time // its stamp, or that of the one before
	in  *batch
	i   int
}

// cursor yields the events of one log in the order of time, as far as two batches
// reach.
type cursor struct {
	r      *run
	stream *stream
	unit   *unit
	ready  []ref // the next ones
	rest   []ref // sorted, of the batch that came last
	spare  []ref // memory for the next rest
	sorted []ref // and for what is ready
	last   event.Time
	ended  bool
}

// head is the next event, nil at the end.
func (c *cursor) head() *ref {
	for len(c.ready) == 0 {
		if c.ended {
			if len(c.rest) == 0 {
				return nil
			}
			c.ready, c.rest = c.rest, nil
			break
		}
		c.more()
	}
	return &c.ready[0]
}

// more takes a batch in. The events of the batch before it have waited long enough.
func (c *cursor) more() {
	b := c.batch()
	if b == nil {
		c.ended = true
		return
	}
	sorted := c.sorted[:0]
	fresh := c.spare[:0]
	for i := range b.n {
		if at := b.events[i].Stamp; at != 0 {
			c.last = at
		}
		fresh = append(fresh, ref{c.last, b, i})
	}
	byKey := func(a, b ref) int { return cmp.Compare(a.key, b.key) }
	if !slices.IsSortedFunc(fresh, byKey) {
		slices.SortStableFunc(fresh, byKey)
	}
	old := c.rest
	n := 0
	for len(old) > 0 {
		if n < len(fresh) && fresh[n].key < old[0].key {
			sorted = append(sorted, fresh[n])
			n++
		} else {
			sorted = append(sorted, old[0])
			old = old[1:]
		}
	}
	c.ready, c.sorted = sorted, sorted
	c.spare = c.rest
	c.rest = fresh[n:]
}

// batch waits for the log's next batch, nil at the end.
func (c *cursor) batch() *batch {
	for {
		if c.unit == nil {
			if c.unit = c.stream.unit(c.r); c.unit == nil {
				return nil
			}
		}
		if b := c.r.receive(c.unit.out); b != nil {
			return b
		}
		if c.r.ctx.Err() != nil {
			return nil
		}
		c.unit = nil
	}
}

// merge yields the events of several logs in the order of time.
type merge struct {
	logs []*cursor
	last *batch // of the event that was returned
}

func newMerge(r *run, streams []*stream) *merge {
	m := &merge{}
	for _, s := range streams {
		s.start(r, nil, len(streams))
		m.logs = append(m.logs, &cursor{r: r, stream: s})
	}
	return m
}

func (m *merge) next() (*event.Event, uint64) {
	if m.last != nil {
		m.last.release()
		m.last = nil
	}
	var from *cursor
	var first *ref
	for _, c := range m.logs {
		if h := c.head(); h != nil && (first == nil || h.key < first.key) {
			from, first = c, h
		}
	}
	if first == nil {
		return nil, 0
	}
	at := *first
	from.ready = from.ready[1:]
	m.last = at.in
	return &at.in.events[at.i], at.in.ids[at.i]
}

// anyOrder yields events as they come.
type anyOrder struct {
	r   *run
	out chan *batch
	b   *batch
	i   int
}

func newAnyOrder(r *run, streams []*stream) *anyOrder {
	a := &anyOrder{r: r, out: make(chan *batch, 4)}
	all := joined(streams)
	all.start(r, a.out, 1)
	go func() {
		r.wait.Wait()
		close(a.out)
	}()
	return a
}

func (a *anyOrder) next() (*event.Event, uint64) {
	if a.b != nil {
		a.i++
		over := a.i == a.b.n // with the last event the batch goes back
		a.b.release()
		if !over {
			return &a.b.events[a.i], a.b.ids[a.i]
		}
		a.b = nil
	}
	if a.b = a.r.receive(a.out); a.b == nil {
		return nil, 0
	}
	a.i = 0
	return &a.b.events[0], a.b.ids[0]
}
