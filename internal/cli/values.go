package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/hint"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
)

// checkValues refuses what no flag can mean, for all flags of a command. An empty
// value is most often a variable of a script that is not set: --root "$DIR" would
// then be this machine. Only kube-apiserver's own flags take one, to be taken out.
func checkValues(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		if name := f.Names()[0]; c.IsSet(name) {
			if err := checkValue(c, f, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkValue(c *cli.Context, f cli.Flag, name string) error {
	if f.(cli.CategorizableFlag).GetCategory() == auditCategory {
		return nil
	}
	switch plain(f).(type) {
	case *cli.DurationFlag:
		if d := c.Duration(name); d <= 0 {
			return hint.Errorf(valued(f, name), "--%s %s: the time has to be longer than none", name, d)
		}
		return nil
	case *cli.StringSliceFlag:
		for _, value := range c.StringSlice(name) {
			if strings.TrimSpace(value) == "" {
				return empty(f, name, value)
			}
		}
		return nil
	case *cli.BoolFlag, *cli.IntFlag:
		return nil
	}
	value := c.String(name)
	if strings.TrimSpace(value) == "" {
		return empty(f, name, value)
	}
	switch name {
	case "restart":
		_, err := rollout.ParseRestart(value)
		return err
	case "rehearse":
		_, err := rehearsal.ParseWhen(value)
		return err
	}
	return nil
}

// plain is a flag without what it is wrapped in.
func plain(f cli.Flag) cli.Flag {
	if named, ok := f.(namedFlag); ok {
		return named.fullFlag
	}
	return f
}

func empty(f cli.Flag, name, value string) error {
	return hint.Errorf(valued(f, name).Then("; ", hint.Words("or leave it out")), "--%s %q: the value is empty", name, value)
}

// valued is a flag with its default, or with the name of its value.
func valued(f cli.Flag, name string) hint.Hint {
	doc := f.(cli.DocGenerationFlag)
	value := strings.Trim(doc.GetDefaultText(), `"`)
	if parts := strings.Split(doc.GetUsage(), "`"); value == "" && len(parts) == 3 {
		value = parts[1] // what stands between `backquotes` is the name of the value
	}
	if value == "" {
		value = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	}
	return hint.Flag(name, value)
}

// asksForJSON tells whether a command line asks for JSON, also one that cannot be
// read to its end.
func asksForJSON(args []string) (asked bool) {
	for i, a := range args {
		name, value, has := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !strings.HasPrefix(a, "-") || name != "o" && name != "output" {
			continue
		}
		if !has && i+1 < len(args) {
			value = args[i+1]
		}
		asked = value == "json"
	}
	return asked
}

// refuseText refuses a command line that has the text of a file in it, wherever it
// stands. It may have credentials, and every message about a value that cannot be
// read, or about a path that is not there, would repeat it.
func refuseText(args []string) error {
	flag := "" // that the next word is the value of
	for i, a := range args {
		value := a
		if strings.HasPrefix(a, "-") && i > 0 && !isPEM(a) {
			name, given, has := strings.Cut(strings.TrimLeft(a, "-"), "=")
			if flag, value = name, given; !has && !IsText(name) {
				continue
			}
		}
		switch {
		case i == 0 || !IsText(value):
		case flag == "" || IsText(flag):
			return hint.Errorf(hint.Command("").Switch("help"), "an argument is the text of a file, where a command or a flag belongs")
		case slices.Contains(fileFlags, flag):
			return notText(flag)
		default:
			return hint.Errorf(hint.Command("").Switch("help"), "--%s: it takes one line, not the text of a file", flag)
		}
		flag = ""
	}
	return nil
}

func isPEM(text string) bool { return strings.HasPrefix(text, "-----BEGIN") }
