package load

import "time"

// pace tells how many requests are due. It never slows down with the answers; only when the
// generator itself was not given the processor for a while are requests left out, for to send
// them all at once would be another load than the one asked for.
type pace struct {
	rate  int
	start time.Time
	given int // requests handed out or left out
	late  int // those left out
}

// catchUp is the share of a second's requests that may be sent at once.
const catchUp = 10

func newPace(rate int, start time.Time) *pace { return &pace{rate: rate, start: start} }

// due is the number of requests to send now.
func (p *pace) due(now time.Time) int {
	n := int(now.Sub(p.start)*time.Duration(p.rate)/time.Second) - p.given
	if n <= 0 {
		return 0
	}
	p.given += n
	most := max(p.rate/catchUp, 1)
	if n > most {
		p.late += n - most
	}
	return min(n, most)
}
