package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// strict explains what the API server would log and then ignore: unknown
// fields, one by one, and keys that stand twice, all that the tree has.
func (e *explainer) strict(errs []error) {
	twice := false
	for _, err := range errs {
		var at json.FieldError
		if errors.As(err, &at) && strings.HasPrefix(err.Error(), "unknown field") {
			e.unknown(at.FieldPath())
		} else {
			twice = true
		}
	}
	if !twice {
		return
	}
	before := len(e.findings)
	e.duplicates(spot{value: e.src.root})
	if len(e.findings) == before {
		e.add(DuplicateKey, e.src.root, "", "a key stands twice in one mapping: kube-apiserver takes one of the two and ignores the other", "")
	}
}

// unknown explains a field that kube-apiserver does not know.
func (e *explainer) unknown(path string) {
	spots := find(e.src.root, path)
	if len(spots) == 0 {
		e.add(UnknownField, first(e.src.root, path), path, fmt.Sprintf("unknown field %q: %s", path, ignored), "")
		return
	}
	s := nameless(spots[0], path)
	parent, name := s.parent()
	where := ""
	if parent != "" {
		where = " in " + parent
	}
	m := e.meaning(parent, name)
	// What the misspelt field explains needs no finding of its own.
	if m.here && m.taken == nil {
		defer func() { e.done[join(parent, m.name)] = true }()
	}
	e.add(UnknownField, s.key, path, fmt.Sprintf("unknown field %q%s: %s", name, where, m.consequence()), m.hint(s, name))
}

// nameless is the entry with the empty key, for a path that ends in one: the
// search stops at the mapping around it.
func nameless(s spot, path string) spot {
	n := follow(s.value)
	if path != "" && !strings.HasSuffix(path, ".") || n == nil || n.Kind != yaml.MappingNode {
		return s
	}
	for _, c := range fields(n) {
		if c.key.Value == "" {
			return spot{path, c.key, c.value}
		}
	}
	return s
}

// ignored is the consequence where a more telling one is not known.
const ignored = "kube-apiserver would ignore it"

// meaning is what an unknown field was probably meant to be.
type meaning struct {
	name  string       // the right name; empty: no idea
	owner reflect.Type // the level that the field belongs to
	here  bool         // it belongs where it stands
	taken *yaml.Node   // the key of the right name, where that is written already
	in    string       // path of the mapping that it stands in
}

// meaning looks for the name on its own level first, then on the others.
func (e *explainer) meaning(parent, name string) meaning {
	own := typeAt(parent)
	if own != nil {
		own = indirect(own)
	}
	known := fieldNames(own)
	for _, level := range []reflect.Type{ruleType, resourcesType} {
		if level != own && slices.Contains(fieldNames(level), name) {
			m := meaning{name: name, owner: level, in: parent}
			if level == ruleType && m.rule() != "" {
				m.taken = e.key(join(m.rule(), name))
			}
			return m
		}
	}
	if right := guess(name, known); right != "" {
		return meaning{name: right, owner: own, here: true, in: parent, taken: e.key(join(parent, right))}
	}
	for _, level := range []reflect.Type{ruleType, resourcesType} {
		if right := guess(name, fieldNames(level)); right != "" && level != own {
			return meaning{name: right, owner: level, in: parent}
		}
	}
	return meaning{}
}

// key is the key of the field at a path; nil where there is none.
func (e *explainer) key(path string) *yaml.Node {
	if spots := find(e.src.root, path); len(spots) > 0 {
		return spots[0].key
	}
	return nil
}

// rule is the path of the rule that the field stands in; empty outside of rules.
func (m meaning) rule() string {
	if i := strings.Index(m.in, "]"); i >= 0 && strings.HasPrefix(m.in, "rules[") {
		return m.in[:i+1]
	}
	return ""
}

// consequences of a field that is left out, for whoever meant to write it.
var consequences = map[reflect.Type]map[string]string{
	policyType: {
		"rules":             "the policy would have no rules",
		"omitStages":        "no stage would be left out",
		"omitManagedFields": "managed fields would be written",
	},
	ruleType: {
		"level":             "the rule would have no level",
		"users":             "the rule would match every user",
		"userGroups":        "the rule would match every user",
		"verbs":             "the rule would match every verb",
		"resources":         "the rule would match every resource",
		"namespaces":        "the rule would match every namespace",
		"nonResourceURLs":   "the rule would match every URL and every resource",
		"omitStages":        "the rule would leave out no stage of its own",
		"omitManagedFields": "managed fields would be written",
	},
	resourcesType: {
		"group":         "the rule would match the core group",
		"resources":     "the rule would match every resource of the group",
		"resourceNames": "the rule would match every object",
	},
}

