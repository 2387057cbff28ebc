package changes

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"auditpatch/internal/auditlog/event"
)

// kindOfPatch says what kind of patch a body is. Its media type is not in the event, so
// some cannot be told apart.
func kindOfPatch(e *event.Event) string {
	body := bytes.TrimSpace(e.RequestObject)
	if bytes.HasPrefix(body, []byte("[")) {
		return "JSON patch"
	}
	o := object(body)
	if o["kind"] != nil && o["apiVersion"] != nil && query(e).Has("fieldManager") {
		return "apply configuration"
	}
	if directives(o, 0) {
		return "strategic merge patch"
	}
	if strings.Contains(string(e.Object.APIGroup), ".") && !strings.HasSuffix(string(e.Object.APIGroup), ".k8s.io") {
		return "merge patch"
	}
	return "merge patch or strategic merge patch"
}

// query are the parameters of the request.
func query(e *event.Event) url.Values {
	u, err := url.Parse(string(e.RequestURI))
	if err != nil {
		return nil
	}
	return u.Query()
}

// directives says whether a patch has what only a strategic merge patch has.
func directives(v any, depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if directive(name) || directives(inner, depth+1) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return directives(e, depth+1) })
	}
	return false
}

const (
	setOrder   = "$setElementOrder/"
	deleteFrom = "$deleteFromPrimitiveList/"
)

func directive(name string) bool {
	return name == "$patch" || name == "$retainKeys" || strings.HasPrefix(name, setOrder) || strings.HasPrefix(name, deleteFrom)
}

// operations are the lines of a JSON patch.
func operations(list []any) (out []Line) {
	for _, e := range list {
		o, _ := e.(map[string]any)
		l := Line{Path: pointer(str(o["path"]))}
		switch op := str(o["op"]); op {
		case "add":
			l.Op, l.To = Added, o["value"]
		case "remove":
			l.Op = Removed
		case "replace":
			l.Op, l.To = Set, o["value"]
		case "test":
			l.Op, l.To = Tested, o["value"]
		case "move", "copy":
			l.Op, l.From = Op(op), pointer(str(o["from"]))
		default:
			continue // the API server refuses it
		}
		out = append(out, l)
	}
	return out
}

// pointer reads a JSON pointer. What is a number is taken for a place in a list: the
// event does not have what it points into.
func pointer(text string) (p Path) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
		if n, err := strconv.Atoi(part); err == nil && n >= 0 && strconv.Itoa(n) == part {
			p = p.to(position(n))
			continue
		}
		p = p.to(field(strings.NewReplacer("~1", "/", "~0", "~").Replace(part)))
	}
	return p
}

// merged are the lines of a merge patch, a strategic one or an apply configuration.
func merged(at Path, o map[string]any) (out []Line) {
	if len(o) == 0 || len(at) >= maxDepth {
		return []Line{{Op: Set, Path: at, To: o}}
	}
	switch o["$patch"] {
	case "delete":
		return []Line{{Op: Removed, Path: at}}
	case "replace":
		o = maps.Clone(o)
		delete(o, "$patch")
		return []Line{{Op: Set, Path: at, To: o}}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		out = append(out, mergedField(at, name, o[name])...)
	}
	return out
}

func mergedField(at Path, name string, v any) (out []Line) {
	if list, found := strings.CutPrefix(name, deleteFrom); found {
		values, _ := v.([]any)
		for _, value := range values {
			out = append(out, Line{Op: Removed, Path: at.to(field(list)), From: value})
		}
		return out
	}
	if directive(name) {
		return nil // of the order of lists, and of fields that exclude each other
	}
	to := at.to(field(name))
	switch v := v.(type) {
	case nil:
		return []Line{{Op: Removed, Path: to}}
	case map[string]any:
		return merged(to, v)
	case []any:
		if by := keyOf(v); by != "" {
			for _, e := range v {
				e, _ := e.(map[string]any)
				out = append(out, mergedElement(to.to(element(by, e[by])), by, e)...)
			}
			return out
		}
	}
	return []Line{{Op: Set, Path: to, To: v}}
}

// mergedElement leaves the name of an element out, which stands in the path.
func mergedElement(at Path, by string, e map[string]any) []Line {
	if len(e) > 1 {
		e = maps.Clone(e)
		delete(e, by)
	}
	return merged(at, e)
}
