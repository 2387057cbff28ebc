// Package answers has the commands that read the audit log: who did what, when, from
// where, with what answer.
//
// Commands is the name to call first: it makes them for a [Console], the program that
// runs them.
//
// # A further way to answer
//
// auditpatch events has several ways to answer, such as a table, JSON or counts. Each is a
// [mode] in a file of its own, with its flags, and one line of [modes]. To add one:
//
//   - write namemode.go with func nameMode(q *question) mode, whose flags have their
//     destinations in a variable of that function
//   - set asked to a function that returns the flag by which it is chosen, "" when it was
//     not given, or leave it nil for a mode that -o alone chooses; outputs are the values
//     of -o that it takes
//   - set answer to a function that checks the flags, and makes an [answer]: Fields says
//     what it reads of events, Add takes one at a time and Print ends it; what was asked is
//     in the [question], and its summary says what was read when Print is called
//   - set prepare if a flag names a file that is read
//   - print to q.out, which knows of a progress line on the terminal and of lost results
//   - set streams when its answer needs no end, so that it goes with --follow; if it keeps
//     something to print it later, let it have Flush() error too
//   - add it to modes
//
// A way to read, as --follow is, sets read in the place of answer.
package answers

import (
	"context"
	"io"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
)

// Flag categories of these commands, in the order of the help text. The flags that all commands
// have come third.
const (
	whichCategory = "1. Which events"
	shownCategory = "2. What is shown"
	howCategory   = commands.HowCategory
)

// Console is the program, as these commands see it.
type Console interface {
	commands.Console
	Stdin() io.Reader
	Stderr() io.Writer
	// Terminals are how many characters stand in a line of the terminal that standard output and
	// standard error are, 0 for what is none.
	Terminals() (out, err int)
	Quiet() bool // whether progress and outcomes are not to be said
	// Node are the flags that name a node, and what finds the log that its manifest names, as a
	// path on this machine. command is for hints.
	Node(command string) (flags []cli.Flag, log func() (string, error))
	Version() string // of the program
	// CommandLine is what was typed, as a shell takes it, and as it may be shown.
	CommandLine() string
	// Logging are the same flags, and what finds out how the node logs.
	Logging(command string) (flags []cli.Flag, look func() (Logging, error))
	// Line is a text as a terminal may have it.
	Line(text string) string
	// UntilHangup is a context that also ends when the terminal does. Changes ignore that.
	UntilHangup(ctx context.Context) (context.Context, context.CancelFunc)
	// SetChanged says that a file was changed, and what to type if that cannot be printed.
	SetChanged(next hint.Hint)
}

// program has the commands as methods.
type program struct{ Console }

// Commands are all that stand alone, in the order of the help text.
func Commands(c Console) []*cli.Command {
	p := &program{c}
	return []*cli.Command{p.eventsCommand()}
}
