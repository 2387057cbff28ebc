// Package commands is what the packages of commands share: the program as they see it,
// and how they ask for what it has.
//
// [Console] is the name to know.
package commands

import (
	"context"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/hint"
)

// Flag categories, in the order of the help text.
const (
	WhatCategory = "1. What to log"
	HowCategory  = "3. How"
)

// Console is the program, as its commands see it.
type Console interface {
	Command(*cli.Command) *cli.Command                  // gives a command what all have
	OutputFlags(more ...string) []cli.Flag              // -o, with formats beside text and JSON, and --quiet
	Output() string                                     // what -o says
	JSON() bool                                         // the same as a question
	ReadInput(flag, name string) (*change.Input, error) // a file of this machine, - for standard input
	Stdout() io.Writer
	PrintJSON(v any)                // a result for programs
	Outf(format string, a ...any)   // a line of a result for people
	Printf(format string, a ...any) // progress and outcomes for people, unless --quiet
	Table(rows [][]string) error    // a result in columns
	Say(kind, text string)          // an error, a hint or a warning
	// EndsItself says that an interruption cancels the context of the command, and does not
	// end it in its middle. The error is that it was interrupted before.
	EndsItself() error
	Hint(h hint.Hint) hint.Hint // a hint as it may be shown
}

// Names are the values of a flag for namespaces or codes. None of these has a comma, so that
// several may stand in one value, as kubectl has it. Names of files, users and groups may
// have one, and are taken as they are.
func Names(values cli.StringSlice) (names []string) {
	for _, value := range values.Value() {
		names = append(names, strings.Split(value, ",")...)
	}
	return names
}

// Interruptible reads from standard input or a pipe, and has its end when the context is done: a terminal
// or a pipe may never give anything.
func Interruptible(ctx context.Context, in io.Reader) io.Reader {
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
