package answers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog/read"
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

// find returns the logs.
func (s *source) find(ctx context.Context) ([]read.Log, error) {
	names := s.names.Value()
	if len(names) == 0 {
		name, err := s.log()
		if err != nil {
			return nil, readError(s.command, err)
		}
		names = []string{name}
	}
	logs, err := read.Find(names, interruptible(ctx, s.Stdin()))
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

// interruptible reads from standard input, and has its end when the context is done: a terminal
// or a pipe may never give anything.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	r, w := io.Pipe()
	started := false
	return readerFunc(func(to []byte) (int, error) {
		if !started {
			started = true
			go func() {
				_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{in}, make([]byte, 256<<10))
				_ = w.CloseWithError(err) // nil is the end
			}()
			context.AfterFunc(ctx, func() { _ = w.Close() })
		}
		return r.Read(to)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(to []byte) (int, error) { return f(to) }
