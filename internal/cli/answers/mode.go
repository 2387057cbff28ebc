package answers

import (
	"context"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/filter"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
)

// modes are the ways to answer. The first that takes the value of -o answers when no flag
// asks for another.
func modes(q *question) []mode {
	return []mode{
		tableMode(q),
		jsonMode(q),
		jsonlMode(q),
		csvMode(q),
		flatMode(q),
		countMode(q),
		htmlMode(q),
		rolesMode(q),
		diffMode(q),
		followMode(q),
	}
}

// question is what is asked of the logs, as far as all modes know it. It is filled in before an
// answer begins.
type question struct {
	*program
	logs      []read.Log
	given     map[string][]string // the flags of the filter, by their names
	filter    *filter.Filter
	out       *sink
	summary   summary // of what was read, when Print is called
	strict    bool
	localTime bool
}

// mode is a way to answer, or to read.
type mode struct {
	flags     []cli.Flag
	outputs   []string      // the values of -o that it takes
	asked     func() string // the flag that asks for it, "" when it was not given; nil: -o alone does
	unordered bool          // events may come in any order, which is faster
	checked   bool          // it prints events as they stand, which have to be JSON to the last byte
	streams   bool          // its answer needs no end, and goes with --follow
	// prepare checks flags and reads the files that they name, which may wait for ever: it is
	// called before the answer has to end itself when it is interrupted. nil does nothing.
	prepare func() error
	answer  func() (answer, error)
	// read is another way to read, in the place of [read.Events]; such a mode does not answer,
	// and outputs do not matter.
	read func(context.Context, []read.Log, read.Query, func(*event.Event) error) (read.Total, error)
}

// answer is made of one event after the other.
type answer interface {
	// Fields are those that Add reads.
	Fields() event.Fields
	// Add takes an event, which is valid until Add returns.
	Add(*event.Event) error
	// Print prints what Add has not printed. total.Cut says that reading was interrupted; the summary
	// of the question has more.
	Print(total read.Total) error
}

// widener is an answer that has to see more events than are wanted.
type widener interface {
	// widen has the query take them as well. each takes those that are wanted.
	widen(q *read.Query, each func(*event.Event) error) func(*event.Event) error
	// wanted is how many events each was called for.
	wanted() int64
}

// outputs are all values of -o beside text and JSON, which each command takes.
func outputs(all []mode) (names []string) {
	for _, m := range all {
		for _, o := range m.outputs {
			if o != "text" && o != "json" && !slices.Contains(names, o) {
				names = append(names, o)
			}
		}
	}
	return names
}

// choose finds the modes that a command line asks for: one that answers, and one that reads,
// which is nil unless there is a flag for it.
func choose(all []mode, output string) (answers *mode, reads *mode, err error) {
	var asked string
	for i, m := range all {
		if m.asked == nil || m.asked() == "" {
			continue
		}
		switch flag := m.asked(); {
		case m.read != nil:
			reads = &all[i]
		case answers != nil:
			return nil, nil, hint.Errorf(hint.Switch(asked), "--%s and --%s exclude each other", asked, flag)
		default:
			answers, asked = &all[i], flag
		}
	}
	if answers != nil && !slices.Contains(answers.outputs, output) {
		return nil, nil, hint.Errorf(hint.Spaced("o", answers.outputs[0]), "--%s: the output is %s, not %s", asked, spelling.Either(answers.outputs), output)
	}
	for i, m := range all {
		if answers == nil && m.asked == nil && slices.Contains(m.outputs, output) {
			answers = &all[i]
		}
	}
	switch {
	case answers == nil:
		return nil, nil, hint.Errorf(hint.Command("events").Switch("help"), "-o %s: it goes with %s", output, strings.Join(takers(all, output), " or "))
	case reads != nil && !answers.streams:
		return nil, nil, hint.Errorf(hint.Words("leave out --%s, which only goes with answers that have a line for each event", reads.asked()), "--%s: this answer is only known at the end of the log", reads.asked())
	}
	return answers, reads, nil
}

// idle refuses a flag that belongs to an answer that was not asked for: it would change nothing,
// and whoever typed it expects that it does.
func idle(all []mode, answers *mode, set func(string) bool) error {
	switch {
	case set("limit") && !set("top"):
		return hint.Errorf(hint.Shell("auditpatch events ... | head"), "--limit is how many values --top shows, and not how many events are shown")
	case set("every") && !set("timeline"):
		return hint.New(hint.Switch("timeline"), "--every belongs to --timeline")
	}
	for i := range all {
		m := &all[i]
		if m == answers || m.asked == nil || m.read != nil {
			continue
		}
		for _, f := range m.flags {
			if name, leader := f.Names()[0], m.flags[0].Names()[0]; set(name) && m.asked() == "" {
				return hint.Errorf(hint.Switch(leader), "--%s belongs to --%s, which was not asked for", name, leader)
			}
		}
	}
	return nil
}

// takers are the flags of the modes that take an output.
func takers(all []mode, output string) (flags []string) {
	for _, m := range all {
		if slices.Contains(m.outputs, output) && len(m.flags) > 0 {
			flags = append(flags, "--"+m.flags[0].Names()[0])
		}
	}
	return flags
}
