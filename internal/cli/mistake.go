package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
	"auditpatch/presets"
)

// unknownCommand names the command that was probably meant.
func (p *program) unknownCommand(c *cli.Context) error {
	word, path := c.Args().First(), strings.TrimSpace(c.Command.HelpName)
	if path == "" {
		path = c.App.Name
	}
	commands := c.App.Commands
	if c.Command != nil && len(c.Command.Subcommands) > 0 {
		commands = c.Command.Subcommands
	}
	var names []string
	for _, cmd := range commands {
		names = append(names, cmd.Name)
	}
	next := commandOf(path).Switch("help")
	if best := spelling.Nearest(word, names); best != "" {
		next = p.retyped(len(p.words)-c.NArg(), best)
	}
	return hint.Errorf(next, "unknown command %q", strings.TrimPrefix(path+" "+word, "auditpatch "))
}

// usageError turns the flag parser's words into an error with a hint.
func (p *program) usageError(c *cli.Context, err error, _ bool) error {
	const undefined = "flag provided but not defined: -"
	msg := err.Error()
	name := c.Command.HelpName
	if name == "" {
		name = c.App.Name
	}
	next := commandOf(name).Switch("help")
	if !strings.HasPrefix(msg, undefined) {
		return hint.Errorf(next, "%s", msg)
	}
	wrong := strings.TrimLeft(strings.TrimPrefix(msg, undefined), "-")
	if best := nearestFlag(c, wrong); best != nil {
		if at := p.unknownAt(c, len(strings.Fields(name))); at > 0 && p.fits(at, best) {
			next = p.retyped(at, renamed(p.words[at], best.Names()[0]))
		}
	}
	return hint.Errorf(next, "unknown flag --%s", wrong)
}

func nearestFlag(c *cli.Context, wrong string) cli.Flag {
	var names []string
	for _, f := range c.Command.Flags {
		names = append(names, f.Names()...)
	}
	return flagNamed(c, spelling.Nearest(wrong, names))
}

func flagNamed(c *cli.Context, name string) cli.Flag {
	for _, f := range c.Command.Flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// unknownAt is where the flag parser has met a flag that it does not know, from a word
// on; 0 when that cannot be told.
func (p *program) unknownAt(c *cli.Context, from int) int {
	return p.flagAt(c, from, func(f cli.Flag) bool { return f == nil })
}

// flagAt is where the first flag is that is looked for, nil for an unknown one, from a
// word on; 0 for none. What looks like a flag may be the value of another.
func (p *program) flagAt(c *cli.Context, from int, wanted func(cli.Flag) bool) int {
	for i := from; i < len(p.words); i++ {
		name, joined := flagIn(p.words[i])
		f := flagNamed(c, name)
		switch {
		case name == "":
			return 0
		case wanted(f):
			return i
		case !joined && f != nil && takesValue(f):
			i++
		}
	}
	return 0
}

// leftOut is the command line without a flag that takes a value. A task is not typed,
// and has another hint.
func (p *program) leftOut(c *cli.Context, flag string, ofTask hint.Hint) hint.Hint {
	if p.reader != nil {
		return ofTask
	}
	at := p.flagAt(c, len(strings.Fields(c.Command.HelpName)), func(f cli.Flag) bool { return f != nil && slices.Contains(f.Names(), flag) })
	if at == 0 {
		return commandOf(c.Command.HelpName).Switch("help")
	}
	next := at + 1
	if _, joined := flagIn(p.words[at]); !joined {
		next++
	}
	return hint.Command("").Typed(slices.Concat(p.words[1:at], p.words[next:])...)
}

// flagIn is the name of the flag that a word is, "" for none.
func flagIn(word string) (name string, joined bool) {
	if !strings.HasPrefix(word, "-") {
		return "", false
	}
	name, _, joined = strings.Cut(strings.TrimLeft(word, "-"), "=")
	return name, joined
}

func takesValue(f cli.Flag) bool {
	_, isSwitch := plain(f).(*cli.BoolFlag)
	return !isSwitch
}

// fits tells whether a flag can take the place of the word at. One that is given
// already would override what was typed, and one that lacks its value would take the
// next flag for it.
func (p *program) fits(at int, f cli.Flag) bool {
	if _, joined := flagIn(p.words[at]); !joined && takesValue(f) && (at+1 == len(p.words) || strings.HasPrefix(p.words[at+1], "-")) {
		return false
	}
	return !p.gives(f)
}

// gives tells whether a flag that is given once stands on the command line.
func (p *program) gives(f cli.Flag) bool {
	if _, repeats := plain(f).(*cli.StringSliceFlag); repeats {
		return false
	}
	return slices.ContainsFunc(p.words, func(w string) bool {
		name, _ := flagIn(w)
		return slices.Contains(f.Names(), name)
	})
}

// renamed is a word that is a flag, as another flag with the same value.
func renamed(word, name string) string {
	if _, value, joined := strings.Cut(word, "="); joined {
		return "--" + name + "=" + value
	}
	return "--" + name
}

// retyped is the command line with other words in the place of one. It is made of what
// was typed, so that nothing is lost: without --dry-run a hint would change the node.
func (p *program) retyped(at int, words ...string) hint.Hint {
	return hint.Command("").Typed(slices.Concat(p.words[1:at], words, p.words[at+1:])...)
}

// commandOf is a command as a hint, by its name with the program's in front.
func commandOf(helpName string) hint.Hint {
	return hint.Command(strings.TrimSpace(strings.TrimPrefix(helpName, "auditpatch")))
}

// positional refuses an argument without a flag: the flag parser stops at the
// first one, and would silently drop the flags behind it.
func (p *program) positional(c *cli.Context) error {
	word, at := c.Args().First(), len(p.words)-c.NArg()
	next := commandOf(c.Command.HelpName).Switch("help")
	// Behind "--" nothing is a flag.
	if f := guessFlag(c, word); f != nil && !p.gives(f) && !slices.Contains(p.words[:at], "--") {
		next = p.retyped(at, "--"+f.Names()[0], word)
	}
	// The two sides of a comparison, as for diff(1).
	if from, to := flagNamed(c, "from"), flagNamed(c, "to"); from != nil && to != nil && at > 0 && at+1 < len(p.words) && !p.gives(from) && !p.gives(to) && !strings.HasPrefix(p.words[at+1], "-") {
		next = hint.Command("").Typed(slices.Concat(p.words[1:at], []string{"--from", word, "--to"}, p.words[at+1:])...)
	}
	return hint.Errorf(next, "unexpected argument %q: everything is given with flags", word)
}

// guessFlag is the flag that a lone word was probably meant for.
func guessFlag(c *cli.Context, word string) cli.Flag {
	has := func(name string) bool { return flagNamed(c, name) != nil }
	switch {
	case has("preset") && presets.Has(word):
		return flagNamed(c, "preset")
	case has("policy") && (strings.Contains(word, "policy") || c.Command.Name == "lint"):
		return flagNamed(c, "policy")
	case has("from") && !c.IsSet("from"):
		return flagNamed(c, "from")
	case has("to"):
		return flagNamed(c, "to")
	case has("log") && (strings.Contains(word, ".log") || strings.HasSuffix(word, ".gz") || strings.HasSuffix(word, ".json")):
		return flagNamed(c, "log")
	case has("manifest") && strings.ContainsAny(word, "/.") && !strings.Contains(word, "://"):
		return flagNamed(c, "manifest")
	}
	return nil
}
