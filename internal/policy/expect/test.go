package expect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy/explain"
	"auditpatch/internal/spelling"
)

// parts are the fields of a test.
type parts struct {
	name, as, requests, level, levels, stages, rule, contents *yaml.Node
}

// user is one of a test's users.
type user struct {
	who     explain.Who
	anybody bool
}

func (d *decoder) test(i int, n *yaml.Node) {
	var p parts
	to := func(name string, at **yaml.Node) field {
		return field{name, func(v *yaml.Node) { *at = v }}
	}
	before := len(d.findings)
	d.fields(n, fmt.Sprintf("tests[%d]", i), to("name", &p.name), to("as", &p.as), to("requests", &p.requests), to("level", &p.level),
		to("levels", &p.levels), to("stages", &p.stages), to("rule", &p.rule), to("contents", &p.contents))
	if len(d.findings) > before {
		return
	}
	t := Test{Name: fmt.Sprintf("tests[%d]", i), Line: n.Line, Col: n.Column}
	if p.name != nil {
		t.Name = d.word(p.name, "name")
	}
	users := d.usersOf(p)
	common := d.wants(p)
	if p.level != nil || p.stages != nil || p.rule != nil || p.contents != nil {
		if p.requests == nil && (p.levels == nil || p.level != nil) {
			d.fault(n, "requests: [kubectl get secrets -A]", "%s has no requests", t.Name)
		}
	} else if p.levels == nil {
		d.fault(n, "level: Metadata", "%s expects nothing", t.Name)
	}
	if p.requests != nil {
		d.column(&t, items(p.requests), p.level, users, common)
	}
	if p.levels != nil {
		if m := follow(p.levels); m.Kind == yaml.MappingNode && len(m.Content) == 0 {
			d.fault(p.levels, "levels: {kubectl get secrets -A: Metadata}", "levels: the mapping is empty")
		}
		d.pairs(p.levels, "levels", func(key, value *yaml.Node) { d.column(&t, []*yaml.Node{key}, value, users, common) })
	}
	d.file.Tests = append(d.file.Tests, t)
}

func (d *decoder) usersOf(p parts) (out []user) {
	if p.as == nil {
		return []user{{explain.Who{User: "somebody"}, true}}
	}
	for _, n := range items(p.as) {
		out = append(out, user{d.who(n), false})
	}
	if len(out) == 0 {
		d.fault(p.as, "leave it out for a user whom no rule names", "as: the list is empty")
	}
	return out
}

// wants is what a test expects of all its requests, but for the level.
func (d *decoder) wants(p parts) want {
	w := want{anyStage: p.stages == nil}
	if p.stages != nil {
		w.stages = d.stages(p.stages)
	}
	if p.rule != nil {
		w.rule = d.rule(p.rule)
	}
	if p.contents != nil {
		w.contents = d.choice(p.contents, "contents", []string{"none", "request", "response", "both"})
	}
	return w
}

func (d *decoder) stages(n *yaml.Node) []audit.Stage {
	known := []string{string(audit.StageRequestReceived), string(audit.StageResponseStarted), string(audit.StageResponseComplete)}
	out := []audit.Stage{}
	for _, i := range items(n) {
		out = append(out, audit.Stage(d.choice(i, "stages", known)))
	}
	order := func(s audit.Stage) int { return slices.Index(known, string(s)) }
	slices.SortFunc(out, func(a, b audit.Stage) int { return order(a) - order(b) }) // as they come; the file may say it otherwise
	return slices.Compact(out)
}

