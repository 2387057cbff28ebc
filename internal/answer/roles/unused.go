package roles

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/glyph"
	"auditpatch/internal/hint"
)

// Granted is a Role or ClusterRole that exists.
type Granted struct {
	Kind, Namespace, Name string
	Rules                 []rbacv1.PolicyRule
	// Aggregated says that the API server fills in the rules from other ClusterRoles.
	Aggregated bool
	// Bound are the namespaces to which RoleBindings of the same file restrict a ClusterRole;
	// empty when there are none, or a ClusterRoleBinding.
	Bound []string
}

// ReadGranted reads the Roles and ClusterRoles of a file of YAML or JSON documents, Lists among
// them, and what its bindings say of them. others are the kinds of further objects.
func ReadGranted(name string, text []byte) (roles []Granted, others []string, err error) {
	f := &file{name: name, bound: map[string][]string{}, everywhere: map[string]bool{}}
	in := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		f.docs++
		if err := f.document(doc); err != nil {
			return nil, nil, err
		}
	}
	if len(f.roles) == 0 {
		return nil, nil, hint.Errorf(hint.Shell("kubectl get clusterrole NAME -o yaml"), "%s has no Role or ClusterRole", name)
	}
	for i, r := range f.roles {
		if r.Kind == "ClusterRole" && !f.everywhere[r.Name] {
			f.roles[i].Bound = f.bound[r.Name]
		}
	}
	return f.roles, f.others, nil
}

// file is a file while it is read.
type file struct {
	name       string
	docs       int
	roles      []Granted
	others     []string
	bound      map[string][]string // namespaces by ClusterRole
	everywhere map[string]bool
}

func (f *file) document(doc []byte) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []any  `json:"items"`
	}
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return fmt.Errorf("%s: document %d: %w", f.name, f.docs, err)
	}
	switch {
	case strings.HasSuffix(head.Kind, "List"):
		for _, item := range head.Items {
			text, err := yaml.Marshal(item)
			if err != nil {
				return fmt.Errorf("%s: document %d: %w", f.name, f.docs, err)
			}
			if err := f.item(strings.TrimSuffix(head.Kind, "List"), text); err != nil {
				return err
			}
		}
		return nil
	case head.Kind == "" && head.APIVersion == "":
		var rest any
		if err := yaml.Unmarshal(doc, &rest); err == nil && rest == nil {
			return nil // an empty document, or comments alone
		}
		return hint.Errorf(hint.Shell("kubectl get clusterrole NAME -o yaml"), "%s: document %d is no object of Kubernetes: it has no kind", f.name, f.docs)
	}
	return f.item("", doc)
}

// item reads one object; kind is for those of a list that leave it out.
func (f *file) item(kind string, doc []byte) error {
	var r rbacv1.ClusterRole // a Role has the same fields but one
	var b rbacv1.RoleBinding
	if err := yaml.Unmarshal(doc, &b); err != nil {
		return fmt.Errorf("%s: document %d: %w", f.name, f.docs, err)
	}
	if b.Kind != "" {
		kind = b.Kind
	}
	switch kind {
	case "Role", "ClusterRole":
		if err := yaml.UnmarshalStrict(doc, &r); err != nil {
			return fmt.Errorf("%s: document %d: %s %s: %w", f.name, f.docs, kind, b.Name, err)
		}
		f.roles = append(f.roles, Granted{Kind: kind, Namespace: r.Namespace, Name: r.Name, Rules: r.Rules, Aggregated: r.AggregationRule != nil})
	case "ClusterRoleBinding":
		f.everywhere[b.RoleRef.Name] = true
	case "RoleBinding":
		if b.RoleRef.Kind == "ClusterRole" && !slices.Contains(f.bound[b.RoleRef.Name], b.Namespace) {
			f.bound[b.RoleRef.Name] = append(f.bound[b.RoleRef.Name], b.Namespace)
		}
	default:
		f.others = append(f.others, kind)
	}
	return nil
}

// NewComparison makes a Collector for Compare; of the options, Who and IncludeDenied count.
func NewComparison(o Options) *Collector {
	o.Names, o.Defaults, o.Together = every, true, true
	return New(o)
}

// RoleUse is what was used of a role.
type RoleUse struct {
	Kind       string    `json:"kind"`
	Namespace  string    `json:"namespace,omitempty"`
	Name       string    `json:"name"`
	Aggregated bool      `json:"aggregated,omitempty"`
	Rules      []RuleUse `json:"rules"`
	// Smaller are rules that allow the same of what was done, and nothing that was not.
	Smaller []rbacv1.PolicyRule `json:"smaller"`

	smaller []Rule
}

