package ansible

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/cli"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
)

// hiddenValue is what Ansible itself puts in the place of secrets.
const hiddenValue = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

// shown are the arguments without secrets: what is not known to be harmless is
// hidden, also under a misspelt name.
func (t *task) shown() map[string]any {
	out := map[string]any{}
	for name, value := range t.given {
		if out[name] = value; !isShown(name, value) {
			out[name] = hiddenValue
		}
		if text, isString := value.(string); isString && strings.Contains(text, "://") {
			out[name] = cmp.Or(webhookconfig.PublicURL(text), hiddenValue)
		}
	}
	return out
}

// isShown tells whether an argument can hold no secret.
func isShown(name string, value any) bool {
	isContent, known := knownArgument(name)
	switch value := value.(type) {
	case bool, json.Number:
		return true
	case []any:
		return !slices.ContainsFunc(value, func(v any) bool { return !isShown(name, v) })
	case map[string]any:
		text, err := yaml.Marshal(value)
		return name == "policy_content" && err == nil && patch.IsPolicy(text)
	case string:
		switch {
		case name == "policy_content":
			return patch.IsPolicy([]byte(value))
		case name == "webhook_url":
			return webhookconfig.PublicURL(value) != ""
		}
		return known && !isContent && !cli.IsText(value)
	}
	return false
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

var (
	flagInText = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)
	flagInHint = regexp.MustCompile(`--([a-z][a-z0-9-]*)(=\S*)?`)
)

// words replaces the flags of a message by the arguments that stand for them.
func (t *task) words(message string) string {
	return flagInText.ReplaceAllStringFunc(message, func(flag string) string {
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
		if w.Hint != "" {
			line += " (" + t.hint(w.Hint) + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// hint makes lines of a task of what is to be typed for this command. What is
// for a shell on the node stays as it is.
func (t *task) hint(hint string) string {
	clauses := strings.Split(hint, "; ")
	for i, clause := range clauses {
		words := strings.TrimPrefix(clause, "auditpatch COMMAND ")
		words = strings.TrimPrefix(words, "auditpatch "+t.command+" ")
		if lines := t.lines(words); !strings.HasPrefix(words, "auditpatch ") && !strings.Contains(lines, "--") {
			clauses[i] = lines
			continue
		}
		for flag := range t.contents {
			clauses[i] = strings.ReplaceAll(clauses[i], "--"+flag+" "+t.named(flag), "--"+flag+" FILE")
		}
	}
	return strings.Join(clauses, "; ")
}

// lines replaces --name=value by name: value.
func (t *task) lines(text string) string {
	return flagInHint.ReplaceAllStringFunc(text, func(word string) string {
		name, value, has := strings.Cut(word[2:], "=")
		f, _ := argument(t.command, argumentName(name))
		switch {
		case f == nil:
			return word
		case has && value == "":
			value = `""`
		case !has && f.Kind == cli.Switch:
			value = "true"
		case !has:
			return t.named(name) + ":"
		}
		return t.named(name) + ": " + value
	})
}
