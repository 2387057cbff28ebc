package count

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/standin/auditevents"
)

func key(t *testing.T, name string) Key {
	t.Helper()
	for _, k := range Keys() {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("no key %s", name)
	return Key{}
}

// TestKeys has each key count the sample.
func TestKeys(t *testing.T) {
	for name, want := range map[string]string{
		"user":         "alice 4, carol 2",
		"group":        "system:authenticated 14, dev 6",
		"impersonated": " 15, bob 1",
		"verb":         "create 4, get 4",
		"resource":     "pods 6, secrets 2",
		"namespace":    "prod 9,  6",
		"name":         " 5, web-1 4",
		"code":         "200 7, 403 3",
		"failure":      " 11, Forbidden 3",
		"decision":     "allow 12, forbid 3",
		"source-ip":    "10.0.0.7 4, 10.0.0.1 3",
		"source-ips":   "10.0.0.7 4, 10.0.0.8 2",
		"program":      "kubectl 8, curl 2",
		"stage":        "ResponseComplete 13, ResponseStarted 2",
		"level":        "Metadata 15, Request 1",
		"url":          "/api/v1/namespaces/prod/pods/web-1/exec?command=sh&stdin=true&tty=true 2, /api/v1/namespaces/prod/pods/web-1 2",
	} {
		top := NewTop(key(t, name), 1)
		events, bytes := int64(0), int64(0)
		for _, e := range auditevents.Sample(t) {
			top.Add(e)
			events++
			bytes += int64(len(e.JSON))
		}
		var got []string
		for _, n := range top.Entries(2) {
			got = append(got, fmt.Sprintf("%s %d", n.Value, n.Events))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", name, strings.Join(got, ", "), want)
		}
		if top.Total != (Sum{events, bytes}) || top.Forgot {
			t.Errorf("%s: %+v", name, top.Total)
		}
		if name == "user" {
			if rest := top.Rest(top.Entries(2)); rest.Events != 10 {
				t.Errorf("rest %+v", rest)
			}
		}
	}
}

// TestBounded counts far more values than are kept: memory stays, no count is too high, none
// lacks more than it says, and no value is missing that has more than that.
func TestBounded(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	top := NewTop(key(t, "user"), mostEntries/64) // 64 entries
	exact := map[string]Sum{}
	var e event.Event
	for i := range 60000 {
		name := fmt.Sprintf("heavy-%d", r.Intn(8))
		switch r.Intn(4) {
		case 0:
			name = fmt.Sprintf("once-%d", i)
		case 1:
			name = fmt.Sprintf("seldom-%d", r.Intn(5000))
		}
		e = event.Event{JSON: make([]byte, 1+r.Intn(100)), User: event.Subject{Name: []byte(name)}}
		top.Add(&e)
		n := exact[name]
		exact[name] = Sum{n.Events + 1, n.Bytes + int64(len(e.JSON))}
		if len(top.entries) > 64 {
			t.Fatalf("%d entries", len(top.entries))
		}
	}
	if !top.Forgot {
		t.Fatal("nothing was forgotten")
	}
	kept := map[string]bool{}
	for _, n := range top.Entries(64) {
		want := exact[n.Value]
		if n.Events > want.Events || n.Events+n.Lacking.Events < want.Events || n.Bytes > want.Bytes || n.Bytes+n.Lacking.Bytes < want.Bytes {
			t.Errorf("%s: %+v, in truth %+v", n.Value, n, want)
		}
		kept[n.Value] = true
	}
	for name, n := range exact {
		if n.Events > top.floor.Events && !kept[name] {
			t.Errorf("%s with %d events is missing; at most %d may be", name, n.Events, top.floor.Events)
		}
	}
	for i := range 8 {
		if n := top.Entries(8)[i]; !strings.HasPrefix(n.Value, "heavy-") || n.Lacking.Events != 0 {
			t.Errorf("%d: %+v", i, n)
		}
	}
}

// TestLongKeys bounds what the keys take.
func TestLongKeys(t *testing.T) {
	top := NewTop(key(t, "user"), 1)
	for i := range 9000 {
		e := event.Event{User: event.Subject{Name: []byte(fmt.Sprintf("%d%s", i, strings.Repeat("x", 5000)))}}
		top.Add(&e)
		if top.size > mostSize+2*longest {
			t.Fatalf("keys take %d bytes", top.size)
		}
	}
}

// TestTimeline chooses a width, and loses nothing when it puts bars together.
func TestTimeline(t *testing.T) {
	const micro = int64(time.Second / time.Microsecond)
	begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		span  time.Duration
		every time.Duration
		want  time.Duration
		bars  int
	}{
		{time.Minute, 0, 5 * time.Second, 12},
		{30 * time.Second, 0, time.Second, 30},
		{time.Hour, 0, 5 * time.Minute, 12},
		{24 * time.Hour, 0, 30 * time.Minute, 48},
		{40 * 24 * time.Hour, 0, 24 * time.Hour, 40},
		{24 * time.Hour, 30 * time.Minute, 30 * time.Minute, 48},
		{24 * time.Hour, 7 * time.Hour, 7 * time.Hour, 4},
	} {
		line := NewTimeline(c.every)
		r := rand.New(rand.NewSource(2))
		n := 20000
		failed := int64(0)
		for i := range n {
			at := begin.UnixMicro() + int64(i)*int64(c.span/time.Microsecond)/int64(n)
			e := event.Event{Stamp: event.Time(at), JSON: make([]byte, 3)}
			if r.Intn(4) == 0 {
				e.Response.Code = 403
				failed++
			}
			if err := line.Add(&e); err != nil {
				t.Fatal(err)
			}
		}
		bars := line.Bars()
		var sum Bar
		for i, b := range bars {
			sum.Events, sum.Failed, sum.Bytes = sum.Events+b.Events, sum.Failed+b.Failed, sum.Bytes+b.Bytes
			if b.From.UnixMicro()%(int64(line.Width().Seconds())*micro) != 0 || i > 0 && !b.From.After(bars[i-1].From) {
				t.Errorf("%s: bar %d begins %s", c.span, i, b.From)
			}
		}
		if line.Width() != c.want || len(bars) < c.bars || len(bars) > c.bars+1 {
			t.Errorf("%s: %d bars of %s, want %d of %s", c.span, len(bars), line.Width(), c.bars, c.want)
		}
		if sum.Events != int64(n) || sum.Failed != failed || sum.Bytes != int64(3*n) {
			t.Errorf("%s: in all %+v", c.span, sum)
		}
	}
}