// RuleUse is what was used of a rule.
type RuleUse struct {
	Rule  rbacv1.PolicyRule `json:"rule"`
	Times int64             `json:"times"`
	Last  string            `json:"last,omitempty"`
	// Unused are the values of the rule that no request needed. Of a value with *, Wildcards has
	// what was used of it.
	Unused    Values `json:"unused"`
	Wildcards Values `json:"wildcards"`
	// Apart are pairs of a verb and a resource, or a URL, that were both used, but not
	// together: "list of services".
	Apart []string `json:"apart,omitempty"`

	used map[Grant]Use
}

// Values are values of a rule, by its fields.
type Values struct {
	Verbs           []string `json:"verbs,omitempty"`
	APIGroups       []string `json:"apiGroups,omitempty"`
	Resources       []string `json:"resources,omitempty"`
	ResourceNames   []string `json:"resourceNames,omitempty"`
	NonResourceURLs []string `json:"nonResourceURLs,omitempty"`
}

// Compare says what was used of roles, by the events of a Collector of [NewComparison].
func (c *Collector) Compare(roles []Granted) (out []RoleUse) {
	done := map[Grant]Use{}
	for _, h := range c.holders {
		maps.Copy(done, h.settle(every))
		for g, made := range h.escalations {
			done[g] = made.use
		}
	}
	for _, r := range roles {
		out = append(out, r.compare(done))
	}
	return out
}

// Counts are those of all events.
func (c *Collector) Counts() Counts {
	if h := c.holders[""]; h != nil {
		return h.counts
	}
	return Counts{}
}

func (r Granted) compare(done map[Grant]Use) RoleUse {
	out := RoleUse{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, Aggregated: r.Aggregated}
	all := map[Grant]Use{}
	for _, rule := range r.Rules {
		u := RuleUse{Rule: rule, used: map[Grant]Use{}}
		var sum Use
		for g, use := range done {
			if !r.reaches(g) || !allows(rule, g) {
				continue
			}
			sum.add(use)
			clipped := g
			clipped.Namespace = ""
			if len(rule.ResourceNames) == 0 {
				clipped.Name = ""
			}
			for _, to := range []map[Grant]Use{u.used, all} {
				have := to[clipped]
				have.add(use)
				to[clipped] = have
			}
		}
		if u.Times = sum.Times; len(u.used) > 0 {
			u.Last = stamp(sum.Last)
		}
		u.judge()
		out.Rules = append(out.Rules, u)
	}
	out.smaller = merge(minimal(all))
	out.Smaller = []rbacv1.PolicyRule{}
	for _, rule := range out.smaller {
		out.Smaller = append(out.Smaller, rule.PolicyRule)
	}
	return out
}

// reaches says that the role counts where something was done.
func (r Granted) reaches(g Grant) bool {
	if r.Kind == "Role" {
		return g.URL == "" && g.Namespace == r.Namespace && g.Namespace != ""
	}
	return len(r.Bound) == 0 || g.URL == "" && slices.Contains(r.Bound, g.Namespace)
}

// allows is how kube-apiserver reads a rule.
func allows(r rbacv1.PolicyRule, g Grant) bool {
	if !matchAny(r.Verbs, g.Verb) {
		return false
	}
	if g.URL != "" {
		return matchURL(r.NonResourceURLs, g.URL)
	}
	return matchAny(r.APIGroups, g.Group) && matchResource(r.Resources, g.Resource) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, g.Name))
}

func matchAny(values []string, v string) bool {
	return slices.Contains(values, "*") || slices.Contains(values, v)
}

// matchResource matches pods/log by itself, by * and by */log.
func matchResource(values []string, resource string) bool {
	_, sub, ok := strings.Cut(resource, "/")
	return matchAny(values, resource) || ok && slices.Contains(values, "*/"+sub)
}

