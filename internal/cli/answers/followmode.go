package answers

import (
	"context"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/follow"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/hint"
)

// followMode waits for new events, until it is interrupted.
func followMode(q *question) mode {
	var on bool
	return mode{
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Destination: &on, Category: whichCategory, Usage: "wait for new events and show each as it is written, also when the log is rotated; with --since the earlier ones first"},
		},
		asked: func() string {
			if on {
				return "follow"
			}
			return ""
		},
		read: q.follow,
	}
}

func (q *question) follow(ctx context.Context, logs []read.Log, query read.Query, each func(*event.Event) error) (read.Total, error) {
	if len(q.given["until"]) > 0 {
		return read.Total{}, hint.New(hint.Words("leave out --until"), "--until does not go with --follow, which waits for new events until it is interrupted")
	}
	var names []string
	for _, l := range logs {
		if l.Name == "-" {
			return read.Total{}, hint.New(hint.Command("events").Spaced("log", "-"), "--follow is for files; standard input is read until it ends, without it")
		}
		names = append(names, l.Name)
	}
	total, err := follow.Follow(ctx, names, follow.Options{
		Fields: query.Fields, Match: query.Match, MatchFields: query.MatchFields, Since: q.filter.Since(), Checked: query.Checked || query.Strict, Notice: q.notice(),
	}, each)
	total.First = nil // they were told when they were met
	return total, err
}

// notice tells what is waited for, and what is lost.
func (q *question) notice() func(follow.Notice) {
	const most = 20
	unreadable := 0
	return func(n follow.Notice) {
		if n.Kind == follow.Unreadable {
			if unreadable++; unreadable > most {
				return // the number is told at the end
			}
		}
		if n.Lost() {
			q.Say("warning", n.String())
			return
		}
		q.Printf("%s", q.Line(n.String()))
	}
}
