package changes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"auditpatch/internal/lazyregexp"
)

const (
	mostLines = 40  // of one change; JSON has all
	mostValue = 160 // characters of one value
)

// Text is the change as lines for people, indented, without line ends. show makes a text
// safe for a terminal.
func (c Change) Text(show func(string) string) (out []string) {
	if head := c.head(); head != "" {
		out = append(out, "  "+show(head))
	}
	var all []string
	for _, l := range c.Lines {
		if all = append(all, l.text()...); len(all) > 10*mostLines {
			break
		}
	}
	for i, text := range all {
		if i == mostLines {
			out = append(out, "    ... more: -o json has all")
			break
		}
		out = append(out, "  "+show(text))
	}
	return out
}

// head says in words what the lines are.
func (c Change) head() string {
	words := []string{string(c.Known)}
	switch c.Known {
	case Difference, Asked, Refused, DryRun, NotInLog, Deleted:
		words = nil
	}
	if c.Patch != "" {
		words = append(words, c.Patch)
	}
	if s := c.Since; s != nil {
		text := "compared with " + s.Time
		switch {
		case s.Exact:
			text += ", the state that it replaced"
		case s.Between == 1:
			text += "; a change in between is in the log without the object"
		case s.Between > 1:
			text += fmt.Sprintf("; %d changes in between are in the log without the object", s.Between)
		}
		words = append(words, text)
	}
	return strings.Join(append(words, c.Notes...), "; ")
}

// text is a line, or one for each value in what was added, removed or set.
func (l Line) text() []string {
	switch l.Op {
	case Changed:
		if l.Hidden {
			return []string{"  " + l.Path.String() + ": changed " + NotShown}
		}
		return []string{"  " + l.Path.String() + ": " + value(l.From) + " -> " + value(l.To)}
	case Ordered:
		return []string{"  " + l.Path.String() + ": order is now " + value(l.To)}
	case Added:
		return leaves("+ ", l.Path, l.To)
	case Removed:
		if l.From == nil {
			return []string{"- " + l.Path.String()}
		}
		return leaves("- ", l.Path, l.From)
	case Set:
		return leaves("= ", l.Path, l.To)
	case Moved, Copied:
		from, _ := l.From.(Path)
		return []string{string(l.Op) + " " + from.String() + " to " + l.Path.String()}
	}
	return leaves(string(l.Op)+" ", l.Path, l.To)
}

// leaves are the single values in a value. The name of an element stands in its path.
func leaves(sign string, at Path, v any) (out []string) {
	if len(at) < maxDepth {
		switch v := v.(type) {
		case map[string]any:
			if by := at[max(0, len(at)-1):]; len(v) > 1 && len(by) > 0 && by[0].By != "" {
				v = maps.Clone(v)
				delete(v, by[0].By)
			}
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if out = append(out, leaves(sign, at.to(field(name)), v[name])...); len(out) > 10*mostLines {
					return out
				}
			}
		case []any:
			out = listLeaves(sign, at, v)
		}
	}
	if len(out) > 0 {
		return out
	}
	if len(at) == 0 {
		return []string{sign + value(v)}
	}
	return []string{sign + at.String() + ": " + value(v)}
}

func listLeaves(sign string, at Path, list []any) (out []string) {
	by := keyOf(list)
	for i, e := range list {
		to := at.to(position(i))
		if by != "" {
			to = at.to(element(by, nameIn(e, by)))
		}
		if out = append(out, leaves(sign, to, e)...); len(out) > 10*mostLines {
			return out
		}
	}
	return out
}

// plainValue is text that cannot be taken for anything else.
var plainValue = lazyregexp.New(`^[\pL\pN._/@%+*-]([\pL\pN\pS\pP ]*[\pL\pN\pS\pP])?$`)

// value is a value for people, cut when it is long.
func value(v any) string {
	if _, hidden := v.(notShown); hidden {
		return NotShown
	}
	text, isText := v.(string)
	if !isText || !plainValue().MatchString(text) || strings.Contains(text, " -> ") || looksTyped(text) {
		text = compact(v)
	}
	if utf8.RuneCountInString(text) <= mostValue {
		return text
	}
	return string([]rune(text)[:mostValue]) + fmt.Sprintf("... (%d bytes)", len(text))
}

// looksTyped says whether a text would be read as a number, a boolean or null.
func looksTyped(text string) bool {
	var v any
	return json.Unmarshal([]byte(text), &v) == nil
}

func compact(v any) string {
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if out.Encode(v) != nil {
		return "?"
	}
	return strings.TrimSuffix(b.String(), "\n")
}
