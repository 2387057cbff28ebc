package answers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
	"auditpatch/internal/simulate"
)

// printSimulated prints a simulation for people.
func (p *program) printSimulated(s simulated) error {
	r := s.report
	p.Outf("policy   %s, %s", s.request.New.Name(), policy.Count(s.request.New.Rules()))
	if c := s.request.Current; c != nil {
		recorded := "which has not recorded this log"
		if r.RecordedByCurrent() {
			recorded = "which has recorded this log"
		}
		p.Outf("current  %s, %s", c.Name(), recorded)
	}
	p.Outf("log      %s in %s%s", counted(r.Log.All.Events, "event"), lasting(r.Span()), s.times())
	for _, print := range []func(simulated) error{p.printSides, p.printRules, p.printLevels, p.printUsers, p.printTimes} {
		p.Outf("")
		if err := print(s); err != nil {
			return err
		}
	}
	p.printKept(s)
	for _, u := range r.Unknown {
		p.Outf("unknown  %s", u)
	}
	return nil
}

// reaches is how far back a log reaches that is written as a tally says.
func (s simulated) reaches(t *simulate.Tally) string {
	if s.report.Span() <= 0 {
		return "unknown"
	}
	return reaches(s.history(t))
}

func (s simulated) times() string {
	if s.report.First.IsZero() {
		return ""
	}
	return fmt.Sprintf(", from %s to %s", s.report.First.Format(time.RFC3339), s.report.Last.Format(time.RFC3339))
}

// printSides compares the log, the current policy and the new one.
func (p *program) printSides(s simulated) error {
	rows := [][]string{{"", "EVENTS", "BYTES", "ESTIMATED", "AN HOUR", "PEAK HOUR", "HISTORY"}}
	before := s.report.Log.All
	for _, side := range s.sides() {
		rate := s.report.Rate(side.Tally)
		rows = append(rows, []string{
			side.label, fmt.Sprint(side.All.Events) + change(before.Events, side.All.Events), size(side.All.Bytes) + change(before.Bytes, side.All.Bytes),
			size(side.All.Estimated), size(int64(rate.Mean)), size(int64(rate.Peak)), s.reaches(side.Tally),
		})
	}
	return p.Table(rows)
}

// change is by how much a number differs from another, "" for one that is the same.
func change(from, to int64) string {
	if from == 0 || from == to {
		return ""
	}
	return fmt.Sprintf(" (%+.1f %%)", float64(to-from)*100/float64(from))
}

func (p *program) printRules(s simulated) error {
	rows := [][]string{{"RULE", "LINE", "LEVEL", "EVENTS", "BYTES", "SHARE", "ESTIMATED"}}
	t := s.report.New
	for i, rule := range explain.Rules(s.request.New) {
		rows = append(rows, slices.Concat([]string{fmt.Sprintf("rules[%d]", i), strconv.Itoa(rule.Line), string(rule.Level)}, cells(t.Rules[i], t)))
	}
	return p.Table(rows)
}

// cells are the columns of a count.
func cells(c simulate.Count, of *simulate.Tally) []string {
	return []string{strconv.FormatInt(c.Events, 10), size(c.Bytes), simulate.Share(c.Bytes, of.All.Bytes), size(c.Estimated)}
}

// levels in the order of what they write.
var levels = []audit.Level{audit.LevelMetadata, audit.LevelRequest, audit.LevelRequestResponse}

func (p *program) printLevels(s simulated) error {
	head := []string{"LEVEL"}
	for _, side := range s.sides() {
		head = append(head, upper(side.label)+" EVENTS", upper(side.label)+" BYTES")
	}
	rows := [][]string{head}
	for _, level := range levels {
		row := []string{string(level)}
		for _, side := range s.sides() {
			c := side.Levels[level]
			row = append(row, strconv.FormatInt(c.Events, 10), size(c.Bytes))
		}
		rows = append(rows, row)
	}
	return p.Table(rows)
}

// mostUsers are printed for people.
const mostUsers = 10

