package filter

import (
	"slices"
	"time"

	"auditpatch/internal/auditlog/event"
)

// kind is a flag with what it asks.
type kind struct {
	Flag
	read func(flag string, values []string, now time.Time) (condition, error)
}

var kinds = []kind{
	{Flag{Name: "user", Usage: "`USER` who logged in"}, text(event.WantUser, func(e *event.Event) []byte { return e.User.Name })},
	{Flag{Name: "verb", Usage: "`VERB` of the request, such as delete"}, text(event.WantVerb, func(e *event.Event) []byte { return e.Verb })},
}

// text asks for a field that has one of the values.
func text(fields event.Fields, of func(*event.Event) []byte) func(string, []string, time.Time) (condition, error) {
	return func(flag string, values []string, _ time.Time) (condition, error) {
		return condition{flag, fields, func(e *event.Event) bool { return slices.Contains(values, string(of(e))) }}, nil
	}
}
