package read

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"auditpatch/internal/auditlog/event"
)

// sizes are the bounds of what is held in memory.
type sizes struct {
	workers int // of a single log
	chunk   int // bytes that a worker reads at once
	text    int // bytes of text in one batch
	batch   int // events in one batch
	longest int // bytes of a line
}

// usually are the sizes for real logs.
var usually = sizes{
	workers: min(runtime.GOMAXPROCS(0), 6),
	chunk:   256 << 10,
	text:    128 << 10,
	batch:   128,
	longest: 16 << 20, // as follow has it
}

// run is one call of Events.
type run struct {
	sizes
	plan
	ctx    context.Context
	cancel context.CancelFunc
	done   atomic.Int64 // bytes on disk
	all    int64        // 0 when it is not known
	counts counts
	wait   sync.WaitGroup
}

// plan is a query, prepared.
type plan struct {
	Query
	wanted event.Fields // of a wanted event
	words  []pair       // that a line must have one of; none switch the search off
}

// Identity is what tells events apart.
const Identity = event.WantAuditID | event.WantStage | event.WantVerb | event.WantRequestURI | event.WantReceived | event.WantStamp

func newPlan(q Query) plan {
	return plan{Query: q, wanted: q.Fields | q.MatchFields | Identity, words: words(q)}
}

func (s sizes) run(ctx context.Context, logs []Log, q Query, each func(*event.Event) error) (Total, error) {
	if !q.Unordered {
		s = s.among(len(logs))
	}
	r := &run{sizes: s, plan: newPlan(q)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	streams, err := r.open(logs)
	if err != nil {
		return r.counts.total(), err
	}
	var c consumer
	if q.Unordered {
		c = newAnyOrder(r, streams)
	} else {
		c = newMerge(r, streams)
	}
	err = r.consume(ctx, c, each)
	r.cancel()
	r.wait.Wait()
	closeAll(streams)
	t := r.counts.total()
	if err == nil {
		err = r.counts.err()
	}
	if ctx.Err() != nil {
		t.Cut = true
		if err == ctx.Err() {
			err = nil
		}
	}
	return t, err
}

// among shares the memory among several logs, which are all read at once.
func (s sizes) among(logs int) sizes {
	if logs > 1 {
		s.workers = max(1, s.workers/logs)
	}
	for n := 4; n < logs && s.chunk > 32<<10; n *= 2 {
		s.chunk /= 2
		s.text /= 2
		s.batch /= 2
	}
	return s
}

// consumer yields events in its order. The one that next returned is let go with the
// next call. nil is the end.
type consumer interface {
	next() (*event.Event, uint64)
}

// consume calls each.
func (r *run) consume(ctx context.Context, c consumer, each func(*event.Event) error) error {
	var once seen
	last := time.Now()
	for n := 0; ; n++ {
		e, id := c.next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if e == nil {
			break
		}
		if n%64 == 0 && time.Since(last) > progressEvery {
			last = time.Now()
			r.report()
		}
		if once.before(id) {
			r.counts.duplicates++
			continue
		}
		r.counts.wanted++
		if err := each(e); err != nil {
			return err
		}
	}
	r.report()
	return nil
}

const progressEvery = 100 * time.Millisecond

func (r *run) report() {
	if r.Progress != nil {
		r.Progress(Progress{r.done.Load(), r.all})
	}
}

// receive waits for a batch, and reports progress meanwhile. It returns nil at the end.
func (r *run) receive(from <-chan *batch) *batch {
	select {
	case b := <-from:
		return b
	default:
	}
	tick := time.NewTimer(progressEvery)
	defer tick.Stop()
	for {
		select {
		case b := <-from:
			return b
		case <-r.ctx.Done():
			return nil
		case <-tick.C:
			r.report()
			tick.Reset(progressEvery)
		}
	}
}
