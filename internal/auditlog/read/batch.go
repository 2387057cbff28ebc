package read

import (
	"encoding/binary"
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
	// Both times: a client chooses its requests' IDs, and may have two end in one microsecond.
	var times [16]byte
	binary.LittleEndian.PutUint64(times[:8], uint64(e.Received))
	binary.LittleEndian.PutUint64(times[8:], uint64(e.Stamp))
	sum := uint64(0)
	for _, part := range [...][]byte{e.AuditID, e.Stage, e.Verb, e.RequestURI, times[:]} {
		sum = sum*odd + maphash.Bytes(seed, part) // each part counts in its place
	}
	if len(e.AuditID) == 0 {
		sum = sum*odd + maphash.Bytes(seed, e.JSON)
	}
	return sum
}

// odd has an inverse, so a product tells all that it is made from.
const odd = 0x9e3779b97f4a7c15
