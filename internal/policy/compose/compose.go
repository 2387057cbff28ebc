// Package compose puts one policy together from a base and what is laid over it: other
// policies, rules that quiet a client, and a policy of its own for each group of users.
//
// Start with [Compose]. The result is the text of an ordinary policy: the base as it
// stands, with rules in front of its own. Before it is returned it is loaded, and has
// to mean what its parts mean.
//
// Each part keeps its own stages and managed fields, rule by rule, also where its policy
// sets them for all its rules. Where two parts leave out different stages, the base's
// list moves into its rules.
package compose

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/space"
)

// Source is a policy with its name, for comments and messages.
type Source struct {
	Name string // a file's name, or preset NAME
	Data []byte
	// Comments stand above its rules, in the place of where these come from.
	Comments []string
}

// typed is the source as it is given to a flag.
func (s Source) typed() string {
	if preset, ok := strings.CutPrefix(s.Name, "preset "); ok {
		return "preset:" + preset
	}
	if s.Name == "<stdin>" {
		return "-"
	}
	return s.Name
}

// Profile is what is recorded of a group, in place of the base.
type Profile struct {
	Group string
	Source
}

// Request is what is put together. The parts come into the result in this order: Add,
// QuietLeases, QuietUsers, Profiles, Base; the first rule that matches decides.
type Request struct {
	Base        Source
	Add         []Source
	QuietLeases bool
	QuietUsers  []string
	Profiles    []Profile
	// Namespaces, where there are any, limit all parts but the base to these.
	Namespaces []string
	Version    policy.Version // of the cluster, zero for an unknown one
}

// Result is the composed policy.
type Result struct {
	Text  []byte
	Rules int
	Parts []Part
	Notes []string // what whoever asked should know
	// Leaks are the findings of policy lint about Secrets, tokens and ConfigMaps whose
	// contents the result writes.
	Leaks []string
}

// Part is where some rules of the result come from. The base is the last one.
type Part struct {
	From  string `json:"from"`
	Rules int    `json:"rules"`
}

// part is one part with its rules.
type part struct {
	name    string   // for messages
	comment []string // lines above its rules
	rules   []rule
}

// rule is a rule that means the same in any policy: it names all stages that it leaves
// out, and what it does with managed fields.
type rule struct {
	auditv1.PolicyRule
	from    string // FILE:LINE
	comment string // above the rule, instead of from
}

// composer puts one result together.
type composer struct {
	Request
	base      *auditv1.Policy
	rules     []rule // of the base
	parts     []part // those in front of the base
	ofGroups  []part // of them, those that are about groups
	tooNew    map[string]bool
	notes     []string
	following []*space.Rule // what comes after the rules of --quiet-...
	records   []bool        // which of them write events
}

// Compose puts the parts together. It refuses a part that is no valid policy, and one
// whose rules no request would reach.
func Compose(r Request) (Result, error) {
	c := &composer{Request: r, tooNew: map[string]bool{}}
	var err error
	if c.base, c.rules, err = c.load(r.Base); err != nil {
		return Result{}, err
	}
	for _, step := range []func() error{c.checkText, c.add, c.profiles, c.follow, c.quietLeases, c.quietUsers} {
		if err := step(); err != nil {
			return Result{}, err
		}
	}
	c.parts = append(c.parts, c.ofGroups...)
	if err := c.limit(); err != nil {
		return Result{}, err
	}
	out, err := c.result(c.rules)
	if err != nil {
		return out, err
	}
	if err := c.checkAlive(&out); err != nil {
		return out, err
	}
	return out, c.checkContents(&out)
}

// checkText refuses names that no request and no file can have.
func (c *composer) checkText() error {
	groups := []string{}
	for _, p := range c.Profiles {
		groups = append(groups, p.Group)
	}
	for flag, names := range map[string][]string{"quiet-user": c.QuietUsers, "group-profile": groups, "namespace": c.Namespaces} {
		for _, name := range names {
			if !utf8.ValidString(name) {
				return hint.Errorf(hint.Spaced(flag, "NAME"), "--%s %q: this is not UTF-8", flag, name)
			}
		}
	}
	return nil
}

// follow prepares what the rules of --quiet-... are laid over.
func (c *composer) follow() error {
	rules := slices.Clone(c.rules)
	for i := len(c.ofGroups) - 1; i >= 0; i-- {
		rules = slices.Concat(c.ofGroups[i].rules, rules)
	}
	for _, r := range rules {
		prepared, err := space.NewRule(r.PolicyRule)
		if err != nil {
			return err
		}
		c.following = append(c.following, prepared)
		c.records = append(c.records, r.Level != auditv1.LevelNone && len(r.OmitStages) < len(allStages))
	}
	return nil
}