func (d *decoder) rule(n *yaml.Node) *int {
	text := d.word(n, "rule")
	if text == "" {
		return nil
	}
	none := -1
	if text == "none" {
		return &none
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 {
		d.fault(n, "rule: 0 is the first; rule: none is that none matches", "rule %q: it is the number of a rule, from 0", text)
		return nil
	}
	return &number
}

// choice is one of some words.
func (d *decoder) choice(n *yaml.Node, what string, known []string) string {
	text := d.word(n, what)
	if text != "" && !slices.Contains(known, text) {
		hint := "there are " + strings.Join(known, ", ")
		if best := spelling.Nearest(text, known); best != "" {
			hint = fmt.Sprintf("write %q", best)
		}
		d.fault(n, hint, "%s: %q is none of them", what, text)
	}
	return text
}

// column adds requests with the level of each user, or one for all.
func (d *decoder) column(t *Test, requests []*yaml.Node, level *yaml.Node, users []user, common want) {
	wants := make([]want, len(users))
	for i := range wants {
		wants[i] = common
	}
	if level != nil {
		d.spread(level, wants)
	}
	if len(requests) == 0 {
		d.fault(&yaml.Node{Line: t.Line, Column: t.Col}, "requests: [kubectl get secrets -A]", "%s: the list of requests is empty", t.Name)
	}
	for _, n := range requests {
		for i, u := range users {
			sent, ok := d.request(n, u.who)
			if !ok {
				break
			}
			if d.cases += len(sent); d.cases > maxCases {
				d.fault(n, "", "the file has more than %d requests", maxCases)
				return
			}
			for _, s := range sent {
				t.cases = append(t.cases, expected{max(n.Line, 1), max(n.Column, 1), s, u.anybody, wants[i]})
			}
		}
	}
}

// spread sets the level of each user.
func (d *decoder) spread(n *yaml.Node, wants []want) {
	list := items(n)
	if follow(n).Kind == yaml.SequenceNode && len(list) != len(wants) {
		d.fault(n, "one level for each user, or one for all", "%d levels for %s", len(list), counted(len(wants), "user"))
		return
	}
	for i := range wants {
		item := list[0]
		if len(list) > 1 {
			item = list[i]
		}
		wants[i].level = d.level(item)
	}
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// request are the requests of one entry: a text, or a mapping.
func (d *decoder) request(n *yaml.Node, who explain.Who) (sent []explain.Sent, ok bool) {
	var err error
	if m := follow(n); m.Kind == yaml.MappingNode {
		sent, err = d.mapping(m, who)
	} else {
		sent, err = d.line(n, who)
	}
	if err != nil {
		d.fault(n, strings.ReplaceAll(hint.Of(err).String(), "--", ""), "%v", err)
	}
	return sent, err == nil && len(sent) > 0
}

// line is a request as a text: words of kubectl, or a method and a URL.
func (d *decoder) line(n *yaml.Node, who explain.Who) ([]explain.Sent, error) {
	text := d.word(n, "a request")
	first, rest, _ := strings.Cut(text, " ")
	switch {
	case text == "":
		return nil, nil
	case first == "kubectl":
		return explain.FromKubectl(rest, who)
	case strings.HasPrefix(first, "/"):
		return urls([]string{text}, nil, who)
	case first == strings.ToUpper(first):
		return urls([]string{strings.TrimSpace(rest)}, []string{first}, who)
	}
	return nil, hint.Errorf(hint.Words("kubectl %s; or GET /api/v1/pods; or {verb: get, resource: pods}", text), "%q is no request", text)
}

// mapping is a request as fields, of which some may be lists.
func (d *decoder) mapping(n *yaml.Node, who explain.Who) (out []explain.Sent, err error) {
	f := map[string][]string{}
	list := func(name string) field { return field{name, func(v *yaml.Node) { f[name] = d.texts(v, name) }} }
	before := len(d.findings)
	d.fields(n, "a request", list("verb"), list("resource"), list("namespace"), list("name"), list("field-selector"), list("kubectl"), list("url"), list("method"))
	if len(d.findings) > before {
		return nil, nil
	}
	switch {
	case len(f["kubectl"]) > 0 && len(f) == 1:
		for _, words := range f["kubectl"] {
			sent, err := explain.FromKubectl(words, who)
			if err != nil {
				return nil, err
			}
			out = append(out, sent...)
		}
		return out, nil
	case len(f["url"]) > 0 && len(f) == 1+min(1, len(f["method"])):
		return urls(f["url"], f["method"], who)
	case len(f["kubectl"])+len(f["url"])+len(f["method"]) > 0:
		return nil, hint.New(hint.Words("{verb: get, resource: pods, namespace: prod}, {kubectl: get pods}, or {url: /healthz, method: GET}"), "these fields do not go together")
	}
	return product(f, who)
}

func urls(list, methods []string, who explain.Who) (out []explain.Sent, err error) {
	for _, address := range list {
		for _, method := range orOne(methods) {
			s, err := explain.FromURL(method, address, who)
			if err == nil {
				err = s.Known() // else the test would pass, and say nothing
			}
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// product are all combinations of the fields.
func product(f map[string][]string, who explain.Who) (out []explain.Sent, err error) {
	for _, verb := range orOne(f["verb"]) {
		for _, resource := range orOne(f["resource"]) {
			for _, namespace := range orOne(f["namespace"]) {
				for _, name := range orOne(f["name"]) {
					s, err := explain.FromFields(explain.Fields{Verb: verb, Resource: resource, Namespace: namespace, Name: name,
						FieldSelector: orOne(f["field-selector"])[0]}, who)
					if err != nil {
						return nil, err
					}
					if out = append(out, s); len(out) > maxCases {
						return nil, fmt.Errorf("the fields have more than %d combinations", maxCases)
					}
				}
			}
		}
	}
	return out, nil
}

func orOne(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}
