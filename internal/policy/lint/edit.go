package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	sigsyaml "sigs.k8s.io/yaml"
)

// Fix is a change of the text that mends a finding.
type Fix struct {
	Does string // what is changed
	// Changes says how decisions about requests differ afterwards; empty when each
	// stays as it was.
	Changes string
	Edits   []Edit

	change change // the same on the content, as the proof
}

// Edit replaces the bytes from Start up to End.
type Edit struct {
	Start, End int
	New        string
}

// change is an edit of the decoded content.
type change struct {
	path string
	kind changeKind
	to   any // the new value, or the new name of the key
}

type changeKind int

const (
	setValue   changeKind = iota
	dropItem              // an item of a list
	dropKey               // a field
	renamedKey            // a field's name
)

// value is the text of a scalar.
func (l *linter) value(path string) (string, bool) {
	if l.text == nil {
		return "", false
	}
	span, ok := l.text.Value(path)
	if !ok {
		return "", false
	}
	text := string(l.src[span.Start:span.End])
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') {
		return text[1 : n-1], true
	}
	return text, true
}

// replace gives a scalar another value. It keeps the quotes, and sets some where
// the new value needs them.
func (l *linter) replace(path, to, does, changes string) *Fix {
	if l.text == nil || l.full {
		return nil
	}
	span, ok := l.text.Value(path)
	if !ok {
		return nil
	}
	text := to
	switch old := l.src[span.Start]; {
	case old == '"' || old == '\'':
		text = string(old) + to + string(old)
	case !isPlain(to):
		text = strconv.Quote(to)
	}
	return &Fix{Does: does, Changes: changes, Edits: []Edit{{span.Start, span.End, text}}, change: change{path, setValue, to}}
}

// isPlain reports whether a text is a string to a YAML parser as it stands, also
// in brackets.
func isPlain(text string) bool {
	var v any
	err := sigsyaml.Unmarshal([]byte("["+text+"]"), &v)
	return err == nil && reflect.DeepEqual(v, []any{text})
}

// quote writes a scalar as the string, or the list of one string, that its field
// takes.
func (l *linter) quote(path string) *Fix {
	span, ok := l.text.Value(path)
	if !ok || strings.HasSuffix(path, "omitManagedFields") {
		return nil
	}
	text := string(l.src[span.Start:span.End])
	quoted := text
	if text[0] != '"' && text[0] != '\'' && !isPlain(text) {
		quoted = strconv.Quote(text)
	}
	value, _ := l.value(path)
	fix := &Fix{Does: fmt.Sprintf("%s becomes %s", text, quoted), Changes: thenAccepted, Edits: []Edit{{span.Start, span.End, quoted}}, change: change{path, setValue, value}}
	if m := ruleField().FindStringSubmatch(path); m != nil {
		switch m[2] {
		case "users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "omitStages", "resourceNames":
		case "resources":
			if m[1] == "" {
				return nil
			}
		case "group", "level":
			return fix
		default:
			return nil
		}
		fix.Edits[0].New = "[" + quoted + "]"
		fix.Does, fix.change.to = fmt.Sprintf("%s becomes [%s]", text, quoted), []any{value}
	}
	return fix
}

// renameKey gives a field its right name.
func (l *linter) renameKey(path, to string) *Fix {
	span, ok := l.text.Key(path)
	if !ok {
		return nil
	}
	from := path[strings.LastIndex(path, ".")+1:]
	if span.End-span.Start != len(from) {
		return nil // in quotes
	}
	return &Fix{Does: fmt.Sprintf("%q becomes %q", from, to),
		Changes: "kube-apiserver ignored the field, and the rule took more requests; now it counts",
		Edits:   []Edit{{span.Start, span.End, to}}, change: change{path, renamedKey, to}}
}

// dropItem takes an item out of a list that has others.
func (l *linter) dropItem(list string, index int, does, changes string) *Fix {
	path := fmt.Sprintf("%s[%d]", list, index)
	if l.text == nil || l.full {
		return nil
	}
	span, ok := l.text.Value(path)
	if !ok {
		return nil
	}
	edit := Edit{Start: span.Start, End: span.End}
	if l.text.InFlow(list) {
		ok = l.cutInBrackets(&edit)
	} else {
		ok = l.cutLine(&edit, "-")
	}
	if !ok {
		return nil
	}
	return &Fix{Does: does, Changes: changes, Edits: []Edit{edit}, change: change{path, dropItem, nil}}
}

