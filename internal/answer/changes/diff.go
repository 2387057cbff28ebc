package changes

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// Op is what happened at a path.
type Op string

// The operations. Change, Add, Remove and Order are what the difference of two objects
// consists of; the others are what a request asked for.
const (
	Changed Op = "change"
	Added   Op = "add"
	Removed Op = "remove"
	// Ordered gives the elements of a list another order: To has what names them.
	Ordered Op = "order"
	Set     Op = "set" // what was there before is not known
	Tested  Op = "test"
	Moved   Op = "move" // From is the path where it was
	Copied  Op = "copy"
)

// Line is one change.
type Line struct {
	Op   Op   `json:"op"`
	Path Path `json:"path"`
	From any  `json:"from,omitempty"`
	To   any  `json:"to,omitempty"`
	// Hidden says that a value is a secret, or has one in it, and is not shown.
	Hidden bool `json:"hidden,omitempty"`
}

// maxDepth is more than objects of Kubernetes have. What lies deeper is one value.
const maxDepth = 64

// elementKeys are the fields that name the elements of lists in objects of Kubernetes,
// those first that kubectl goes by.
var elementKeys = []string{"name", "type", "mountPath", "devicePath", "containerPort", "port", "ip", "uid", "topologyKey", "key"}

// difference lists what makes one value of another.
func difference(at Path, a, b any) (out []Line) {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	if len(at) < maxDepth {
		switch a := a.(type) {
		case map[string]any:
			if b, ok := b.(map[string]any); ok {
				return fields(at, a, b)
			}
		case []any:
			if b, ok := b.([]any); ok {
				if by := keyOf(a, b); by != "" {
					return elements(at, by, a, b)
				}
				return positions(at, a, b)
			}
		}
	}
	return []Line{{Op: Changed, Path: at, From: a, To: b}}
}

func fields(at Path, a, b map[string]any) (out []Line) {
	all := map[string]any{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, before := a[name]
		is, after := b[name]
		switch to := at.to(field(name)); {
		case !before:
			out = append(out, Line{Op: Added, Path: to, To: is})
		case !after:
			out = append(out, Line{Op: Removed, Path: to, From: was})
		default:
			out = append(out, difference(to, was, is)...)
		}
	}
	return out
}

// keyOf is the field that names the elements of both lists, "" when there is none.
func keyOf(lists ...[]any) string {
	for _, by := range elementKeys {
		n := 0
		if !slices.ContainsFunc(lists, func(list []any) bool { n += len(list); return !names(by, list) }) && n > 0 {
			return by
		}
	}
	return ""
}

// names says whether a field names each element of a list, and no two alike.
func names(by string, list []any) bool {
	seen := map[any]bool{}
	for _, e := range list {
		object, ok := e.(map[string]any)
		if !ok {
			return false
		}
		switch is := object[by].(type) {
		case string, json.Number:
			if seen[is] {
				return false
			}
			seen[is] = true
		default:
			return false
		}
	}
	return true
}

// elements compares lists whose elements have names.
func elements(at Path, by string, a, b []any) (out []Line) {
	old := map[any]any{}
	var kept, added, order []any
	for _, e := range a {
		old[nameIn(e, by)] = e
	}
	now := map[any]bool{}
	for _, e := range b {
		name := nameIn(e, by)
		now[name] = true
		order = append(order, name)
		to := at.to(element(by, name))
		if was, known := old[name]; known {
			out = append(out, difference(to, was, e)...)
		} else {
			added = append(added, name)
			out = append(out, Line{Op: Added, Path: to, To: e})
		}
	}
	for _, e := range a {
		if name := nameIn(e, by); now[name] {
			kept = append(kept, name)
		} else {
			out = append(out, Line{Op: Removed, Path: at.to(element(by, name)), From: e})
		}
	}
	if !slices.Equal(append(kept, added...), order) {
		out = append(out, Line{Op: Ordered, Path: at, To: order})
	}
	return out
}

func nameIn(element any, by string) any {
	object, _ := element.(map[string]any)
	return object[by]
}

// positions compares lists whose elements have no names. Removed are those at a place in
// the old list, added those at a place in the new one.
func positions(at Path, a, b []any) (out []Line) {
	first := 0
	for first < min(len(a), len(b)) && reflect.DeepEqual(a[first], b[first]) {
		first++
	}
	last := 0
	for last < min(len(a), len(b))-first && reflect.DeepEqual(a[len(a)-1-last], b[len(b)-1-last]) {
		last++
	}
	for i := first; i < len(a)-last; i++ {
		if len(a) == len(b) {
			out = append(out, difference(at.to(position(i)), a[i], b[i])...)
			continue
		}
		out = append(out, Line{Op: Removed, Path: at.to(position(i)), From: a[i]})
	}
	for i := first; i < len(b)-last && len(a) != len(b); i++ {
		out = append(out, Line{Op: Added, Path: at.to(position(i)), To: b[i]})
	}
	return out
}
