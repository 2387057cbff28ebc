package ansible

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/cli"
	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
)

// task is a task of Ansible: the flags of one command, with _ for - in their
// names, as YAML gives them.
type task struct {
	given       map[string]any  // the user's arguments
	settings    map[string]bool // those that stood in settings
	check, diff bool            // check mode, diff mode
	command     string
	line        []string
	contents    map[string][]byte // of files that were given as text, by flag
	node        hint.Node
}

// instead says how a task asks for what these flags do.
var instead = map[string]hint.Hint{
	"dry_run": hint.Shell("ansible-playbook --check"),
	"output":  hint.Words("register: RESULT"),
	"quiet":   hint.Words("register: RESULT"),
	"list":    hint.Shell("ansible NODE -m command -a %s", hint.Command("restore").Switch("list")),
}

// set is an argument with its value, where a hint is about the task itself and not about
// a flag.
func set(name, value string) hint.Hint { return hint.Words("%s: %s", name, value) }

// lookup is the text of a file, as a task has it.
const lookup = `"{{ lookup('file', 'FILE') }}"`

// flagsOf are one argument as flags of the command.
func (t *task) flagsOf(name string, value any) ([]string, error) {
	if better := instead[name]; better != nil {
		return nil, hint.Errorf(better, "%s: not an argument of a task", name)
	}
	f, isContent := argument(t.command, name)
	switch {
	case f == nil:
		return nil, t.unknown(name)
	case isContent:
		return t.content(strings.TrimSuffix(flagName(name), "-content"), name, value)
	}
	if f.Kind == cli.List {
		return listed(f, name, value)
	}
	if text, is := value.(string); is {
		if err := t.checkText(name, text); err != nil {
			return nil, err
		}
	}
	text, err := scalar(f, name, value)
	if err != nil {
		return nil, err
	}
	return []string{"--" + flagName(name) + "=" + text}, nil
}

func flagName(name string) string     { return strings.ReplaceAll(name, "_", "-") }
func argumentName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// argument is the flag of a command that an argument stands for, nil for none,
// and whether the argument has the text of that flag's file.
func argument(command, name string) (f *cli.Flag, isContent bool) {
	flag, isContent := strings.CutSuffix(name, "_content")
	if strings.Contains(name, "-") || instead[name] != nil {
		return nil, false
	}
	for _, f := range cli.FlagsOf(command) {
		if f.Name == flagName(flag) && (f.IsFile || !isContent) {
			return &f, isContent
		}
	}
	return nil, false
}

// unknown refuses an argument that the task's command does not know. Of the
// settings, those of other states are left aside: one set serves all states.
func (t *task) unknown(name string) error {
	names := []string{"state", "settings"}
	for _, s := range states {
		if f, _ := argument(s.command, name); f != nil && t.settings[name] {
			return nil
		} else if f != nil {
			return hint.Errorf(set("state", s.name), "%s goes with state: %s", name, s.name)
		}
		for _, f := range cli.FlagsOf(s.command) {
			own := argumentName(f.Name)
			for _, n := range []string{own, own + "_content"} {
				if f, _ := argument(s.command, n); f != nil {
					names = append(names, n)
				}
			}
		}
	}
	if best := spelling.Nearest(name, names); best != "" {
		return hint.Errorf(set(best, "..."), "unknown argument %q: did you mean %q?", name, best)
	}
	return hint.Errorf(hint.Command(t.command).Switch("help"), "unknown argument %q", name)
}

// content takes a file's text from the task itself. It never lies on a disk but
// where enable installs it.
func (t *task) content(flag, name string, value any) ([]string, error) {
	if _, both := t.given[argumentName(flag)]; both {
		return nil, hint.Errorf(set(name, "..."), "%s and %s exclude each other", argumentName(flag), name)
	}
	var text string
	switch value := value.(type) {
	case string:
		text = value
	case map[string]any: // written in the playbook, or JSON that Ansible has read for us
		data, err := yaml.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text = string(data)
	default:
		return nil, hint.Errorf(set(name, lookup), "%s: it takes the text of a file", name)
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n" // which lookup('file') takes away
	}
	t.contents[flag] = []byte(text)
	return []string{"--" + flag + "=" + name}, nil
}

// checkText refuses what cannot be meant as a path on the node, or as one line. It
// does not repeat the value: it may be a key.
func (t *task) checkText(name, text string) error {
	f, _ := argument(t.command, name)
	switch isFile := f != nil && f.IsFile; {
	case isFile && cli.IsText(text):
		return hint.Errorf(set(name+"_content", "..."), "%s: it takes a path on the node, not the text of a file", name)
	case cli.IsText(text):
		return hint.Errorf(set(name, "VALUE"), "%s: it takes one line, not the text of a file", name)
	case isFile && text == "-":
		return hint.Errorf(set(name+"_content", lookup), "%s: a task has no standard input", name)
	case name == "manifest" && text == "-":
		return hint.Errorf(set("manifest", cli.DefaultManifest), "manifest: a task has no standard input")
	}
	return nil
}

// listed is an argument that may be a list, as repeated flags.
func listed(f *cli.Flag, name string, value any) ([]string, error) {
	items, ok := value.([]any)
	if !ok {
		items = []any{value}
	}
	var out []string
	for _, item := range items {
		text, err := scalar(f, name, item)
		if err != nil {
			return nil, err
		}
		out = append(out, "--"+f.Name+"="+text)
	}
	return out, nil
}

// scalar is a value as a flag takes it.
func scalar(f *cli.Flag, name string, value any) (string, error) {
	text, err := plainText(f, name, value)
	if err != nil {
		return "", err
	}
	_, isNumber := value.(json.Number)
	switch f.Kind {
	case cli.Switch:
		return truth(name, text)
	case cli.Duration:
		if _, err := time.ParseDuration(text); err != nil {
			return "", hint.Errorf(set(name, "5m"), "%s: %q is not a duration", name, text)
		}
	}
	if name == "log_file_mode" && isNumber {
		// YAML reads 0640 as 416, and here nobody can tell.
		return "", hint.Errorf(set(name, `"0640"`), "%s: quote the mode, or YAML reads it as a decimal or octal number", name)
	}
	return text, nil
}

// plainText is one value as text.
func plainText(f *cli.Flag, name string, value any) (string, error) {
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return plainNumber(value), nil
	case bool:
		if f.Kind != cli.Switch {
			return "", hint.Errorf(set(name, `"..."`), "%s: %v is a boolean; quote a word that is not meant as one", name, value)
		}
		return strconv.FormatBool(value), nil
	case []any:
		return "", hint.Errorf(set(name, "VALUE"), "%s: it takes one value, not a list", name)
	}
	return "", hint.Errorf(set(name, "VALUE"), "%s: it takes one value, not a mapping", name)
}

// plainNumber is a number as people write it: 30 for 30.0 and 3e1.
func plainNumber(n json.Number) string {
	f, err := n.Float64()
	if _, isInt := n.Int64(); isInt == nil || err != nil {
		return n.String()
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// truth reads a boolean in any of Ansible's spellings.
func truth(name, text string) (string, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1", "y", "t":
		return "true", nil
	case "false", "no", "off", "0", "n", "f":
		return "false", nil
	}
	return "", hint.Errorf(set(name, "true"), "%s: %q is not a boolean", name, text)
}

// quoted is a value for a message.
func quoted(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	return string(data)
}
