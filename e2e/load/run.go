package load

import (
	"slices"
	"time"
)

// Run is what a load did, from Start to Stop.
type Run struct {
	Requests     []Request     // those that were made, in the order in which they ended
	Began, Ended time.Time     // of the sending
	Late         int           // not made: the generator was not given the processor in time
	Crowded      int           // not made: too many were under way
	CPU          time.Duration // of this process
	Watches      Watches
}

// Rate is the number of requests made in a second.
func (r *Run) Rate() float64 { return float64(len(r.Requests)) / r.Ended.Sub(r.Began).Seconds() }

// Between are the requests that ended between two instants, as a run of their own.
func (r *Run) Between(from, to time.Time) *Run {
	part := &Run{Began: from, Ended: to}
	for _, request := range r.Requests {
		if request.Ended.After(from) && request.Ended.Before(to) {
			part.Requests = append(part.Requests, request)
		}
	}
	return part
}

// Sent are the requests that were sent between two instants, as a run of their own.
func (r *Run) Sent(from, to time.Time) *Run {
	part := &Run{Began: from, Ended: to}
	for _, request := range r.Requests {
		if request.Began.After(from) && request.Began.Before(to) {
			part.Requests = append(part.Requests, request)
		}
	}
	return part
}

// Counts are the requests of each class.
func (r *Run) Counts() map[Class]int {
	counts := map[Class]int{}
	for _, request := range r.Requests {
		counts[request.Class]++
	}
	return counts
}

// Outage is the longest time in which no request was acknowledged: from the last answer
// before it to the first one after it.
func (r *Run) Outage() (from, to time.Time) {
	last := r.Began
	for _, request := range r.Requests {
		if request.Class != Acknowledged {
			continue
		}
		if request.Ended.Sub(last) > to.Sub(from) {
			from, to = last, request.Ended
		}
		last = request.Ended
	}
	return from, to
}

// Troubled is the time from the beginning of the first failed request to the end of the last.
func (r *Run) Troubled() (from, to time.Time) {
	for _, request := range r.Requests {
		if request.Class == Acknowledged {
			continue
		}
		if from.IsZero() || request.Began.Before(from) {
			from = request.Began
		}
		if request.Ended.After(to) {
			to = request.Ended
		}
	}
	return from, to
}

// Latency is the time that the given share of the acknowledged requests took at most.
func (r *Run) Latency(share float64) time.Duration {
	var all []time.Duration
	for _, request := range r.Requests {
		if request.Class == Acknowledged {
			all = append(all, request.Ended.Sub(request.Began))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(share*float64(len(all))), len(all)-1)]
}
