package filter

import (
	"strings"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/hint"
)

func readSince(r reading) (condition, error) {
	at, err := r.moment(false)
	if err != nil {
		return condition{}, err
	}
	r.filter.since = at
	return condition{fields: event.WantStamp, match: func(e *event.Event) bool { return e.Stamp >= at }}, nil
}

func readUntil(r reading) (condition, error) {
	at, err := r.moment(true)
	if err != nil {
		return condition{}, err
	}
	r.filter.until = at
	return condition{fields: event.WantStamp, match: func(e *event.Event) bool { return e.Stamp != 0 && e.Stamp < at }}, nil
}

// moment is the time that a flag names; end says that a day is meant to its end.
func (r reading) moment(end bool) (event.Time, error) {
	value, err := r.single("2h")
	if err != nil {
		return 0, err
	}
	at, ok := readTime(value, end, r.Now)
	if !ok || at.Unix() <= 0 {
		return 0, hint.Errorf(hint.Flag(r.Name, "2h").Then(", ", hint.Flag(r.Name, "3d")).Then(" or ", hint.Flag(r.Name, r.Now.UTC().Format(time.RFC3339))),
			"--%s %q: it is no time", r.Name, value)
	}
	return event.Time(at.UnixMicro()), nil
}

// layouts are those of times without a zone, which are in UTC.
var layouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04"}

func readTime(value string, end bool, now time.Time) (time.Time, bool) {
	if at, ok := readDay(value, end, now); ok {
		return at, true
	}
	if at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(value)); err == nil {
		return at, true
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, value); err == nil {
			return at, true
		}
	}
	if value == "now" {
		return now, true
	}
	ago, err := readDuration(strings.TrimSpace(strings.TrimSuffix(value, "ago")))
	return now.Add(-ago), err == nil && ago >= 0
}

// readDay reads a whole day.
func readDay(value string, end bool, now time.Time) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, value)
	switch today := now.UTC().Truncate(24 * time.Hour); value {
	case "today":
		day, err = today, nil
	case "yesterday":
		day, err = today.AddDate(0, 0, -1), nil
	}
	if end {
		day = day.AddDate(0, 0, 1)
	}
	return day, err == nil
}
