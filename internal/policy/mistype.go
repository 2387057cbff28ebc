package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// wrongType explains values that are not of the type of their field. The
// decoder names the field without the index of the rule, and only the first
// such value: all of that field are noted, and mended by removing them.
func (e *explainer) wrongType(err *json.UnmarshalTypeError) bool {
	var wrong []mismatch
	for _, s := range find(e.src.root, err.Field) {
		if wrong = append(wrong, mistyped(s, typeAt(s.path))...); len(wrong) >= maxFindings {
			break
		}
	}
	if len(wrong) == 0 {
		e.add(WrongType, first(e.src.root, err.Field), err.Field, fmt.Sprintf("%s is a %s, not %s: %s", err.Field, err.Value, typeName(err.Type), wontStart), "")
		return false
	}
	anchored := false
	for _, m := range wrong {
		e.add(WrongType, m.at.node(), m.at.path, fmt.Sprintf("%s is a %s, not %s: %s", m.at.path, m.is(), typeName(m.want), wontStart), e.typeHint(m))
		for _, s := range find(e.mended, m.at.path) {
			anchored = anchored || s.value.Anchor != ""
			*s.value = yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagNull, Value: "null"}
		}
	}
	// Where the value is referred to as well, to remove it would make new faults.
	return e.mended != nil && !anchored && !e.full()
}

// mismatch is a value that is not of the type of its field.
type mismatch struct {
	at   spot
	want reflect.Type
}

// is names what stands there.
func (m mismatch) is() string {
	n := follow(m.at.value)
	if n.Kind == yaml.SequenceNode && indirect(m.want).Kind() == reflect.Slice {
		return "list of strings"
	}
	return kindOf(n)
}

// mistyped looks at a value, and if that is of the type, at what it holds. A list
// of names where mappings belong counts as one mistake.
func mistyped(s spot, t reflect.Type) []mismatch {
	n := follow(s.value)
	if t == nil || n == nil || isNull(n) {
		return nil
	}
	t = indirect(t)
	if kindOf(n) != kindFor(t) || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && areNames(n) {
		return []mismatch{{s, t}}
	}
	var wrong []mismatch
	switch {
	case n.Kind == yaml.SequenceNode:
		for i := 0; i < len(n.Content) && len(wrong) < maxFindings; i++ {
			wrong = append(wrong, mistyped(spot{path: item(s.path, i), value: n.Content[i]}, t.Elem())...)
		}
	case t.Kind() == reflect.Map:
		for _, f := range fields(n) {
			wrong = append(wrong, mistyped(spot{join(s.path, f.key.Value), f.key, f.value}, t.Elem())...)
		}
	}
	return wrong
}

// areNames reports whether a list holds nothing but scalars.
func areNames(n *yaml.Node) bool {
	return len(n.Content) > 0 && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool {
		return follow(c) == nil || follow(c).Kind != yaml.ScalarNode
	})
}

// kindFor is the kind of value, in the words of kindOf, that a type takes.
func kindFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "list"
	case reflect.Struct, reflect.Map:
		return "mapping"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	default:
		return "number"
	}
}

// kindOf says what a value is to the API server, whose parser takes a bare no
// or off for a boolean.
func kindOf(n *yaml.Node) string {
	switch {
	case n == nil:
		return "null"
	case n.Kind == yaml.SequenceNode:
		return "list"
	case n.Kind == yaml.MappingNode:
		return "mapping"
	case !isBare(n):
		return "string"
	}
	out, err := sigsyaml.YAMLToJSON([]byte(n.Value))
	if err != nil || len(out) == 0 {
		return "string"
	}
	switch out[0] {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"', '[', '{':
		return "string"
	default:
		return "number"
	}
}

// typeName is what a field takes, as a reader would say it.
func typeName(t reflect.Type) string {
	if t == nil {
		return "what belongs there"
	}
	switch kind := kindFor(indirect(t)); {
	case kind == "list" && indirect(t).Elem().Kind() == reflect.String:
		return "a list of strings"
	case kind == "list":
		return "a list of mappings"
	default:
		return "a " + kind
	}
}

// typeHint writes the value in the form that the field takes.
func (e *explainer) typeHint(m mismatch) string {
	n := follow(m.at.value)
	parent, name := m.at.parent()
	switch wanted := kindFor(m.want); {
	case m.want.Kind() == reflect.Slice && m.want.Elem() == resourcesType && n.Kind != yaml.MappingNode:
		return e.resourcesHint(parent, n)
	case m.want == resourcesType && n.Kind == yaml.ScalarNode:
		return fmt.Sprintf("write %q", fmt.Sprintf("{group: \"\", resources: [%q]}", n.Value))
	case n.Kind == yaml.MappingNode && wanted == "list":
		return `put "- " before its first field and indent the others below`
	case n.Kind == yaml.ScalarNode && wanted == "string":
		return "write " + prefixed(name) + strconv.Quote(n.Value) + ", with the quotes"
	case n.Kind == yaml.ScalarNode && wanted == "boolean":
		return fmt.Sprintf("write %q or %q", name+": true", name+": false")
	}
	if text, ok := rendered(n, m.want); ok {
		return fmt.Sprintf("write %q", prefixed(name)+text)
	}
	return ""
}

// resourcesHint is for a rule in the form of an RBAC rule: names under
// resources, and the group beside it under apiGroups.
func (e *explainer) resourcesHint(parent string, names *yaml.Node) string {
	group := ""
	for _, path := range []string{"apiGroups[0]", "apiGroups", "apiGroup", "group"} {
		if spots := find(e.src.root, join(parent, path)); len(spots) > 0 && spots[0].value.Kind == yaml.ScalarNode {
			group = spots[0].text()
			break
		}
	}
	text, ok := rendered(names, reflect.TypeFor[[]string]())
	if !ok {
		text = "[...]"
	}
	return fmt.Sprintf("write %q", fmt.Sprintf("resources: [{group: %q, resources: %s}]", group, text))
}

// prefixed is the beginning of a field, or nothing for an item of a list.
func prefixed(name string) string {
	if name == "" {
		return ""
	}
	return name + ": "
}
