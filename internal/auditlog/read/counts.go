package read

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// mostUnreadable is how many places of unreadable text are kept.
const mostUnreadable = 20

// counts are what a run has come across.
type counts struct {
	files              int
	wanted, duplicates int64 // the consumer's own
	bytes, events      atomic.Int64
	mu                 sync.Mutex
	unreadable         int64
	unfinished         int64
	first              []place
	failed             error
}

// place is where unreadable text stands.
type place struct {
	file   *file
	chunk  int64
	line   int64 // in the chunk, from 1
	bytes  int64
	reason string
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.file.order, o.file.order), cmp.Compare(p.chunk, o.chunk), cmp.Compare(p.line, o.line))
}

// bad notes unreadable text.
func (c *counts) bad(p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unreadable++
	if n := len(c.first); n == mostUnreadable && p.compare(c.first[n-1]) >= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(c.first, p, func(a, b place) int {
		if a.compare(b) <= 0 {
			return -1
		}
		return 1
	})
	c.first = slices.Insert(c.first, i, p)
	c.first = c.first[:min(len(c.first), mostUnreadable)]
}

// half notes a last line that is still being written.
func (c *counts) half() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unfinished++
}

// fail keeps the first error.
func (c *counts) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
}

func (c *counts) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// total is what has been counted, when nobody counts any more.
func (c *counts) total() Total {
	t := Total{Files: c.files, Bytes: c.bytes.Load(), Events: c.events.Load(), Wanted: c.wanted, Duplicates: c.duplicates, Unreadable: c.unreadable, Unfinished: c.unfinished}
	for _, p := range c.first {
		t.First = append(t.First, Unreadable{p.file.name, p.file.linesBefore(p.chunk) + p.line, p.bytes, p.reason})
	}
	return t
}
