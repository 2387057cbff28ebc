package ansible

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/cli"
	"auditpatch/internal/hint"
	"auditpatch/internal/typed"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"

	"auditpatch/internal/lazyregexp"
)

// hiddenValue is what Ansible itself puts in the place of secrets.
const hiddenValue = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

// shown are the arguments without secrets: what is not known to be harmless is
// hidden, also under a misspelt name.
func (t *task) shown() map[string]any {
	out := map[string]any{}
	for name, value := range t.given {
		out[typed.Public(name)] = shownValue(name, value)
	}
	return out
}

// typed are the names and values of the arguments.
func (t *task) typed() typed.Values { return typed.Of(texts(t.given)) }

// texts are all words in a value. What is the text of a file is no word, and is never
// repeated.
func texts(value any) (out []string) {
	switch value := value.(type) {
	case string:
		if !cli.IsText(value) {
			out = append(out, value)
		}
	case []any:
		for _, item := range value {
			out = append(out, texts(item)...)
		}
	case map[string]any:
		for name, item := range value {
			out = append(append(out, name), texts(item)...)
		}
	}
	return out
}

// shownValue is the value of an argument without what may be secret. Of a URL, also in a
// list, the host is shown.
func shownValue(name string, value any) any {
	switch value := value.(type) {
	case bool, json.Number:
		return value
	case []any:
		out := []any{}
		for _, v := range value {
			out = append(out, shownValue(name, v))
		}
		return out
	case map[string]any:
		if text, err := yaml.Marshal(value); name == "policy_content" && err == nil && patch.IsPolicy(text) {
			return value
		}
	case string:
		if strings.Contains(value, "://") {
			return cmp.Or(webhookconfig.PublicURL(value), hiddenValue)
		}
		isContent, known := knownArgument(name)
		policy := name == "policy_content" && patch.IsPolicy([]byte(value))
		if policy || name != "webhook_url" && known && !isContent && !cli.IsText(value) {
			return value
		}
	}
	return hiddenValue
}

// knownArgument tells whether there is such an argument for any state.
func knownArgument(name string) (isContent, known bool) {
	for _, s := range states {
		if f, isContent := argument(s.command, name); f != nil {
			return isContent, true
		}
	}
	return false, name == "state"
}

var flagInText = lazyregexp.New(`--([a-z][a-z0-9-]*)`)

// words replaces the flags of a message by the arguments that stand for them. Messages
// are texts, unlike hints: most name a flag in the midst of a sentence, and many come
// from errors that wrap others. What stands in one and is no argument of this task
// stays as it is.
func (t *task) words(message string) string {
	return flagInText().ReplaceAllStringFunc(message, func(flag string) string {
		if f, _ := argument(t.command, argumentName(flag[2:])); f == nil {
			return flag
		}
		return t.named(flag[2:])
	})
}

// named is the argument that the user gave a flag with.
func (t *task) named(flag string) string {
	if _, given := t.contents[flag]; given {
		return argumentName(flag) + "_content"
	}
	return argumentName(flag)
}

// warnings are lines that Ansible prints.
func (t *task) warnings(problems []patch.Problem) (lines []string) {
	for _, w := range problems {
		line := t.words(w.Message)
		if len(w.Hint) > 0 {
			line += " (" + t.hint(w.Hint) + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// hint is a hint in the words of a task.
func (t *task) hint(h hint.Hint) string { return h.Say(t.part) }

// part makes arguments of flags for this task's own command. Another command, or one
// without flags, is for a shell on the node.
func (t *task) part(p hint.Part) string {
	own := p.Command == "" || p.Command == t.command
	if !own || len(p.Flags) == 0 || slices.ContainsFunc(p.Flags, func(o hint.Option) bool { return t.flag(o) == nil }) {
		return t.withFiles(p).In(t.node).String()
	}
	var lines []string
	for _, o := range p.Flags {
		lines = append(lines, t.argument(o))
	}
	return strings.Join(lines, " ")
}

// flag is the flag of this task's command that an option gives, nil for another's.
func (t *task) flag(o hint.Option) *cli.Flag {
	f, _ := argument(t.command, argumentName(o.Name))
	return f
}

// argument is a flag with its value as a task has it.
func (t *task) argument(o hint.Option) string {
	name := t.named(o.Name)
	switch {
	case o.Form != hint.Alone:
		return name + ": " + yamlValue(o.Value)
	case t.flag(o).Kind == cli.Switch:
		return name + ": true"
	}
	return name + ":"
}

// yamlValue is a value as YAML reads it back: a mode would be a number.
func yamlValue(value string) string {
	isNumber := strings.Trim(value, "0123456789") == "" && (len(value) == 1 || !strings.HasPrefix(value, "0"))
	switch text, err := yaml.Marshal(value); {
	case value == "":
		return `""`
	case err != nil, isNumber, value == "...", value == "true", value == "false":
		return value
	default:
		return strings.TrimSuffix(string(text), "\n")
	}
}

// withFiles has FILE for the texts that the task itself has: a shell has no such file.
func (t *task) withFiles(p hint.Part) hint.Part {
	p.Flags = slices.Clone(p.Flags)
	for i, o := range p.Flags {
		if _, given := t.contents[o.Name]; given && o.Value == t.named(o.Name) {
			p.Flags[i].Value = "FILE"
		}
	}
	return p
}
