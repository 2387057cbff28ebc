package load

import (
	"testing"
	"time"
)

// TestRun is about the times of a run with an outage from 3 s to 8 s, and a single request
// that failed before it.
func TestRun(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	r := Run{Began: at(0), Ended: at(10_000)}
	add := func(class Class, began, ended int) {
		r.Requests = append(r.Requests, Request{Class: class, Began: at(began), Ended: at(ended)})
	}
	for ms := 0; ms < 3000; ms += 10 {
		add(Acknowledged, ms, ms+5)
	}
	add(Throttled, 1000, 1001)
	for ms := 3000; ms < 8000; ms += 10 {
		add(Refused, ms, ms+1)
	}
	for ms := 8000; ms < 10_000; ms += 10 {
		add(Acknowledged, ms, ms+20)
	}

	if from, to := r.Outage(); !from.Equal(at(2995)) || !to.Equal(at(8020)) {
		t.Errorf("outage from %s to %s", from, to)
	}
	if from, to := r.Troubled(); !from.Equal(at(1000)) || !to.Equal(at(7991)) {
		t.Errorf("failures from %s to %s", from, to)
	}
	if rate := r.Rate(); rate != 100.1 {
		t.Errorf("%f requests/s", rate)
	}
	if c := r.Counts(); c[Acknowledged] != 500 || c[Refused] != 500 || c[Throttled] != 1 {
		t.Errorf("counts: %v", c)
	}
	if a, b := r.Latency(0.5), r.Latency(0.99); a != 5*time.Millisecond || b != 20*time.Millisecond {
		t.Errorf("latency: median %s, 99%% %s", a, b)
	}
	if part := r.Between(at(8000), at(10_000)); len(part.Requests) != 198 || part.Rate() != 99 {
		t.Errorf("%d requests in the last two seconds, %f/s", len(part.Requests), part.Rate())
	}
	if part := r.Sent(at(7995), at(10_000)); len(part.Requests) != 200 || part.Counts()[Refused] != 0 {
		t.Errorf("%d requests were sent in the last two seconds, %v", len(part.Requests), part.Counts())
	}
}