// printUsers prints those who write most, in the log or under the new policy.
func (p *program) printUsers(s simulated) error {
	rows := [][]string{{"USER", "LOG EVENTS", "LOG BYTES", "NEW EVENTS", "NEW BYTES", "SHARE"}}
	names := s.users()
	for _, name := range names[:min(len(names), mostUsers)] {
		was, is := s.report.Log.Users[name], s.report.New.Users[name]
		rows = append(rows, []string{cmp.Or(told(name), "(nobody: the login failed)"), strconv.FormatInt(was.Events, 10), size(was.Bytes),
			strconv.FormatInt(is.Events, 10), size(is.Bytes), simulate.Share(is.Bytes, s.report.New.All.Bytes)})
	}
	if err := p.Table(rows); err != nil {
		return err
	}
	if more := len(names) - mostUsers; more > 0 {
		p.Outf("and %s: %s", counted(int64(more), "more user"), hint.Spaced("o", "json"))
	}
	return nil
}

// users are all of them, those first who write most under either.
func (s simulated) users() []string {
	most := map[string]int64{}
	for _, t := range []*simulate.Tally{s.report.Log, s.report.New} {
		for name, c := range t.Users {
			most[name] = max(most[name], c.Bytes)
		}
	}
	return slices.SortedFunc(maps.Keys(most), func(a, b string) int {
		return cmp.Or(cmp.Compare(most[b], most[a]), cmp.Compare(a, b))
	})
}

// mostHours are printed for people; of a longer log, its days are.
const mostHours = 48

func (p *program) printTimes(s simulated) error {
	name, format, buckets := "HOUR (UTC)", "2006-01-02T15", (*simulate.Tally).ByHour
	if len(s.report.Log.Hours) > mostHours {
		name, format, buckets = "DAY (UTC)", "2006-01-02", (*simulate.Tally).ByDay
	}
	is := map[time.Time]simulate.Count{}
	for _, b := range buckets(s.report.New) {
		is[b.Start] = b.Count
	}
	rows := [][]string{{name, "LOG EVENTS", "LOG BYTES", "NEW EVENTS", "NEW BYTES"}}
	for _, was := range buckets(s.report.Log) {
		now := is[was.Start]
		rows = append(rows, []string{was.Start.Format(format), strconv.FormatInt(was.Events, 10), size(was.Bytes), strconv.FormatInt(now.Events, 10), size(now.Bytes)})
	}
	return p.Table(rows)
}

// printKept says how far back the log then reaches, and what it takes.
func (p *program) printKept(s simulated) {
	h, r := s.history(s.report.New), s.rotation
	packed := ", not packed"
	if r.Compress {
		packed = ", packed"
	}
	p.Outf("")
	p.Outf("history  %s, by %s: files of %d MB, %s%s, for %s", s.reaches(s.report.New), r.from, r.MaxSize, files(r.MaxBackup), packed, days(r.MaxAge))
	if peak := r.Keeps(s.report.Rate(s.report.New).Peak, s.report.Ratio.Times); peak.Least < h.Least {
		p.Outf("         %s if each hour were like the busiest", reaches(peak))
	}
	if h.Disk > 0 {
		p.Outf("disk     at most %s%s", size(h.Disk), onDisk(r.Rotation, s.report.Ratio))
	}
	if s.report.Span() < time.Hour {
		p.Outf("         the log covers %s: how much is written in a day it can hardly say", lasting(s.report.Span()))
	}
}

// onDisk says how packing was measured.
func onDisk(r simulate.Rotation, ratio simulate.Ratio) string {
	switch {
	case ratio.Times <= 1 && r.Compress:
		return "; how well it packs is unknown: " + ratio.From
	case ratio.Times <= 1:
		return ""
	case r.Compress:
		return fmt.Sprintf("; packed files are %.1f times smaller, by %s", ratio.Times, ratio.From)
	}
	return fmt.Sprintf("; packed, files would be %.1f times smaller, by %s", ratio.Times, ratio.From)
}