// cutInBrackets widens an edit to the comma beside the item.
func (l *linter) cutInBrackets(e *Edit) bool {
	before := bytes.TrimRight(l.src[:e.Start], " \t\r\n")
	if bytes.HasSuffix(before, []byte(",")) {
		e.Start = len(before) - 1
		return true
	}
	rest := bytes.TrimLeft(l.src[e.End:], " \t")
	if !bytes.HasPrefix(rest, []byte(",")) {
		return false
	}
	rest = bytes.TrimLeft(rest[1:], " \t")
	e.End = len(l.src) - len(rest)
	return true
}

// cutLine widens an edit to the whole line, when nothing else stands on it but
// what comes before the value.
func (l *linter) cutLine(e *Edit, lead string) bool {
	start := bytes.LastIndexByte(l.src[:e.Start], '\n') + 1
	end := len(l.src)
	if i := bytes.IndexByte(l.src[e.End:], '\n'); i >= 0 {
		end = e.End + i + 1
	}
	if string(bytes.TrimSpace(l.src[start:e.Start])) != lead || len(bytes.TrimSpace(l.src[e.End:end])) > 0 {
		return false
	}
	e.Start, e.End = start, end
	return true
}

// dropField takes a field whose value is a list of one scalar out of its mapping.
// It must stand on lines of its own.
func (l *linter) dropField(path, does, changes string) *Fix {
	if l.text == nil || l.full {
		return nil
	}
	key, ok := l.text.Key(path)
	item, ok2 := l.text.Value(path + "[0]")
	if !ok || !ok2 || item.Start < key.End {
		return nil
	}
	between := string(l.src[key.End:item.Start])
	edit := Edit{Start: key.Start, End: item.End}
	switch strings.Join(strings.Fields(between), "") {
	case ":[":
		rest := string(l.src[item.End:])
		trimmed := strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(trimmed, "]") {
			return nil
		}
		edit.End = len(l.src) - len(trimmed) + 1
	case ":-":
	default:
		return nil
	}
	if !l.cutLine(&edit, "") {
		return nil
	}
	return &Fix{Does: does, Changes: changes, Edits: []Edit{edit}, change: change{path, dropKey, nil}}
}

// decoded is the content of a text, as kube-apiserver's parser reads it.
func decoded(text []byte) (any, error) {
	out, err := sigsyaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var tree any
	return tree, json.Unmarshal(out, &tree)
}

// apply carries the change out on the content; false when there is no such place.
func (c change) apply(tree any) (any, bool) {
	return c.walk(tree, steps(c.path))
}

func (c change) walk(at any, path []any) (any, bool) {
	if len(path) == 0 {
		return c.to, c.kind == setValue
	}
	switch step := path[0].(type) {
	case string:
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		return c.inMapping(m, step, path[1:])
	case int:
		list, ok := at.([]any)
		if !ok || step >= len(list) {
			return nil, false
		}
		if c.kind == dropItem && len(path) == 1 {
			return slices.Delete(list, step, step+1), true
		}
		list[step], ok = c.walk(list[step], path[1:])
		return list, ok
	}
	return nil, false
}

func (c change) inMapping(m map[string]any, key string, rest []any) (any, bool) {
	old, ok := m[key]
	if !ok {
		return nil, false
	}
	if len(rest) == 0 && c.kind != setValue {
		delete(m, key)
		if c.kind == renamedKey {
			if _, taken := m[c.to.(string)]; taken {
				return nil, false
			}
			m[c.to.(string)] = old
		}
		return m, c.kind != dropItem
	}
	m[key], ok = c.walk(old, rest)
	return m, ok
}

// steps are the keys and indices of a path.
func steps(path string) (out []any) {
	for _, part := range strings.Split(path, ".") {
		key, indices, _ := strings.Cut(part, "[")
		if key != "" {
			out = append(out, key)
		}
		for _, index := range strings.Split(indices, "[") {
			if n, err := strconv.Atoi(strings.TrimSuffix(index, "]")); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}
