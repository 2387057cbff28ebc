package load

import (
	"testing"
	"time"
)

// TestPace wants the rate to be kept whatever the intervals are, and what came too late to be
// left out and counted.
func TestPace(t *testing.T) {
	start := time.Unix(100, 0)
	type look struct {
		after time.Duration
		due   int
	}
	for _, test := range []struct {
		name  string
		rate  int
		looks []look
		late  int
	}{
		{"even ticks", 500, []look{{0, 0}, {4 * time.Millisecond, 2}, {8 * time.Millisecond, 2}}, 0},
		{"fractions add up", 300, []look{{4 * time.Millisecond, 1}, {8 * time.Millisecond, 1}, {12 * time.Millisecond, 1}, {20 * time.Millisecond, 3}}, 0},
		{"a missed tick is made up for", 500, []look{{4 * time.Millisecond, 2}, {24 * time.Millisecond, 10}}, 0},
		{"a second without the processor is not", 500, []look{{time.Second, 50}, {1004 * time.Millisecond, 2}}, 450},
		{"the clock stands", 500, []look{{time.Millisecond * 10, 5}, {time.Millisecond * 10, 0}}, 0},
		{"less than catchUp a second", 1, []look{{time.Second, 1}, {1500 * time.Millisecond, 0}, {2 * time.Second, 1}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPace(test.rate, start)
			for _, l := range test.looks {
				if due := p.due(start.Add(l.after)); due != l.due {
					t.Errorf("after %s: %d are due, want %d", l.after, due, l.due)
				}
			}
			if p.late != test.late {
				t.Errorf("%d were left out, want %d", p.late, test.late)
			}
		})
	}
}
