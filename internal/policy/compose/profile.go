package compose

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
	"auditpatch/internal/policy/space"
)

// profiles gives each group its own policy: for its members the base does not count.
func (c *composer) profiles() error {
	for _, p := range c.Profiles {
		if err := checkGroup(p.Group); err != nil {
			return err
		}
		_, rules, err := c.load(p.Source)
		if err != nil {
			return err
		}
		own, left := ofGroup(rules, p.Group)
		name := fmt.Sprintf("--group-profile %s=%s", p.Group, p.typed())
		comment := []string{fmt.Sprintf("--group-profile: of the group %s, %s decides, and nothing further down.", oneLine(p.Group), p.Name)}
		if len(left) > 0 {
			comment = append(comment, fmt.Sprintf("Left out: %s of it that is about members of other groups, also of who is in both.", policyCount(len(left))))
		}
		for _, l := range left {
			if louder := c.louder(l, p.Group); louder != "" {
				c.notes = append(c.notes, fmt.Sprintf("%s: %s is about other groups and left out, since a rule cannot ask for two groups: of who is in one of them as well, %s records more", name, l.from, louder))
			}
		}
		if !slices.ContainsFunc(own, func(r rule) bool { return matchesAll(r.PolicyRule) }) {
			own = append(own, rule{PolicyRule: auditv1.PolicyRule{Level: auditv1.LevelNone, UserGroups: []string{p.Group}}, from: "the end of " + p.Name})
			comment = append(comment, "Its last rule here says what it does with the rest: nothing is recorded.")
			c.notes = append(c.notes, fmt.Sprintf("%s: what no rule of %s matches is not recorded of this group", name, p.Name))
		}
		c.ofGroups = append(c.ofGroups, part{name, comment, own})
		if err := c.checkHidden(name, p); err != nil {
			return err
		}
	}
	return nil
}

func policyCount(n int) string {
	if n == 1 {
		return "the rule"
	}
	return fmt.Sprintf("the %d rules", n)
}

func checkGroup(group string) error {
	switch {
	case strings.TrimSpace(group) == "":
		return hint.Errorf(hint.Spaced("group-profile", "GROUP=PRESET"), "--group-profile: the group is missing")
	case strings.HasPrefix(group, "system:serviceaccount:"):
		return hint.Errorf(hint.Words("write a rule for the user and give it with --add"), "--group-profile %s: that is a user", group)
	case strings.ContainsAny(group, "*?"):
		return hint.Errorf(hint.Spaced("group-profile", "GROUP=PRESET"), "--group-profile %s: names are compared as a whole, there are no wildcards", group)
	}
	return nil
}

// leftOut is a rule that is not taken over, with those before and after it that are.
type leftOut struct {
	rule
	before, after []rule
}

// ofGroup are the rules as they are for members of a group. A rule has no way to ask for
// two groups at once, so one about another group is left out; everybody who has logged
// in is in system:authenticated.
func ofGroup(rules []rule, group string) (own []rule, left []leftOut) {
	for _, r := range rules {
		spec := *r.DeepCopy()
		everybody := slices.Contains(spec.UserGroups, "system:authenticated") && group != "system:unauthenticated"
		if len(spec.UserGroups) > 0 && !everybody && !slices.Contains(spec.UserGroups, group) {
			left = append(left, leftOut{rule: r, before: slices.Clone(own)})
			continue
		}
		spec.UserGroups = []string{group}
		own = append(own, rule{PolicyRule: spec, from: r.from})
		for i := range left {
			left[i].after = append(left[i].after, own[len(own)-1])
		}
	}
	return own, left
}

// louder is the rule that decides in the place of one that was left out, about who is in
// both groups, and records more; "" for none.
func (c *composer) louder(l leftOut, group string) string {
	spec := *l.DeepCopy()
	spec.UserGroups = slices.DeleteFunc(spec.UserGroups, func(g string) bool { return !together(g, group) })
	if len(spec.UserGroups) == 0 {
		return ""
	}
	must, err := space.NewRule(spec)
	if err != nil {
		return ""
	}
	var before []*space.Rule
	for i, r := range slices.Concat(l.before, l.after) {
		next, err := space.NewRule(r.PolicyRule)
		if err != nil {
			return ""
		}
		if i >= len(l.before) && audit.Level(l.Level).Less(audit.Level(r.Level)) {
			if answer := space.Find([]*space.Rule{must, next}, before); answer.Found || !answer.Certain {
				return r.from
			}
		}
		before = append(before, next)
	}
	return ""
}

// together tells whether one user can be in both groups: those of kubelets, of service
// accounts and of whoever has not logged in stay among themselves.
func together(a, b string) bool {
	kind := func(g string) string {
		switch {
		case g == "system:nodes" || g == "system:unauthenticated":
			return g
		case strings.HasPrefix(g, "system:serviceaccounts"):
			return "system:serviceaccounts"
		}
		return ""
	}
	return kind(a) == kind(b)
}

// matchesAll tells whether a rule takes all requests of the groups that it is about.
func matchesAll(r auditv1.PolicyRule) bool {
	return len(r.Users)+len(r.Verbs)+len(r.Resources)+len(r.Namespaces)+len(r.NonResourceURLs) == 0
}

// checkHidden tells of a profile that no longer records what members of its group do with
// credentials, or their ways into containers, and the base does.
func (c *composer) checkHidden(name string, p Profile) error {
	base, err := policy.Load(c.Base.Name, c.Base.Data)
	if err != nil {
		return err
	}
	own, err := policy.Load(p.Name, p.Data)
	if err != nil {
		return err
	}
	var hidden []string
	for _, r := range requests.All() {
		if r.Topic != credentials && r.Topic != intoContainers || r.Request.User != requests.Alice.User {
			continue
		}
		member := asMember(r.Request, p.Group)
		if tells(base, member) && !tells(own, member) {
			hidden = append(hidden, r.Name)
		}
	}
	if len(hidden) > 0 {
		c.notes = append(c.notes, fmt.Sprintf("%s: no longer recorded of this group: %s", name, someOf(hidden)))
	} else if slices.Contains([]string{"system:masters", "system:authenticated", "system:unauthenticated", "kubeadm:cluster-admins"}, p.Group) {
		c.notes = append(c.notes, fmt.Sprintf("%s: of this group, %s alone decides what is recorded", name, p.Name))
	}
	return nil
}

// The topics of the catalogue that nobody should be hidden from.
const (
	credentials    = "Secrets and other credentials"
	intoContainers = "Ways into containers and around the network policy"
)

// asMember is a request as somebody of a group makes it.
func asMember(r policy.Request, group string) policy.Request {
	r.User, r.Groups = "alice", []string{group, "system:authenticated"}
	switch namespace, account := strings.CutPrefix(group, "system:serviceaccounts"); {
	case account:
		namespace = strings.TrimPrefix(namespace, ":")
		if namespace == "" {
			namespace = "prod"
		}
		r.User, r.Groups = requests.Account(namespace, "default").User, nil
	case group == "system:unauthenticated":
		r.User, r.Groups = requests.Anonymous.User, nil
	case group == "system:nodes":
		r.User = requests.Kubelet.User
	}
	return r
}

// tells tells whether there is an event of a request of somebody who has logged in.
func tells(p *policy.Policy, r policy.Request) bool {
	d := p.Evaluate(r.Attributes())
	return d.Records(audit.StageRequestReceived) || d.Records(audit.StageResponseComplete)
}

// someOf are the first words of a list, and how many there are more.
func someOf(list []string) string {
	const most = 4
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