func (m meaning) consequence() string {
	// Outside of the rule that it belongs to, a field narrows nothing down.
	outside := !m.here && m.owner == ruleType && m.rule() == ""
	if c := consequences[m.owner][m.name]; c != "" && m.taken == nil && !outside {
		return c
	}
	return ignored
}

// hint says what to type in place of the field, or where to put it.
func (m meaning) hint(s spot, name string) string {
	switch {
	case m.name == "" && s.value.Anchor != "":
		return fmt.Sprintf("write the value in place of \"*%s\", and remove %q", s.value.Anchor, name)
	case m.name == "":
		return fmt.Sprintf("remove %q", name)
	case m.taken != nil:
		return fmt.Sprintf("remove %q, or join it to %q in line %d", name, m.name, m.taken.Line)
	case m.here:
		return "write " + strconv.Quote(rewritten(m.name, s, fieldTypes(m.owner)[m.name]))
	case m.owner == resourcesType:
		return fmt.Sprintf("write %q in an entry of \"resources\"", rewritten(m.name, s, fieldTypes(m.owner)[m.name]))
	case m.rule() != "":
		return fmt.Sprintf("move %q out to %s, beside \"level\"", m.name, m.rule())
	default:
		return fmt.Sprintf("move %q into an entry of \"rules\"", m.name)
	}
}

// rewritten is the field under its right name with the value that it had, where
// both fit into a line; else the name alone.
func rewritten(name string, s spot, t reflect.Type) string {
	if text, ok := rendered(follow(s.value), t); ok {
		return name + ": " + text
	}
	return name
}

// maxRendered is the longest value that a hint repeats.
const maxRendered = 60

// rendered writes a value as YAML on one line, in the form that the type asks
// for: a list for a list, though it may have been written as one string.
func rendered(n *yaml.Node, t reflect.Type) (text string, ok bool) {
	switch {
	case n == nil || t == nil || isNull(n):
		return "", false
	case t.Kind() == reflect.Slice && n.Kind == yaml.ScalarNode:
		text, ok = rendered(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}, t)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode && t.Elem().Kind() == reflect.String:
		var items []string
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return "", false
			}
			items = append(items, strconv.Quote(c.Value))
		}
		text, ok = "["+strings.Join(items, ", ")+"]", true
	case t.Kind() == reflect.String && n.Kind == yaml.ScalarNode && n.Value == "":
		text, ok = `""`, true
	case indirect(t).Kind() == reflect.Bool && n.Kind == yaml.ScalarNode,
		t.Kind() == reflect.String && n.Kind == yaml.ScalarNode:
		text, ok = n.Value, true
	}
	return text, ok && len(text) <= maxRendered && !strings.Contains(text, "\n")
}

// duplicates notes each key that stands twice in its mapping, or once there and
// once in a mapping merged into it.
func (e *explainer) duplicates(at spot) {
	if at.value == nil || e.full() {
		return
	}
	if at.value.Kind == yaml.SequenceNode {
		for i, c := range at.value.Content {
			e.duplicates(spot{path: item(at.path, i), value: c})
		}
	}
	if at.value.Kind != yaml.MappingNode {
		return
	}
	seen := map[string]entry{}
	for _, f := range fields(at.value) {
		path := join(at.path, f.key.Value)
		if before, ok := seen[f.key.Value]; ok {
			e.duplicate(at.path, before, f)
		} else {
			seen[f.key.Value] = f
		}
		if !f.merged {
			e.duplicates(spot{path: path, key: f.key, value: f.value})
		}
	}
}

func (e *explainer) duplicate(parent string, before, again entry) {
	name := again.key.Value
	where := ""
	if parent != "" {
		where = " in " + parent
	}
	at := again.key
	message := fmt.Sprintf("key %q stands twice%s: kube-apiserver takes this one and ignores the one in line %d", name, where, before.key.Line)
	if again.merged {
		at = before.key
		message = fmt.Sprintf("key %q stands twice%s, once merged in with \"<<\": kube-apiserver takes one of the two and ignores the other", name, where)
	}
	hint := fmt.Sprintf("remove one %q", name)
	if t := typeAt(join(parent, name)); t != nil && t.Kind() == reflect.Slice {
		hint = fmt.Sprintf("join both into one %q", name)
	}
	line, col := position(at)
	e.findings = append(e.findings, Finding{Line: line, Col: col, Field: join(parent, name), Message: message, Hint: hint, Kind: DuplicateKey})
}
