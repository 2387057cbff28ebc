package answers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
)

// source is the logs that a command reads.
type source struct {
	*program
	command string
	names   cli.StringSlice
	node    []cli.Flag
	log     func() (string, error)
}

func (p *program) newSource(command string) *source {
	s := &source{program: p, command: command}
	s.node, s.log = p.Node(command)
	return s
}

func (s *source) flags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "log", Destination: &s.names, Category: whichCategory, Usage: "`FILE` or folder of a log, with its rotated files, - for standard input; without it, the log that the node's manifest names; may be repeated"},
	}, s.node...)
}

// paths are the files and folders that are to be read.
func (s *source) paths() ([]string, error) {
	if names := s.names.Value(); len(names) > 0 {
		return names, nil
	}
	name, err := s.log()
	if err != nil {
		return nil, readError(s.command, err)
	}
	return []string{name}, nil
}

// named are the logs. Those that are followed need not be there yet.
func (s *source) named(ctx context.Context, live bool) (logs []read.Log, err error) {
	if !live {
		return s.find(ctx)
	}
	names, err := s.paths()
	for _, name := range names {
		logs = append(logs, read.Log{Name: name})
	}
	return logs, err
}

// find returns the logs.
func (s *source) find(ctx context.Context) ([]read.Log, error) {
	names, err := s.paths()
	if err != nil {
		return nil, err
	}
	logs, err := read.Find(names, commands.Interruptible(ctx, s.Stdin()))
	if err != nil {
		return nil, readError(s.command, err)
	}
	return logs, nil
}

// readError is an error of a command that could not open or read something, with what to type.
func readError(command string, err error) error {
	var at *fs.PathError
	switch {
	case hint.Of(err) != nil && !errors.Is(err, fs.ErrPermission):
		return err
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return hint.Errorf(hint.Shell("sudo auditpatch "+command+" ..."), "%v: it is only for root, or for whom enable --log-group has named", err)
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &at):
		return hint.Errorf(hint.Command(command).Spaced("log", "FILE").Then("; what is configured: ", hint.Command("status")), "%s: there is no such log", at.Path)
	}
	return fmt.Errorf("read the log: %w", err)
}

func fromStdin(logs []read.Log) bool {
	return slices.ContainsFunc(logs, func(l read.Log) bool { return l.Stdin != nil })
}

// settleFor is how long what was read of standard input, and not looked at yet, is taken after an
// interruption.
const settleFor = 500 * time.Millisecond

// reading is the context in which logs are read. Standard input has its end when ctx is done: see
// [commands.Interruptible].
func reading(ctx context.Context, logs []read.Log) (context.Context, context.CancelFunc) {
	if !fromStdin(logs) {
		return ctx, func() {}
	}
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(settleFor, cancel) })
	return late, func() { stop(); cancel() }
}
