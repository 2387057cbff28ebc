package read

import "auditpatch/internal/auditlog/event"

// seen remembers the events that have been delivered last, by 64 bits that stand for
// each. It takes at most 4 MB.
type seen struct{ young, old set }

// Once knows the events that were delivered last, at least 200,000 of them.
type Once struct{ seen seen }

// Before says whether an event was delivered, and remembers it. It reads the fields of Identity.
func (o *Once) Before(e *event.Event) bool { return o.seen.before(id(e)) }

// mostYoung is how many events one generation has.
const mostYoung = 200_000

// slots are the places in one generation.
const slots = 1 << 18

// before says whether an event was seen, and remembers it.
func (s *seen) before(id uint64) bool {
	if id == 0 {
		id = 1 // 0 marks what is empty
	}
	if s.old.has(id) || !s.young.add(id) {
		return true
	}
	if s.young.n == mostYoung {
		s.young, s.old = s.old, s.young
		clear(s.young.slots)
		s.young.n = 0
	}
	return false
}

// set is a hash table of numbers that are random already.
type set struct {
	slots []uint64 // 0 is an empty one
	n     int
}

func (s *set) has(id uint64) bool {
	if s.n == 0 {
		return false
	}
	for i := id; ; i++ {
		switch s.slots[i%slots] {
		case id:
			return true
		case 0:
			return false
		}
	}
}

// add says whether the number is new.
func (s *set) add(id uint64) bool {
	if s.slots == nil {
		// At once: memory that nothing is written to costs nothing.
		s.slots = make([]uint64, slots)
	}
	for i := id; ; i++ {
		switch slot := &s.slots[i%slots]; *slot {
		case id:
			return false
		case 0:
			*slot = id
			s.n++
			return true
		}
	}
}
