package hint

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Node is what a command line says of the node that it works on: those of
// [NodeFlags] whose values are not the default.
type Node []Option

// NodeFlags are the flags that name a node.
var NodeFlags = []string{"manifest", "root", "state-dir"}

// nodeCommands know all of NodeFlags.
var nodeCommands = []string{"enable", "diff", "status", "disable", "restore", "recover", "doctor", "policy verdict", "policy simulate", "policy retention", "policy trim", "events"}

// filters are those that also take a manifest from standard input.
var filters = []string{"enable", "diff", "status", "disable", "policy verdict", "events"}

// OnNode tells whether a command knows the flags that name a node.
func OnNode(command string) bool { return slices.Contains(nodeCommands, command) }

// In is the hint for whoever has typed a command line that names a node: whole
// commands name the same one, and paths on the node lie below its root.
func (h Hint) In(n Node) Hint {
	out := slices.Clone(h)
	for i := range out {
		out[i] = out[i].In(n)
	}
	return out
}

// In is the part for whoever has typed a command line that names a node.
func (p Part) In(n Node) Part {
	if p.text != nil {
		p.text = p.text.in(n)
		return p
	}
	p.Flags = slices.Clone(p.Flags)
	for i, f := range p.Flags {
		if f.onNode {
			p.Flags[i].Value, p.Flags[i].onNode = n.below(f.Value), false
		}
	}
	if !p.whole || !OnNode(p.Command) || p.has("help") {
		return p
	}
	var own []Option
	for _, f := range n {
		if !p.has(f.Name) && !slices.Contains(p.without, f.Name) && p.takes(f) {
			own = append(own, f)
		}
	}
	// First, since a flag without a value would take the next word for it.
	p.Flags = append(own, p.Flags...)
	return p
}

// takes tells whether the command can work on what a flag names.
func (p Part) takes(f Option) bool {
	return f.Name != "manifest" || f.Value != "-" || slices.Contains(filters, p.Command)
}

func (p Part) has(flag string) bool {
	return slices.ContainsFunc(p.Flags, func(f Option) bool {
		typed, _, _ := strings.Cut(f.Value, "=")
		return f.Name == flag || f.Name == "" && typed == "--"+flag
	})
}

func (t text) in(n Node) *text {
	args := slices.Clone(t.args)
	for i, a := range args {
		switch a := a.(type) {
		case Path:
			args[i] = n.below(string(a))
		case Hint:
			args[i] = a.In(n)
		}
	}
	t.args = args
	return &t
}

// below is where a path of the node is to be found from here.
func (n Node) below(name string) string {
	for _, f := range n {
		if f.Name == "root" {
			return path.Join(f.Value, name)
		}
	}
	return name
}

// String is the hint as a line for a shell.
func (h Hint) String() string { return h.Say(Part.String) }

// Say is the hint as a line, each part in the words of somebody else.
func (h Hint) Say(part func(Part) string) string {
	var b strings.Builder
	for _, p := range h {
		b.WriteString(p.lead + part(p) + p.note)
	}
	return b.String()
}

// MarshalText is how JSON has a hint.
func (h Hint) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is for whoever reads that JSON back: the line as words.
func (h *Hint) UnmarshalText(line []byte) error {
	*h = nil
	if len(line) > 0 {
		*h = Words("%s", string(line))
	}
	return nil
}

// Equal tells whether two hints read the same.
func (h Hint) Equal(other Hint) bool { return h.String() == other.String() }

// String is the part for a shell, without the words around it.
func (p Part) String() string {
	if p.text != nil {
		return p.text.String()
	}
	var words []string
	if p.whole {
		words = append(words, "auditpatch")
	}
	if p.Command != "" {
		words = append(words, p.Command)
	}
	for _, f := range p.Flags {
		words = append(words, f.String())
	}
	return strings.Join(words, " ")
}

// String is the flag for a shell.
func (o Option) String() string {
	name := "--" + o.Name
	if len(o.Name) == 1 {
		name = "-" + o.Name
	}
	switch {
	case o.Name == "":
		return typed(o.Value)
	case o.Form == Alone:
		return name
	case o.Form == Apart:
		return name + " " + quoted(o.Value)
	case o.Value == "":
		return name + "="
	}
	return name + "=" + quoted(o.Value)
}

func (t text) String() string {
	if len(t.args) == 0 {
		return t.format
	}
	args := slices.Clone(t.args)
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = t.word(a)
		case Path:
			args[i] = t.word(string(a))
		case Hint:
			args[i] = t.word(a.String())
		}
	}
	return fmt.Sprintf(t.format, args...)
}

func (t text) word(s string) string {
	if t.shell {
		return quoted(s)
	}
	return s
}

// typed is a word of a command line for a shell: of a flag only the value is quoted.
func typed(word string) string {
	name, value, joined := strings.Cut(word, "=")
	if joined && strings.HasPrefix(name, "-") && value != "" && quoted(name) == name {
		return name + "=" + quoted(value)
	}
	return quoted(word)
}

// quoted is a word as a shell reads it back.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
