// Package hint is what to type next, as data: flags for the command that was typed, a
// whole command of this program, or something for a shell. Whoever prints a hint puts
// it into the words of its reader, a command line or a task of Ansible.
//
// Call [Flag], [Command], [Shell] or [Words] for a hint, [Errorf] for an error with one,
// and [Of] for the hint of any error. [Hint.In] and [Hint.String] make a line of it.
package hint

import (
	"fmt"
	"slices"
	"strings"
)

// Hint is what to type next, in parts; nil when nothing is known.
type Hint []Part

// Part is one thing to type, with the words around it.
type Part struct {
	// Command is a whole command of this program, such as "policy lint", and Flags are
	// its flags. Without it they are for the command that was typed.
	Command string
	Flags   []Option

	lead, note string   // words before and behind it
	whole      bool     // it is a command, also without a name: the program alone
	without    []string // flags of the node that it does not take over
	text       *text    // instead of all these
}

// Option is a flag with its value, or without a Name a word as it was typed.
type Option struct {
	Name, Value string
	Form        Form
	onNode      bool // the value is a path on the node
}

// Form is how a flag is written.
type Form int

// The forms of flags.
const (
	Joined Form = iota // --name=value
	Apart              // --name value
	Alone              // --name
)

// Path is a path on the node, as an argument of [Shell] or the value of a flag: it lies
// below the root that the command line names.
type Path string

// text is something for a shell, or other words.
type text struct {
	format string
	args   []any
	shell  bool // the arguments are quoted where a shell needs it
}

// Flag is --name=value for the command that was typed.
func Flag(name string, value any) Hint { return Hint{{}}.Flag(name, value) }

// Spaced is --name value for the command that was typed.
func Spaced(name string, value any) Hint { return Hint{{}}.Spaced(name, value) }

// Switch is --name for the command that was typed.
func Switch(name string) Hint { return Hint{{}}.Switch(name) }

// Command is a whole command of this program, "" for the program alone. What the
// command line says of its node is added when it is printed.
func Command(name string) Hint { return Hint{{Command: name, whole: true}} }

// Shell is a command of others. Arguments that are texts are quoted where a shell needs
// it; one may be a [Path], or a Hint that is one word of the command.
func Shell(format string, a ...any) Hint { return Hint{{text: &text{format, a, true}}} }

// Words are anything else to do.
func Words(format string, a ...any) Hint { return Hint{{text: &text{format, a, false}}} }

// Flag adds --name=value to the last part.
func (h Hint) Flag(name string, value any) Hint { return h.add(option(name, value, Joined)) }

// Spaced adds --name value to the last part.
func (h Hint) Spaced(name string, value any) Hint { return h.add(option(name, value, Apart)) }

// Switch adds --name to the last part.
func (h Hint) Switch(name string) Hint { return h.add(Option{Name: name, Form: Alone}) }

// Typed adds words of a command line to the last part, as they were typed.
func (h Hint) Typed(words ...string) Hint {
	flags := make([]Option, len(words))
	for i, w := range words {
		flags[i].Value = w
	}
	return h.add(flags...)
}

// Note adds words behind the last part.
func (h Hint) Note(words string) Hint {
	if !strings.HasPrefix(words, ",") {
		words = " " + words
	}
	return h.last(func(p *Part) { p.note += words })
}

// Without keeps the last part from taking over flags of the node.
func (h Hint) Without(names ...string) Hint {
	return h.last(func(p *Part) { p.without = append(slices.Clip(p.without), names...) })
}

// Elsewhere is Without all flags of the node: the last part is for another node, or its
// words say which flags are meant.
func (h Hint) Elsewhere() Hint { return h.Without(NodeFlags...) }

// Then is this hint and a further one, with words between them, such as "; ".
func (h Hint) Then(between string, next Hint) Hint {
	switch {
	case len(h) == 0:
		return next
	case len(next) == 0:
		return h
	}
	next = slices.Clone(next)
	next[0].lead = between + next[0].lead
	return slices.Concat(h, next)
}

// As makes whole commands of flags for the command that was typed, where that is not
// the one that takes them.
func (h Hint) As(command string) Hint {
	out := slices.Clone(h)
	for i, p := range out {
		if !p.whole && p.text == nil {
			out[i].Command, out[i].whole = command, true
		}
	}
	return out
}

// First is the first of some hints that is one.
func First(hints ...Hint) Hint {
	for _, h := range hints {
		if len(h) > 0 {
			return h
		}
	}
	return nil
}

func (h Hint) add(flags ...Option) Hint {
	return h.last(func(p *Part) { p.Flags = append(slices.Clip(p.Flags), flags...) })
}

// last is the hint with another last part; the hint itself stays as it is.
func (h Hint) last(change func(*Part)) Hint {
	if len(h) == 0 {
		return nil
	}
	out := slices.Clone(h)
	change(&out[len(out)-1])
	return out
}

func option(name string, value any, form Form) Option {
	_, onNode := value.(Path)
	return Option{name, fmt.Sprint(value), form, onNode}
}
