package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// reader takes the task of a command line that somebody else has put together.
type reader struct {
	contents map[string][]byte // of files that were given as text, by flag
	task     Task
}

// errRead ends a command line whose task was read.
var errRead = errors.New("read")

// ReadTask reads the words of enable, disable or restore, the program's name first,
// as a command line, and carries nothing out. contents are texts that are given
// in the place of files, by the flag that names the file.
func ReadTask(words []string, contents map[string][]byte, version string) (Task, error) {
	r := &reader{contents: contents}
	p := describe(version)
	p.words, p.node, p.reader = words, NodeOf(words), r
	if err := refuseText(words); err != nil {
		return nil, err
	}
	if err := p.app().RunContext(context.Background(), words); !errors.Is(err, errRead) {
		return nil, err
	}
	return r.task, nil
}

// Kind is what a flag takes.
type Kind int

// The kinds of flags.
const (
	Text Kind = iota
	Switch
	Duration
	List
)

// Flag is a flag of a command, for those who give it another form.
type Flag struct {
	Name  string
	Usage string
	Kind  Kind
	// IsFile says that it names a file, whose text can be given in its place.
	IsFile bool
}

// FlagsOf are the flags of a command, in the order of its help.
func FlagsOf(command string) (out []Flag) {
	for _, f := range describe("").app().Command(command).Flags {
		flag := Flag{Name: f.Names()[0], Usage: strings.ReplaceAll(f.(cli.DocGenerationFlag).GetUsage(), "`", "")}
		flag.IsFile = slices.Contains(fileFlags, flag.Name)
		switch plain(f).(type) {
		case *cli.BoolFlag:
			flag.Kind = Switch
		case *cli.DurationFlag:
			flag.Kind = Duration
		case *cli.StringSliceFlag:
			flag.Kind = List
		}
		out = append(out, flag)
	}
	return out
}

// fileFlags name files; their text can be given in their place.
var fileFlags = []string{"policy", "webhook-config", "webhook-ca", "webhook-client-cert", "webhook-client-key"}
