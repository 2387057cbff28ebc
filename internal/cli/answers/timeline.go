package answers

import (
	"fmt"
	"math"
	"strings"
	"time"

	"auditpatch/internal/answer/count"
)

// countReport is the JSON of --top and --timeline.
type countReport struct {
	Changed  bool            `json:"changed"` // always false
	Top      []topReport     `json:"top"`
	Timeline *timelineReport `json:"timeline,omitempty"`
	Total    summary         `json:"total"`
}

type topReport struct {
	Key       string     `json:"key"`
	Values    []topEntry `json:"values"`
	Others    count.Sum  `json:"others"`    // of the values that are not listed
	Different int        `json:"different"` // values that there are, at least
	Exact     bool       `json:"exact"`     // no count lacks anything
	All       count.Sum  `json:"all"`
}

type topEntry struct {
	Value         string  `json:"value"`
	Events        int64   `json:"events"`
	Bytes         int64   `json:"bytes"`
	Share         float64 `json:"share"`         // of the events
	LackingAtMost int64   `json:"lackingAtMost"` // events that may not be counted
}

type timelineReport struct {
	Seconds int64       `json:"seconds"` // of each bar
	Bars    []barReport `json:"bars"`    // those with events
	Untimed int64       `json:"untimed"` // events that have no time
}

type barReport struct {
	From   time.Time `json:"from"`
	Events int64     `json:"events"`
	Failed int64     `json:"failed"`
	Bytes  int64     `json:"bytes"`
}

func (c *counts) report() countReport {
	r := countReport{Top: []topReport{}, Total: c.summary}
	for _, t := range c.tops {
		shown := t.Entries(c.limit)
		top := topReport{t.Key.Name, []topEntry{}, t.Rest(shown), t.Different(), !t.Forgot, t.Total}
		for _, n := range shown {
			top.Values = append(top.Values, topEntry{n.Value, n.Events, n.Bytes, float64(n.Events) / float64(max(t.Total.Events, 1)), n.Lacking.Events})
		}
		r.Top = append(r.Top, top)
	}
	if c.timeline != nil {
		r.Timeline = &timelineReport{Bars: []barReport{}, Untimed: c.timeline.Untimed}
		for _, b := range c.timeline.Bars() {
			r.Timeline.Bars = append(r.Timeline.Bars, barReport(b))
		}
		r.Timeline.Seconds = int64(c.timeline.Width().Seconds())
	}
	return r
}

// bars prints the timeline for people.
func (c *counts) bars() {
	bars := c.timeline.Bars()
	width, _ := c.Terminals()
	if width == 0 {
		width = 100
	}
	most := int64(1)
	for _, b := range bars {
		most = max(most, b.Events)
	}
	room := max(width-20-len(number(most))-26, 10)
	colored := width > 0 && colors()
	if out, _ := c.Terminals(); out == 0 {
		colored = false
	}
	var before time.Time
	for i, b := range bars {
		if i > 0 {
			c.gap(before, b.From)
		}
		before = b.From
		c.bar(b, most, room, colored)
	}
	if len(bars) > 0 {
		c.Printf("each bar is %s; ▒ failed: status 400 and above, and panics", span(c.timeline.Width()))
	}
	if c.timeline.Untimed > 0 {
		c.Say("warning", plural(c.timeline.Untimed, "event")+" without a time that can be read")
	}
}

// mostEmpty are as many empty bars as are printed one by one.
const mostEmpty = 5

// gap prints the empty bars between two.
func (c *counts) gap(from, to time.Time) {
	w := c.timeline.Width()
	each := int64(w / time.Second)
	if n := (to.Unix()-from.Unix())/each - 1; n > mostEmpty {
		fmt.Fprintf(c.to, "...                  nothing for %s\n", spanOf(n*each))
		return
	}
	for at := from.Add(w); at.Before(to); at = at.Add(w) {
		fmt.Fprintln(c.to, c.at(at))
	}
}

func (c *counts) at(t time.Time) string {
	return t.In(c.zone()).Format("2006-01-02 15:04:05")
}

func (c *counts) bar(b count.Bar, most int64, room int, colored bool) {
	cells := func(n int64) int {
		if n == 0 {
			return 0
		}
		return max(int(n*int64(room)/most), 1)
	}
	failed := strings.Repeat("▒", cells(b.Failed))
	well := strings.Repeat("█", max(cells(b.Events)-cells(b.Failed), 0))
	if colored && failed != "" {
		failed = "\x1b[31m" + failed + "\x1b[0m"
	}
	words := number(b.Events)
	if b.Failed > 0 {
		words += fmt.Sprintf(", %s failed", number(b.Failed))
	}
	fmt.Fprintf(c.to, "%s  %s%s %s\n", c.at(b.From), well, failed, words)
}

// spanOf is a number of seconds in words: times that are damaged may be further apart than a
// Duration is long.
func spanOf(seconds int64) string {
	if seconds > int64(math.MaxInt64/time.Second) {
		return plural(seconds/(24*60*60), "day")
	}
	return span(time.Duration(seconds) * time.Second)
}

// span is a length of time in words.
func span(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return plural(int64(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
