package simulate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
)

// Report is what a replay has found. It has so many fields because it answers as many
// questions.
type Report struct {
	Read  read.Total
	First time.Time // when the first event was made, and the last one; zero without events
	Last  time.Time
	Logs  int // how many there are, each of an API server
	// Log is what was recorded, New and Current what the policies would have written of it.
	// Current is nil without one.
	Log, New, Current *Tally
	// Otherwise is how many events the current policy would not have written as they
	// stand in the log. Where there are none, it is the one that recorded the log.
	Otherwise int64
	Ratio     Ratio
	// Undecided are events that lack what policies look at; they are counted nowhere.
	Undecided int64
	// Unknown is what the numbers leave out, or rest on, a sentence each.
	Unknown []string
}

// report puts together what was counted.
func (r *replay) report(total read.Total, filesOnly bool) *Report {
	w := r.counter
	out := &Report{
		Read: total, Logs: len(r.Logs), First: goTime(w.times.first), Last: goTime(w.times.last),
		Log: w.counts.tally(asLogged), New: w.counts.tally(underNew), Otherwise: w.otherwise, Undecided: w.unread,
	}
	if r.Current != nil {
		out.Current = w.counts.tally(underCurrent)
	}
	packed := false
	if out.Ratio, packed = packedRatio(r.Logs); !packed {
		out.Ratio = r.sample.ratio()
	}
	out.Unknown = (&unknown{r, w, out, filesOnly}).sentences()
	return out
}

func goTime(t event.Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return t.Go()
}

// Span is the time from the first event to the last.
func (r *Report) Span() time.Duration { return r.Last.Sub(r.First) }

// recorded is the policy that recorded the log, as far as that shows: nil when it is not
// known.
func (r *Report) recorded(current *policy.Policy) *policy.Policy {
	if !r.RecordedByCurrent() {
		return nil
	}
	return current
}

// RecordedByCurrent tells whether the current policy writes each event of the log as it
// stands there, and hardly any that the log has not.
func (r *Report) RecordedByCurrent() bool {
	return r.Current != nil && r.Otherwise == 0 && r.Log.All.Events > 0 && r.Current.All.Derived*100 <= r.Log.All.Events
}

// Bucket is what was written in an hour or a day.
type Bucket struct {
	Start time.Time
	Count
}

// ByHour are the hours of a tally that have events, in order.
func (t *Tally) ByHour() []Bucket { return t.buckets(1) }

// ByDay are the days, in UTC.
func (t *Tally) ByDay() []Bucket { return t.buckets(24) }

func (t *Tally) buckets(hours int64) (out []Bucket) {
	sums := map[int64]Count{}
	for hour, c := range t.Hours {
		plus(sums, int64(math.Floor(float64(hour)/float64(hours)))*hours, c)
	}
	for _, start := range slices.Sorted(maps.Keys(sums)) {
		out = append(out, Bucket{time.Unix(start*3600, 0).UTC(), sums[start]})
	}
	return out
}

// Gaps says that the log has nothing of most of the time that it covers, by which a rate is
// too small; "" where it does not.
func (r *Report) Gaps() string {
	hours, with := int64(r.Span().Hours())+1, int64(len(r.Log.Hours))
	if hours <= 48 || with*4 > hours {
		return ""
	}
	return fmt.Sprintf("the log has events in %s of the %d that it covers: a clock was wrong, or it is of several times; its rate is reckoned over all of them", counted(with, "hour"), hours)
}

func plus[K comparable](of map[K]Count, key K, c Count) {
	known := of[key]
	known.add(c)
	of[key] = known
}
