package read

import (
	"hash/maphash"

	"auditpatch/internal/auditlog/event"
)

// batch is what a worker hands over at once: wanted events, and the text that they
// point into.
type batch struct {
	text   []byte
	events []event.Event
	ids    []uint64
	n      int // of events
	left   int // of events that have not been let go
	home   chan *batch
}

// release lets one event go, and with the last one the batch.
func (b *batch) release() {
	if b.left--; b.left == 0 {
		b.home <- b
	}
}

// room says whether a text fits in.
func (b *batch) room(n int) bool {
	return b.n < len(b.events) && len(b.text)+n <= cap(b.text)
}

// seed is new for each process, so that nobody can make events whose numbers are the
// same.
var seed = maphash.MakeSeed()

// id is a number for what tells an event from others.
func id(e *event.Event) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, s := range [...][]byte{e.AuditID, e.Stage, e.Verb, e.RequestURI} {
		_, _ = h.Write(s)
		_ = h.WriteByte(0xff)
	}
	for _, t := range [...]event.Time{e.Received, e.Stamp} {
		for range 8 {
			_ = h.WriteByte(byte(t))
			t >>= 8
		}
	}
	if len(e.AuditID) == 0 {
		_, _ = h.Write(e.JSON)
	}
	return h.Sum64()
}