// judge fills in what was not used.
func (u *RuleUse) judge() {
	for _, f := range []struct {
		values        []string
		unused, wild  *[]string
		of            func(Grant) string
		matches       func([]string, string) bool
		isWild        func(string) bool
		resourceField bool
	}{
		{u.Rule.Verbs, &u.Unused.Verbs, &u.Wildcards.Verbs, func(g Grant) string { return g.Verb }, matchAny, star, false},
		{u.Rule.APIGroups, &u.Unused.APIGroups, &u.Wildcards.APIGroups, func(g Grant) string { return g.Group }, matchAny, star, true},
		{u.Rule.Resources, &u.Unused.Resources, &u.Wildcards.Resources, func(g Grant) string { return g.Resource }, matchResource, starred, true},
		{u.Rule.ResourceNames, &u.Unused.ResourceNames, new([]string), func(g Grant) string { return g.Name }, slices.Contains[[]string], never, true},
		{u.Rule.NonResourceURLs, &u.Unused.NonResourceURLs, &u.Wildcards.NonResourceURLs, func(g Grant) string { return g.URL }, matchURL, globbed, false},
	} {
		for _, v := range f.values {
			found := map[string]bool{}
			for g := range u.used {
				if (g.URL == "" || !f.resourceField) && f.matches([]string{v}, f.of(g)) {
					found[f.of(g)] = true
				}
			}
			switch {
			case len(found) == 0:
				*f.unused = append(*f.unused, v)
			case f.isWild(v):
				*f.wild = append(*f.wild, slices.Sorted(maps.Keys(found))...)
			}
		}
	}
	u.apart()
}

func star(v string) bool    { return v == "*" }
func starred(v string) bool { return strings.HasPrefix(v, "*") }
func globbed(v string) bool { return strings.HasSuffix(v, "*") }
func never(string) bool     { return false }

// mostApart is how many pairs are listed.
const mostApart = 100

// apart finds pairs of which each half was used with another half.
func (u *RuleUse) apart() {
	verb, thing, pair := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for g := range u.used {
		t := g.Resource + g.URL
		verb[g.Verb], thing[t], pair[g.Verb+" of "+t] = true, true, true
	}
	for _, v := range u.Rule.Verbs {
		for _, t := range slices.Concat(u.Rule.Resources, u.Rule.NonResourceURLs) {
			if p := v + " of " + t; verb[v] && thing[t] && !pair[p] && len(u.Apart) < mostApart {
				u.Apart = append(u.Apart, p)
			}
		}
	}
}

// Lines say it to people.
func (r RoleUse) Lines() (out []string) {
	used := 0
	for _, u := range r.Rules {
		if len(u.used) > 0 {
			used++
		}
	}
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	out = append(out, fmt.Sprintf("%s %s: %d of %d rules used", r.Kind, name, used, len(r.Rules)))
	for i, u := range r.Rules {
		if len(u.used) == 0 {
			out = append(out, fmt.Sprintf("  rules[%d]  never used: %s", i, ruleText(u.Rule)))
			continue
		}
		out = append(out, fmt.Sprintf("  rules[%d]  used %s, last %s: %s", i, times(max(u.Times, 1)), u.Last, ruleText(u.Rule)))
		out = append(out, u.Unused.lines("not used")...)
		out = append(out, u.Wildcards.lines("all that was used of *")...)
		if len(u.Apart) > 0 {
			out = append(out, "    not used together: "+strings.Join(u.Apart, ", "))
		}
	}
	return out
}

// lines has a line for each field with values.
func (v Values) lines(what string) (out []string) {
	for _, f := range []struct {
		name   string
		values []string
	}{
		{"verbs", v.Verbs}, {"API groups", v.APIGroups}, {"resources", v.Resources}, {"names", v.ResourceNames}, {"URLs", v.NonResourceURLs},
	} {
		if len(f.values) > 0 {
			out = append(out, fmt.Sprintf("    %s: %s %s", what, f.name, listed(f.values)))
		}
	}
	return out
}

// listed shows the core API group, which has no name.
func listed(values []string) string {
	shown := slices.Clone(values)
	for i, v := range shown {
		if v == "" {
			shown[i] = `""`
		}
	}
	return strings.Join(shown, ", ")
}

func ruleText(r rbacv1.PolicyRule) string {
	text := listed(r.Verbs) + " of " + listed(slices.Concat(r.Resources, r.NonResourceURLs))
	if groups := r.APIGroups; len(groups) > 0 && !slices.Equal(groups, []string{""}) {
		text += " in " + listed(groups)
	}
	if len(r.ResourceNames) > 0 {
		text += " named " + listed(r.ResourceNames)
	}
	return text
}

// WriteSmaller prints roles with what was used of them. Roles that the API server fills in
// are left out.
func WriteSmaller(to io.Writer, roles []RoleUse) error {
	w := &writer{to: to}
	for _, r := range roles {
		if r.Aggregated {
			w.line("# ClusterRole %s is aggregated from others, which can be made smaller.", glyph.Line(r.Name))
			continue
		}
		w.head(r.Kind, r.Name, r.Namespace)
		w.rules(r.smaller)
	}
	return w.err
}
