package count

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"auditpatch/internal/auditlog/event"
)

// Bar is what happened in a while.
type Bar struct {
	From   time.Time
	Events int64
	Failed int64 // of them: status 400 and above, and panics
	Bytes  int64
}

// Timeline counts events by time.
type Timeline struct {
	Untimed int64 // events that have no time
	width   time.Duration
	fixed   bool
	bars    map[int64]*Bar // by the number of the bar since 1970
}

const (
	// mostBars are kept, and mostShown are made of them at the end.
	mostBars  = 2048
	mostShown = 48
)

// steps are the widths that a timeline chooses from, each a multiple of the one before.
var steps = []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute,
	30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour}

// NewTimeline counts by whiles of a length, or by one that fits if it is 0.
func NewTimeline(every time.Duration) *Timeline {
	t := &Timeline{width: every, fixed: every > 0, bars: map[int64]*Bar{}}
	if !t.fixed {
		t.width = steps[0]
	}
	return t
}

// Fields are those that Add reads.
func (t *Timeline) Fields() event.Fields {
	return event.WantStamp | event.WantResponse | event.WantStage
}

// Add counts an event. The error is about more bars than there can be.
func (t *Timeline) Add(e *event.Event) error {
	if e.Stamp == 0 {
		t.Untimed++
		return nil
	}
	at := number(int64(e.Stamp), t.width)
	b := t.bars[at]
	if b == nil {
		if len(t.bars) >= mostBars {
			if t.fixed {
				return fmt.Errorf("more than %d times %s", mostBars, t.width)
			}
			t.widen(next(t.width))
			return t.Add(e)
		}
		b = &Bar{}
		t.bars[at] = b
	}
	b.Events++
	b.Bytes += int64(len(e.JSON))
	if e.Response.Code >= 400 || string(e.Stage) == "Panic" {
		b.Failed++
	}
	return nil
}

// number is which bar a time in microseconds belongs to.
func number(micros int64, width time.Duration) int64 {
	w := width.Microseconds()
	n := micros / w
	if micros%w < 0 {
		n--
	}
	return n
}

// next is the next wider step.
func next(width time.Duration) time.Duration {
	for _, s := range steps {
		if s > width {
			return s
		}
	}
	return 2 * width
}

// widen puts bars together.
func (t *Timeline) widen(width time.Duration) {
	old, times := t.bars, t.width.Microseconds()
	t.width, t.bars = width, map[int64]*Bar{}
	for n, b := range old {
		at := number(n*times, width)
		into := t.bars[at]
		if into == nil {
			into = &Bar{}
			t.bars[at] = into
		}
		into.Events, into.Failed, into.Bytes = into.Events+b.Events, into.Failed+b.Failed, into.Bytes+b.Bytes
	}
}

// Width is how long a bar is.
func (t *Timeline) Width() time.Duration { return t.width }

// Bars are those with events, in their order. Without a fixed length they are made so long that
// those from the first to the last, with the empty ones between, are not too many to look at; or
// as long as they can be, where a damaged time is thousands of years away.
func (t *Timeline) Bars() []Bar {
	order := slices.Sorted(maps.Keys(t.bars))
	for !t.fixed && len(order) > 0 && t.width <= math.MaxInt64/2 && order[len(order)-1]-order[0] >= mostShown {
		t.widen(next(t.width))
		order = slices.Sorted(maps.Keys(t.bars))
	}
	bars := make([]Bar, 0, len(order))
	for _, n := range order {
		b := *t.bars[n]
		b.From = time.UnixMicro(n * t.width.Microseconds()).UTC()
		if b.From.Year() < 0 { // JSON has no such years, and no event is of one
			b.From = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		bars = append(bars, b)
	}
	return bars
}
