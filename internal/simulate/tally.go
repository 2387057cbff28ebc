package simulate

import (
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/auditlog/event"
)

// Count is a number of events and what they take.
type Count struct {
	Events int64
	Size
	// Derived is how many of Events stand for stages that the log has not, though it has
	// a later one of their request.
	Derived int64
}

func (c *Count) add(other Count) {
	c.Events += other.Events
	c.Bytes += other.Bytes
	c.Estimated += other.Estimated
	c.Rough += other.Rough
	c.Derived += other.Derived
}

// Tally counts the events of one policy, or of the log as it is.
type Tally struct {
	All    Count
	Rules  []Count // of each rule; none for the log as it is
	Levels map[audit.Level]Count
	Users  map[string]Count
	Others Count           // of users beyond the first 20,000
	Hours  map[int64]Count // by hours since 1970 in UTC
}

// side is one of what is counted side by side.
type side int

const (
	asLogged side = iota
	underNew
	underCurrent
	sides
)

// cell has the counts of all sides.
type cell [sides]Count

// counts are those of a worker, of all sides together, so that a user is looked up once.
type counts struct {
	all     cell
	rules   [sides][]Count
	levels  [4]cell // by levelOf
	users   map[string]*cell
	others  *cell
	hours   map[int64]*cell
	hour    int64 // the last one that was asked for, and its cell
	ofHour  *cell
	untimed cell
}

// mostUsers are counted by name: who can make names up must not fill the memory.
const mostUsers = 20_000

func newCounts(rules [sides]int) *counts {
	c := &counts{users: map[string]*cell{}, others: &cell{}, hours: map[int64]*cell{}}
	for s, n := range rules {
		c.rules[s] = make([]Count, n)
	}
	return c
}

// place is where an event is counted, on every side.
type place struct{ user, hour *cell }

// inHour is the cell of the hour of a time; what has no time is in none.
func (c *counts) inHour(t event.Time) *cell {
	if t == 0 {
		return &c.untimed
	}
	n := int64(t / hour)
	if t%hour < 0 {
		n-- // before 1970
	}
	if c.ofHour == nil || n != c.hour {
		if len(c.hours) == mostHours && c.hours[n] == nil {
			return &c.untimed
		}
		c.hour, c.ofHour = n, at(c.hours, n)
	}
	return c.ofHour
}

// mostHours are ten years, which a log has no more of.
const mostHours = 24 * 366 * 10

// levels in the order of what they write.
var levels = [4]audit.Level{audit.LevelNone, audit.LevelMetadata, audit.LevelRequest, audit.LevelRequestResponse}

// levelOf is the place of one of the levels.
func levelOf(level audit.Level) int {
	switch level {
	case audit.LevelMetadata:
		return 1
	case audit.LevelRequest:
		return 2
	case audit.LevelRequestResponse:
		return 3
	}
	return 0
}

func (c *counts) user(name string) *cell {
	if known, ok := c.users[name]; ok || len(c.users) >= mostUsers {
		if !ok {
			return c.others
		}
		return known
	}
	return at(c.users, clone(name))
}

func at[K comparable](of map[K]*cell, key K) *cell {
	known := of[key]
	if known == nil {
		known = &cell{}
		of[key] = known
	}
	return known
}

// add counts what is written; rule is -1 for none.
func (c *counts) add(s side, p place, rule int, level audit.Level, n Count) {
	c.all[s].add(n)
	if rule >= 0 && rule < len(c.rules[s]) {
		c.rules[s][rule].add(n)
	}
	c.levels[levelOf(level)][s].add(n)
	p.user[s].add(n)
	p.hour[s].add(n)
}

// tally is one side.
func (c *counts) tally(s side) *Tally {
	t := &Tally{All: c.all[s], Rules: c.rules[s], Levels: map[audit.Level]Count{}, Users: map[string]Count{}, Others: c.others[s], Hours: map[int64]Count{}}
	for i, level := range levels {
		if n := c.levels[i][s]; n != (Count{}) {
			t.Levels[level] = n
		}
	}
	keep(t.Users, c.users, s)
	keep(t.Hours, c.hours, s)
	return t
}

func keep[K comparable](to map[K]Count, from map[K]*cell, s side) {
	for key, of := range from {
		if of[s] != (Count{}) {
			to[key] = of[s]
		}
	}
}
