package answers

import (
	"time"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy/explain"
	"auditpatch/internal/simulate"
)

// simulation is the JSON of policy simulate, and has the fields of that documented object.
type simulation struct {
	Changed  bool   `json:"changed"` // always false
	Policy   string `json:"policy"`
	Compared string `json:"compared,omitempty"` // the current policy
	// Recorded says that the current policy has recorded the log, as far as that shows.
	Recorded   bool           `json:"recorded"`
	From       *time.Time     `json:"from"`
	To         *time.Time     `json:"to"`
	Logs       int            `json:"logs"`
	Log        sideJSON       `json:"log"`
	Current    *sideJSON      `json:"current,omitempty"`
	New        sideJSON       `json:"new"`
	Rules      []ruleJSON     `json:"rules"`  // of the new policy
	Levels     []levelJSON    `json:"levels"` // under each
	Users      []userJSON     `json:"users"`  // at most 1000, those first who write most
	Hours      []hourJSON     `json:"hours"`
	Days       []hourJSON     `json:"days"`
	Rotation   rotationJSON   `json:"rotation"`
	Ratio      simulate.Ratio `json:"packing"`
	Unknown    []string       `json:"unknown"`
	Unreadable int64          `json:"unreadable"`
	Cut        bool           `json:"cut"` // it was interrupted, and this is not all
}

// countJSON is a number of events, with the bytes that they take.
type countJSON struct {
	Events    int64 `json:"events"`
	Bytes     int64 `json:"bytes"`
	Estimated int64 `json:"estimated"` // of the bytes
	Rough     int64 `json:"rough"`     // of those estimated, by a rough figure
	Derived   int64 `json:"derived"`   // of the events, those of stages that the log has not
}

func countOf(c simulate.Count) countJSON {
	return countJSON{c.Events, c.Bytes, c.Estimated, c.Rough, c.Derived}
}

// sideJSON is the log, or a policy.
type sideJSON struct {
	countJSON
	BytesPerHour     int64       `json:"bytesPerHour"`
	BytesInPeakHour  int64       `json:"bytesInPeakHour"`
	BytesPerHourDays int64       `json:"bytesPerHourOfBusiestDay"` // 0 when the log covers less than a day
	History          historyJSON `json:"history"`
}

// historyJSON is how far back a log reaches, in hours; null without an end.
type historyJSON struct {
	LeastHours *float64 `json:"leastHours"`
	MostHours  *float64 `json:"mostHours"`
	ByAge      bool     `json:"byAge"`
	DiskBytes  int64    `json:"diskBytes"` // at most; 0 without a limit
}

func historyOf(h simulate.History) historyJSON {
	hours := func(d time.Duration) *float64 {
		if d == simulate.Endless {
			return nil
		}
		n := d.Hours()
		return &n
	}
	return historyJSON{hours(h.Least), hours(h.Most), h.ByAge, h.Disk}
}

type ruleJSON struct {
	Rule  int         `json:"rule"`
	Line  int         `json:"line"`
	Level audit.Level `json:"level"`
	countJSON
}

type levelJSON struct {
	Level   audit.Level `json:"level"`
	Log     countJSON   `json:"log"`
	Current *countJSON  `json:"current,omitempty"`
	New     countJSON   `json:"new"`
}

type userJSON struct {
	User string    `json:"user"` // empty: the login failed
	Log  countJSON `json:"log"`
	New  countJSON `json:"new"`
}

type hourJSON struct {
	Start time.Time `json:"start"`
	Log   countJSON `json:"log"`
	New   countJSON `json:"new"`
}

// rotationJSON are the settings that history is for.
type rotationJSON struct {
	MaxSize   int64  `json:"maxsize"`
	MaxBackup int64  `json:"maxbackup"`
	MaxAge    int64  `json:"maxage"`
	Compress  bool   `json:"compress"`
	From      string `json:"from,omitempty"`
}

func (r rotation) document() rotationJSON {
	return rotationJSON{r.MaxSize, r.MaxBackup, r.MaxAge, r.Compress, r.from}
}

// mostUsersJSON keeps a document readable by programs that hold all of it.
const mostUsersJSON = 1000

func (s simulated) document() simulation {
	r := s.report
	out := simulation{
		Policy: s.request.New.Name(), Recorded: r.RecordedByCurrent(), Logs: r.Logs, Log: s.side(r.Log), New: s.side(r.New),
		Rules: []ruleJSON{}, Users: []userJSON{}, Hours: hoursOf(r, (*simulate.Tally).ByHour), Days: hoursOf(r, (*simulate.Tally).ByDay),
		Rotation: s.rotation.document(), Ratio: r.Ratio, Unknown: append([]string{}, r.Unknown...), Unreadable: r.Read.Unreadable, Cut: r.Read.Cut,
	}
	if !r.First.IsZero() {
		out.From, out.To = &r.First, &r.Last
	}
	if r.Current != nil {
		side := s.side(r.Current)
		out.Compared, out.Current = s.request.Current.Name(), &side
	}
	for i, rule := range explain.Rules(s.request.New) {
		out.Rules = append(out.Rules, ruleJSON{i, rule.Line, rule.Level, countOf(r.New.Rules[i])})
	}
	for _, level := range levels {
		l := levelJSON{level, countOf(r.Log.Levels[level]), nil, countOf(r.New.Levels[level])}
		if r.Current != nil {
			c := countOf(r.Current.Levels[level])
			l.Current = &c
		}
		out.Levels = append(out.Levels, l)
	}
	names := s.users()
	for _, name := range names[:min(len(names), mostUsersJSON)] {
		out.Users = append(out.Users, userJSON{name, countOf(r.Log.Users[name]), countOf(r.New.Users[name])})
	}
	return out
}

func (s simulated) side(t *simulate.Tally) sideJSON {
	rate := s.report.Rate(t)
	return sideJSON{countOf(t.All), int64(rate.Mean), int64(rate.Peak), int64(rate.Day), historyOf(s.history(t))}
}

func hoursOf(r *simulate.Report, buckets func(*simulate.Tally) []simulate.Bucket) []hourJSON {
	out := []hourJSON{}
	is := map[time.Time]simulate.Count{}
	for _, b := range buckets(r.New) {
		is[b.Start] = b.Count
	}
	for _, b := range buckets(r.Log) {
		out = append(out, hourJSON{b.Start, countOf(b.Count), countOf(is[b.Start])})
	}
	return out
}
