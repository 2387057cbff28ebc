package filter

import (
	"bytes"
	"slices"
	"strings"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
)

// texts reads values that are patterns.
func texts(fields event.Fields, of func(pattern) test) func(reading) (condition, error) {
	return func(r reading) (condition, error) {
		return r.condition(fields, func(value string) (test, error) { return of(newPattern(value)), nil })
	}
}

// one asks for a field that is like the pattern.
func one(field func(*event.Event) []byte) func(pattern) test {
	return func(p pattern) test {
		return test{func(e *event.Event) bool { return p.match(field(e)) }, p.text, p.covers, words(p)}
	}
}

// words are those of a pattern that is one text.
func words(patterns ...pattern) (all []string) {
	for _, p := range patterns {
		if !p.literal() || !word(p.text) {
			return nil
		}
		all = append(all, p.text)
	}
	return all
}

// serviceAccount begins the names of service accounts, short begins them on the command line.
const serviceAccount, short = "system:serviceaccount:", "sa:"

// users asks for a user; sa:NAMESPACE:NAME is a service account, or a user of that very name.
func users(field func(*event.Event) []byte) func(pattern) test {
	return func(p pattern) test {
		rest, is := strings.CutPrefix(p.text, short)
		if !is {
			return one(field)(p)
		}
		account := newPattern(serviceAccount + rest)
		match := func(e *event.Event) bool { return account.match(field(e)) || p.match(field(e)) }
		return test{match, account.text, account.covers, words(p, account)}
	}
}

// oneOf asks for a list of which one text is like the pattern.
func oneOf(list func(*event.Event) []byte) func(pattern) test {
	return func(p pattern) test {
		match := func(e *event.Event) (found bool) {
			event.Strings(list(e), func(s []byte) bool {
				found = p.match(s)
				return !found
			})
			return found
		}
		return test{match, p.text, p.covers, words(p)}
	}
}

// product asks for a user agent, by all of it or by the program's name in front.
func product(p pattern) test {
	match := func(e *event.Event) bool {
		if p.match(e.UserAgent) {
			return true
		}
		end := bytes.IndexAny(e.UserAgent, "/ ")
		return end > 0 && p.match(e.UserAgent[:end])
	}
	return test{match: match, key: p.text, covers: p.covers}
}

// reasons asks for the reason of the answer or of the authorizer.
func reasons(p pattern) test {
	if p.any() {
		return test{match: func(e *event.Event) bool { return len(e.Response.Reason)+len(e.Authorization.Reason) > 0 }, key: p.text, covers: p.covers}
	}
	return test{match: func(e *event.Event) bool { return p.match(e.Response.Reason) || p.match(e.Authorization.Reason) }, key: p.text, covers: p.covers}
}

// closed reads values of which the known ones are all that there are, whatever their case.
func closed(fields event.Fields, field func(*event.Event) []byte) func(reading) (condition, error) {
	return func(r reading) (condition, error) {
		return r.condition(fields, func(value string) (test, error) {
			known, err := r.known(value)
			if err != nil {
				return test{}, err
			}
			return one(field)(newPattern(known)), nil
		})
	}
}

// known is a value as the API server writes it.
func (r reading) known(value string) (string, error) {
	for _, k := range r.Known {
		if strings.EqualFold(k, value) {
			return k, nil
		}
	}
	if strings.Contains(value, "*") {
		if p := newPattern(value); slices.ContainsFunc(r.Known, p.covers) {
			return value, nil
		}
	}
	best := spelling.Nearest(value, r.Known)
	if best == "" {
		best = r.Known[0]
	}
	return "", hint.Errorf(hint.Flag(r.Name, best), "--%s %q: there are %s", r.Name, value, strings.Join(r.Known, ", "))
}

// verbs are those of Kubernetes' requests. There are others: a URL that is no resource has the
// HTTP method as its verb, whatever a client has made up.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post", "put", "head", "options"}

func readVerbs(r reading) (condition, error) {
	return r.condition(event.WantVerb, func(value string) (test, error) {
		value = strings.ToLower(value)
		p := newPattern(value)
		if !slices.ContainsFunc(verbs, p.covers) {
			h := hint.Words("verbs are %s", strings.Join(verbs, ", "))
			if best := spelling.Nearest(value, verbs); best != "" {
				h = hint.Flag(r.Name, best)
			}
			r.filter.warnings = append(r.filter.warnings, hint.Errorf(h, "--%s %q: no request of Kubernetes has that verb", r.Name, value))
		}
		return one(func(e *event.Event) []byte { return e.Verb })(p), nil
	})
}

// writing are the verbs of --writes.
var writing = []string{"create", "update", "patch", "delete", "deletecollection", "post", "put"}

func readWrites(reading) (condition, error) {
	match := func(e *event.Event) bool {
		switch string(e.Verb) {
		case "create", "update", "patch", "delete", "deletecollection":
			return true
		case "post", "put":
			return !e.Object.Has
		}
		return false
	}
	return condition{fields: event.WantVerb | event.WantObject, match: match, words: writing}, nil
}

func readURLs(r reading) (condition, error) {
	return r.condition(event.WantRequestURI, func(value string) (test, error) {
		if value[0] != '/' && value[0] != '*' {
			return test{}, hint.Errorf(hint.Flag(r.Name, "/"+value), "--%s %q: the path of a URL begins with /", r.Name, value)
		}
		p, query := newPattern(value), strings.Contains(value, "?")
		match := func(e *event.Event) bool {
			path := e.RequestURI
			if end := bytes.IndexByte(path, '?'); end >= 0 && !query {
				path = path[:end]
			}
			return p.match(path)
		}
		return test{match: match, key: p.text, covers: p.covers}, nil
	})
}