// load loads a part.
func (c *composer) load(s Source) (*auditv1.Policy, []rule, error) {
	p, ignored, err := policy.LoadStartable(s.Name, s.Data, c.Version)
	if err != nil {
		return nil, nil, err
	}
	if ignored != nil && !c.tooNew[s.Name] {
		c.tooNew[s.Name] = true
		c.notes = append(c.notes, fmt.Sprintf("%s: omitManagedFields needs Kubernetes 1.23: kube-apiserver %s ignores it and writes managed fields", s.Name, c.Version))
	}
	v1, err := p.V1()
	if err != nil {
		return nil, nil, err
	}
	var rules []rule
	for i, spec := range v1.Rules {
		line, _ := p.Position(i)
		r := rule{PolicyRule: complete(spec, v1), from: fmt.Sprintf("%s:%d", s.Name, line)}
		if i < len(s.Comments) {
			r.comment = s.Comments[i]
		}
		rules = append(rules, r)
	}
	return v1, rules, nil
}

// complete is a rule with what its policy says for all rules. Of level None neither has
// a meaning.
func complete(r auditv1.PolicyRule, p *auditv1.Policy) auditv1.PolicyRule {
	r = *r.DeepCopy()
	if r.Level == auditv1.LevelNone {
		r.OmitStages, r.OmitManagedFields = nil, nil
		return r
	}
	r.OmitStages = inOrder(slices.Concat(p.OmitStages, r.OmitStages))
	if r.OmitManagedFields == nil {
		r.OmitManagedFields = &p.OmitManagedFields
	}
	return r
}

var allStages = []auditv1.Stage{auditv1.StageRequestReceived, auditv1.StageResponseStarted, auditv1.StageResponseComplete, auditv1.StagePanic}

// inOrder are the stages once each, in the order of a request.
func inOrder(stages []auditv1.Stage) []auditv1.Stage {
	var out []auditv1.Stage
	for _, s := range allStages {
		if slices.Contains(stages, s) {
			out = append(out, s)
		}
	}
	return out
}

// add takes over other policies as they are.
func (c *composer) add() error {
	for _, s := range c.Add {
		_, rules, err := c.load(s)
		if err != nil {
			return err
		}
		c.parts = append(c.parts, part{"--add " + s.typed(), []string{fmt.Sprintf("From %s: %s.", s.Name, policy.Count(len(rules)))}, rules})
	}
	return nil
}

// limit limits the parts to namespaces.
func (c *composer) limit() error {
	if len(c.Namespaces) == 0 {
		return nil
	}
	if len(c.parts) == 0 {
		return hint.Errorf(hint.Spaced("add", "FILE"), "--namespace limits what is laid over the base, and nothing is")
	}
	for _, n := range c.Namespaces {
		if faults := validation.IsDNS1123Label(n); len(faults) > 0 {
			return hint.Errorf(hint.Spaced("namespace", "NAME"), "--namespace %q is not the name of a namespace: %s", n, strings.Join(faults, ", "))
		}
	}
	for i, p := range c.parts {
		for j, r := range p.rules {
			limited, ok := within(r.PolicyRule, c.Namespaces)
			if !ok {
				return hint.Errorf(hint.Words("leave out --namespace"), "%s: this rule of %s has no request in the namespaces %q", r.from, p.name, c.Namespaces)
			}
			c.parts[i].rules[j].PolicyRule = limited
		}
		c.parts[i].comment = append(p.comment, fmt.Sprintf("Only in the namespaces %q: requests across all namespaces are left to what follows.", c.Namespaces))
	}
	return nil
}

// within is the rule in these namespaces; ok is false when nothing remains of it.
func within(r auditv1.PolicyRule, namespaces []string) (out auditv1.PolicyRule, ok bool) {
	out = *r.DeepCopy()
	switch {
	case len(r.NonResourceURLs) > 0:
		return out, false
	case len(r.Namespaces) == 0:
		out.Namespaces = slices.Clone(namespaces)
	default:
		out.Namespaces = slices.DeleteFunc(out.Namespaces, func(n string) bool { return !slices.Contains(namespaces, n) })
	}
	return out, len(out.Namespaces) > 0
}
