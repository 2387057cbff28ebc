package changes

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// decode reads JSON with its numbers as they stand.
func decode(text []byte) (any, error) {
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	var v any
	return v, in.Decode(&v)
}

// object is what a body holds, nil where that is no object.
func object(text []byte) map[string]any {
	v, err := decode(text)
	if err != nil {
		return nil
	}
	o, _ := v.(map[string]any)
	return o
}

// stored is the object of a body, nil where it is an answer of another kind.
func stored(text []byte) map[string]any {
	o := object(text)
	if o == nil || o["kind"] == "Status" && str(o["apiVersion"]) == "v1" {
		return nil
	}
	return o
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

// older says whether a is a state before b of the same object. Resource versions of objects
// of one kind are numbers that grow.
func older(a, b map[string]any) bool {
	m, errA := strconv.ParseUint(meta(a, "resourceVersion"), 10, 64)
	n, errB := strconv.ParseUint(meta(b, "resourceVersion"), 10, 64)
	return errA == nil && errB == nil && m < n && !other(a, b)
}

// which is what older looks at.
func which(o map[string]any) map[string]any {
	return map[string]any{"kind": o["kind"], "apiVersion": o["apiVersion"], "metadata": map[string]any{"uid": meta(o, "uid"), "resourceVersion": meta(o, "resourceVersion")}}
}

func metadata(o map[string]any) map[string]any {
	m, _ := o["metadata"].(map[string]any)
	return m
}

// meta is a field of an object's metadata.
func meta(o map[string]any, name string) string {
	return str(metadata(o)[name])
}

// bookkeeping are the fields of metadata that the API server keeps.
var bookkeeping = []string{"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"}

// plain is an object without what the API server keeps in it, and without its status
// unless that is what the request was about.
func plain(o map[string]any, status bool) map[string]any {
	o = maps.Clone(o)
	if !status {
		delete(o, "status")
	}
	if m, ok := o["metadata"].(map[string]any); ok {
		m = maps.Clone(m)
		for _, name := range bookkeeping {
			delete(m, name)
		}
		o["metadata"] = m
	}
	return o
}

// NotShown stands in the place of a secret.
const NotShown = "(not shown)"

// notShown is a value that was hidden. It has its own type, so that no text of an event
// can be taken for one.
type notShown struct{}

func (notShown) MarshalText() ([]byte, error) { return []byte(NotShown), nil }

// secret is a place in objects of which the value is never printed.
type secret struct {
	path  []string
	names int      // of how many levels of fields below it the names are shown
	open  []string // fields in it that hold none
}

// In a Secret, and in options for its deletion, all fields hold one but those that are known not
// to: a client may misspell data, or write it one level too deep. Annotations do, since kubectl
// apply is not the only one that keeps a copy of the Secret there, and a JSON patch can copy a value
// to wherever text of any kind may stand.
var (
	ofSecrets = []secret{
		{nil, 2, []string{"apiVersion", "kind", "type", "immutable", "metadata", "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "preconditions", "dryRun"}},
		{[]string{"metadata"}, 2, []string{"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"}},
	}
	ofTokens = []secret{{[]string{"spec", "token"}, 0, nil}, {[]string{"status", "token"}, 0, nil}}
)

// secrets are those in the bodies of a request.
func (r request) secrets() (all []secret) {
	secrets := len(r.Object.APIGroup) == 0 && string(r.Object.Resource) == "secrets"
	tokens := string(r.Object.Subresource) == "token" || string(r.Object.Resource) == "tokenreviews"
	for _, b := range []map[string]any{r.sent, r.answer} {
		secrets = secrets || b["kind"] == "Secret"
		tokens = tokens || b["kind"] == "TokenRequest" || b["kind"] == "TokenReview"
	}
	if secrets {
		all = append(all, ofSecrets...)
	}
	if tokens {
		all = append(all, ofTokens...)
	}
	return all
}

// shown is a value of an object without what is secret in it.
func (r request) shown(v any, at ...string) any {
	for _, s := range r.secrets() {
		v, _ = s.hide(at, v)
	}
	return v
}

// hide takes the secrets out of lines.
func hide(lines []Line, secrets []secret) []Line {
	for i := range lines {
		for _, s := range secrets {
			lines[i].hide(s)
		}
	}
	return lines
}

func (l *Line) hide(s secret) {
	if l.Op == Moved || l.Op == Copied {
		return // both are paths
	}
	names := make([]string, len(l.Path))
	for i, step := range l.Path {
		names[i] = step.Field
	}
	var from, to bool
	l.From, from = s.hide(names, l.From)
	l.To, to = s.hide(names, l.To)
	l.Hidden = l.Hidden || from || to
	if !s.holds(names) {
		return
	}
	for i, step := range l.Path {
		if step.By != "" { // what names an element is a value in it
			l.Path = l.Path[:i:i]
			return
		}
	}
}

// holds says whether a place is in the secret. Letter case does not count: what a client
// misspells may be a secret all the same.
func (s secret) holds(at []string) bool {
	return len(at) >= len(s.path) && s.meets(at)
}

// meets says whether one of the two places is in the other.
func (s secret) meets(at []string) bool {
	for i := range min(len(at), len(s.path)) {
		if !strings.EqualFold(at[i], s.path[i]) {
			return false
		}
	}
	return len(at) <= len(s.path) || !slices.ContainsFunc(s.open, func(open string) bool { return strings.EqualFold(open, at[len(s.path)]) })
}

// hide is the value at a path without the secret.
func (s secret) hide(at []string, v any) (any, bool) {
	if v == nil || !s.meets(at) {
		return v, false
	}
	o, isObject := v.(map[string]any)
	if !isObject || len(at) >= len(s.path)+s.names {
		return notShown{}, true
	}
	hidden := false
	o = maps.Clone(o)
	for name, inner := range o {
		out, some := s.hide(append(at[:len(at):len(at)], name), inner)
		o[name] = out
		hidden = hidden || some
	}
	return o, hidden
}