// TestTimelineFar has times that no log has: memory stays bounded all the same.
func TestTimelineFar(t *testing.T) {
	line := NewTimeline(0)
	r := rand.New(rand.NewSource(3))
	for range 30000 {
		e := event.Event{Stamp: event.Time(r.Int63n(1<<56) - 1<<55)}
		if err := line.Add(&e); err != nil {
			t.Fatal(err)
		}
		if len(line.bars) > mostBars {
			t.Fatalf("%d bars", len(line.bars))
		}
	}
	if n := len(line.Bars()); n > mostShown+1 {
		t.Errorf("%d bars", n)
	}
	// The width of all that a time can say has no double.
	line = NewTimeline(0)
	for _, year := range []int{2, 1970, 2026, 9999} {
		_ = line.Add(&event.Event{Stamp: event.Time(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC).UnixMicro())})
	}
	if bars := line.Bars(); line.Width() <= 0 || len(bars) < 3 || bars[0].From.Year() < 0 || !bars[0].From.Before(bars[1].From) {
		t.Errorf("%s: %v", line.Width(), bars)
	}
	fixed := NewTimeline(time.Second)
	var err error
	for i := 0; i <= mostBars && err == nil; i++ {
		err = fixed.Add(&event.Event{Stamp: event.Time(1e12 + int64(i)*1e6)})
	}
	if err == nil {
		t.Error("bars without end are no error")
	}
	_ = fixed.Add(&event.Event{})
	if fixed.Untimed != 1 {
		t.Errorf("%d without a time", fixed.Untimed)
	}
}

func BenchmarkTop(b *testing.B) {
	all := auditevents.Sample(b)
	top := NewTop(keys[0], 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		top.Add(all[i%len(all)])
	}
}
