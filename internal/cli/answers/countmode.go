package answers

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/answer/column"
	"auditpatch/internal/answer/count"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/glyph"
	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
)

// countFlags are those of countMode.
type countFlags struct {
	top      cli.StringSlice
	timeline bool
	every    time.Duration
	limit    int
}

// countMode counts events by what they have in common, and by time.
func countMode(q *question) mode {
	f := &countFlags{}
	return mode{
		outputs: []string{"text", "json", "csv"},
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "top", Destination: &f.top, Category: shownCategory, Usage: "how many events and bytes by each `KEY`: " + spelling.Either(keyNames()) + "; may be repeated"},
			&cli.IntFlag{Name: "limit", Destination: &f.limit, Category: shownCategory, Value: 20, Usage: "how many values --top shows"},
			&cli.BoolFlag{Name: "timeline", Destination: &f.timeline, Category: shownCategory, Usage: "how many events when, and how many of them failed"},
			&cli.DurationFlag{Name: "every", Destination: &f.every, Category: shownCategory, Usage: "how long each bar of --timeline is, such as 1h; without it, as long as fits"},
		},
		asked:     f.asked,
		unordered: true,
		answer:    func() (answer, error) { return q.newCounts(f) },
	}
}

func (f *countFlags) asked() string {
	switch {
	case len(f.top.Value()) > 0:
		return "top"
	case f.timeline:
		return "timeline"
	}
	return ""
}

func keyNames() (names []string) {
	for _, k := range count.Keys() {
		names = append(names, k.Name)
	}
	return names
}

// counts is an answer with some tops and a timeline.
type counts struct {
	*question
	to       io.Writer
	tops     []*count.Top
	timeline *count.Timeline // nil without one
	limit    int
}

func (q *question) newCounts(f *countFlags) (answer, error) {
	if f.limit < 1 {
		return nil, hint.Errorf(hint.Flag("limit", 20), "--limit %d: it is how many values are shown", f.limit)
	}
	if f.every > 0 && !f.timeline {
		return nil, hint.New(hint.Switch("timeline"), "--every belongs to --timeline")
	}
	if f.every%time.Second != 0 {
		return nil, hint.Errorf(hint.Flag("every", "1s"), "--every %s: it is at least a second, and whole seconds", f.every)
	}
	var names []string
	for _, value := range f.top.Value() {
		names = append(names, strings.Split(value, ",")...)
	}
	c := &counts{question: q, to: q.out, limit: f.limit}
	for _, name := range names {
		k, err := keyNamed(name)
		if err != nil {
			return nil, err
		}
		c.tops = append(c.tops, count.NewTop(k, len(names)))
	}
	if f.timeline {
		c.timeline = count.NewTimeline(f.every)
	}
	if q.Output() == "csv" && len(c.tops) > 0 && f.timeline {
		return nil, hint.New(hint.Spaced("o", "json"), "-o csv: --top and --timeline have different columns")
	}
	return c, nil
}

func keyNamed(name string) (count.Key, error) {
	for _, k := range count.Keys() {
		if k.Name == strings.ToLower(name) {
			return k, nil
		}
	}
	h := hint.Words("--top takes %s", spelling.Either(keyNames()))
	if best := spelling.Nearest(name, keyNames()); best != "" {
		h = hint.Flag("top", best)
	}
	return count.Key{}, hint.Errorf(h, "--top %q: events cannot be counted by that", name)
}

func (c *counts) Fields() (all event.Fields) {
	for _, t := range c.tops {
		all |= t.Fields()
	}
	if c.timeline != nil {
		all |= c.timeline.Fields()
	}
	return all
}

func (c *counts) Add(e *event.Event) error {
	for _, t := range c.tops {
		t.Add(e)
	}
	if c.timeline == nil {
		return nil
	}
	if err := c.timeline.Add(e); err != nil {
		return hint.Errorf(hint.Flag("every", 24*c.timeline.Width()), "--every: %v", err)
	}
	return nil
}

func (c *counts) Print(read.Total) error {
	switch c.Output() {
	case "json":
		c.PrintJSON(c.report())
		return nil
	case "csv":
		return c.csv()
	}
	for i, t := range c.tops {
		if i > 0 {
			fmt.Fprintln(c.to)
		}
		c.text(t)
	}
	if c.timeline != nil {
		if len(c.tops) > 0 {
			fmt.Fprintln(c.to)
		}
		c.bars()
	}
	return nil
}

// none stands for an event that has no such value.
const none = "(none)"

// text prints a top for people.
func (c *counts) text(t *count.Top) {
	shown := t.Entries(c.limit)
	rows := [][]string{{"EVENTS", "SHARE", "BYTES", "SHARE", strings.ToUpper(strings.ReplaceAll(t.Key.Name, "-", " "))}}
	lacking := int64(0)
	for _, n := range shown {
		value, at := none, ""
		if n.Value != "" {
			value = told(n.Value)
		}
		if n.Lacking.Events > 0 {
			at, lacking = ">= ", max(lacking, n.Lacking.Events)
		}
		rows = append(rows, []string{at + number(n.Events), share(n.Events, t.Total.Events), auditlog.FormatSize(n.Bytes), share(n.Bytes, t.Total.Bytes), value})
	}
	if rest := t.Rest(shown); t.Different() > len(shown) && t.Key.Name != "group" {
		rows = append(rows, []string{number(rest.Events), share(rest.Events, t.Total.Events), auditlog.FormatSize(rest.Bytes), share(rest.Bytes, t.Total.Bytes), c.others(t, len(shown))})
	}
	c.right(rows)
	if lacking > 0 {
		c.Say("warning", fmt.Sprintf("--top %s: there are too many different values to count each; numbers behind >= may lack up to %s", t.Key.Name, number(lacking)))
	}
}

// told is a value of the log in quotes where it could pass for a word of a table, which begins with
// a bracket, for what is not seen, which has a backslash, or for the value without its blanks.
func told(value string) string {
	if strings.HasPrefix(value, "(") || strings.HasPrefix(value, `"`) || strings.Contains(value, `\`) || strings.TrimSpace(value) != value {
		return strconv.Quote(value)
	}
	return value
}

// others is the name of the values that are not shown.
func (c *counts) others(t *count.Top, shown int) string {
	if t.Forgot {
		return "(others, very many)"
	}
	return fmt.Sprintf("(%s others)", number(int64(t.Different()-shown)))
}

// right prints columns, all but the last flush right.
func (c *counts) right(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], glyph.Cells(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-glyph.Cells(cell)) + cell + "  ")
				continue
			}
			b.WriteString(c.Line(cell))
		}
		fmt.Fprintln(c.to, b.String())
	}
}

func share(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// csv prints all tops as one table, or the timeline.
func (c *counts) csv() error {
	rows := column.NewCSV(c.to)
	if c.timeline != nil {
		if err := rows.Row("from", "seconds", "events", "failed", "bytes"); err != nil {
			return err
		}
		for _, b := range c.timeline.Bars() {
			if err := rows.Row(b.From.Format(time.RFC3339), fmt.Sprint(int64(c.timeline.Width().Seconds())), fmt.Sprint(b.Events), fmt.Sprint(b.Failed), fmt.Sprint(b.Bytes)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := rows.Row("key", "value", "events", "bytes", "lacking_at_most"); err != nil {
		return err
	}
	for _, t := range c.tops {
		for _, n := range t.Entries(c.limit) {
			if err := rows.Row(t.Key.Name, n.Value, fmt.Sprint(n.Events), fmt.Sprint(n.Bytes), fmt.Sprint(n.Lacking.Events)); err != nil {
				return err
			}
		}
	}
	return nil
}
