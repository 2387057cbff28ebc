package changes

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"auditpatch/internal/auditlog/event"
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

// secret is a place in objects of which the value is never printed.
type secret struct {
	path  []string
	names bool // its fields are shown, without their values
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

var (
	ofSecrets = []secret{{[]string{"data"}, true}, {[]string{"stringData"}, true}, {[]string{"metadata", "annotations", lastApplied}, false}}
	ofTokens  = []secret{{[]string{"spec", "token"}, false}, {[]string{"status", "token"}, false}}
)

// secretsOf are the places of secrets in the bodies of an event.
func secretsOf(e *event.Event, bodies ...map[string]any) (all []secret) {
	secrets := len(e.Object.APIGroup) == 0 && string(e.Object.Resource) == "secrets"
	tokens := string(e.Object.Subresource) == "token" || string(e.Object.Resource) == "tokenreviews"
	for _, b := range bodies {
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

// hide takes the secrets out of lines.
func hide(lines []Line, secrets []secret) []Line {
	for i := range lines {
		l := &lines[i]
		if l.Op == Ordered || l.Op == Moved || l.Op == Copied {
			continue
		}
		var names []string
		for _, s := range l.Path {
			names = append(names, s.Field)
		}
		for _, s := range secrets {
			var from, to bool
			l.From, from = s.hide(names, l.From)
			l.To, to = s.hide(names, l.To)
			l.Hidden = l.Hidden || from || to
		}
	}
	return lines
}

// hide is the value at a path without the secret. Letter case does not count: what a
// client misspells may be a secret all the same.
func (s secret) hide(at []string, v any) (any, bool) {
	for i := range min(len(at), len(s.path)) {
		if !strings.EqualFold(at[i], s.path[i]) {
			return v, false
		}
	}
	o, isObject := v.(map[string]any)
	switch {
	case v == nil:
		return v, false
	case len(at) < len(s.path) && !isObject:
		return v, false
	case len(at) > len(s.path), len(at) == len(s.path) && (!s.names || !isObject):
		return NotShown, true
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
