package answers

import (
	"context"
	"strings"
	"testing"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
)

// TestChoose has a command line with some modes find the one that answers.
func TestChoose(t *testing.T) {
	given := func(flag string) func() string { return func() string { return flag } }
	follow := func(context.Context, []read.Log, read.Query, func(*event.Event) error) (read.Total, error) {
		return read.Total{}, nil
	}
	for _, c := range []struct {
		output, top, diff, follow string
		want                      string // the outputs of the mode, or the error
	}{
		{output: "text", want: "text wide"},
		{output: "wide", want: "text wide"},
		{output: "jsonl", want: "jsonl"},
		{output: "text", top: "top", want: "text json csv"},
		{output: "csv", top: "top", want: "text json csv"},
		{output: "wide", top: "top", want: "--top: the output is text, json or csv, not wide"},
		{output: "text", top: "top", diff: "diff", want: "--top and --diff exclude each other"},
		{output: "text", follow: "follow", want: "text wide"},
		{output: "text", follow: "follow", top: "top", want: "--follow: this answer is only known at the end of the log"},
		{output: "csv", want: "-o csv: it goes with"},
	} {
		all := []mode{
			{outputs: []string{"text", "wide"}, streams: true},
			{outputs: []string{"jsonl"}, streams: true},
			{outputs: []string{"text", "json", "csv"}, asked: given(c.top)},
			{outputs: []string{"text"}, asked: given(c.diff), streams: true},
			{asked: given(c.follow), read: follow},
		}
		answers, reads, err := choose(all, c.output)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = strings.Join(answers.outputs, " ")
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
		if err == nil && (reads != nil) != (c.follow != "") {
			t.Errorf("%+v: reads %v", c, reads)
		}
	}
}
