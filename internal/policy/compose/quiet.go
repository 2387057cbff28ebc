package compose

import (
	"fmt"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/hint"
)

var (
	reading = []string{"get", "list", "watch"}
	leases  = []auditv1.GroupResources{{Group: "coordination.k8s.io", Resources: []string{"leases"}}}
	events  = []auditv1.GroupResources{{Group: "", Resources: []string{"events"}}, {Group: "events.k8s.io", Resources: []string{"events"}}}
	// guarded are reads that nobody is too trusted for: contents of secrets, and ways
	// into containers and nodes, which over a websocket are a get.
	guarded = []auditv1.GroupResources{{Group: "", Resources: []string{
		"secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy"}}}
)

// quietLeases hides the renewals of leases, by which the control plane, kubelets and
// operators say that they are alive. Whoever else touches a lease is left to the base.
func (c *composer) quietLeases() error {
	if !c.QuietLeases {
		return nil
	}
	const from = "--quiet-leases"
	verbs := []string{"get", "update", "patch"}
	c.parts = append(c.parts, part{from, []string{
		"--quiet-leases: hides that the control plane, kubelets and service accounts look up and renew",
		"leases. Other users' requests, and leases that are created or deleted, are left to what follows.",
	}, []rule{
		{auditv1.PolicyRule{Level: auditv1.LevelNone, Verbs: verbs, Resources: leases, Users: []string{
			"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:cloud-controller-manager"}}, from},
		{auditv1.PolicyRule{Level: auditv1.LevelNone, Verbs: verbs, Resources: leases, UserGroups: []string{"system:nodes", "system:serviceaccounts"}}, from},
	}})
	return nil
}

// quietUsers hides what users read, and their events and leases. What else they write
// stays, and so do reads of secrets and ways into containers: an account that is never
// looked at is the one to steal.
func (c *composer) quietUsers() error {
	for _, user := range c.QuietUsers {
		if err := checkUser(user); err != nil {
			return err
		}
		if slices.Contains(watched, user) {
			c.notes = append(c.notes, fmt.Sprintf("--quiet-user %s: who gets in as this user reads the cluster without a trace", user))
		}
		from, users := "--quiet-user "+user, []string{user}
		kept := complete(auditv1.PolicyRule{Level: auditv1.LevelMetadata, Users: users, Verbs: reading, Resources: guarded}, c.base)
		none := auditv1.PolicyRule{Level: auditv1.LevelNone, Users: users}
		reads, renews, tells := none, none, none
		reads.Verbs = reading
		renews.Verbs, renews.Resources = []string{"update", "patch"}, leases
		tells.Verbs, tells.Resources = []string{"create", "update", "patch"}, events
		rules := []rule{{kept, from}, {reads, from}, {tells, from}}
		if !c.QuietLeases || !strings.HasPrefix(user, "system:serviceaccount:") {
			rules = append(rules, rule{renews, from})
		}
		c.parts = append(c.parts, part{from, []string{
			fmt.Sprintf("--quiet-user %s", oneLine(user)),
			"Hides what it reads (get, list, watch), its renewals of leases and its events. What else it",
			"writes is left to what follows; its reads of secrets, and its ways into containers and nodes,",
			"are recorded by the first of these rules.",
		}, rules})
	}
	return nil
}

// watched are users whose reads are worth a look: administrators, and whoever did not
// log in.
var watched = []string{"system:anonymous", "kubernetes-admin", "kubernetes-super-admin", "admin"}

// groups are names that are taken for users.
var groups = []string{"system:masters", "system:authenticated", "system:unauthenticated", "system:nodes",
	"system:serviceaccounts", "system:bootstrappers", "system:monitoring", "kubeadm:cluster-admins"}

// checkUser refuses what is no user, since such a rule matches nothing.
func checkUser(user string) error {
	const account = "system:serviceaccount:"
	name, isAccount := strings.CutPrefix(user, account)
	namespace, rest, _ := strings.Cut(name, ":")
	switch {
	case strings.TrimSpace(user) == "":
		return hint.Errorf(hint.Spaced("quiet-user", account+"monitoring:prometheus"), "--quiet-user: a name is missing")
	case slices.Contains(groups, user) || strings.HasPrefix(user, "system:serviceaccounts:"):
		return hint.Errorf(hint.Spaced("quiet-user", account+"monitoring:prometheus"),
			"--quiet-user %s: that is a group; to hide a whole group, write a rule for it and give it with --add", user)
	case strings.ContainsAny(user, "*?"):
		return hint.Errorf(hint.Spaced("quiet-user", "NAME"), "--quiet-user %s: names are compared as a whole, there are no wildcards", user)
	case isAccount && (namespace == "" || rest == "" || strings.Contains(rest, ":")):
		return hint.Errorf(hint.Spaced("quiet-user", account+"NAMESPACE:NAME"), "--quiet-user %s: no service account is called so", user)
	case strings.HasPrefix(user, "serviceaccount:"):
		return hint.Errorf(hint.Spaced("quiet-user", "system:"+user), "--quiet-user %s: no service account is called so", user)
	}
	return nil
}

// oneLine is a name as it may stand in a comment.
func oneLine(name string) string { return strings.Trim(fmt.Sprintf("%q", name), `"`) }

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
		name := fmt.Sprintf("--group-profile %s=%s", p.Group, p.Name)
		comment := []string{fmt.Sprintf("--group-profile: of the group %s, %s decides, and nothing further down.", oneLine(p.Group), p.Name)}
		if left > 0 {
			comment = append(comment, fmt.Sprintf("Left out: %s of it that is about members of other groups.", policyCount(left)))
		}
		if !slices.ContainsFunc(rules, func(r rule) bool { return matchesAll(r.PolicyRule) }) {
			own = append(own, rule{auditv1.PolicyRule{Level: auditv1.LevelNone, UserGroups: []string{p.Group}}, "the end of " + p.Name})
			comment = append(comment, "Its last rule here says what it does with the rest: nothing is recorded.")
			c.notes = append(c.notes, fmt.Sprintf("%s: what no rule of %s matches is not recorded of this group", name, p.Name))
		}
		if slices.Contains([]string{"system:masters", "system:authenticated", "system:unauthenticated", "kubeadm:cluster-admins"}, p.Group) {
			c.notes = append(c.notes, fmt.Sprintf("%s: of this group, %s alone decides what is recorded", name, p.Name))
		}
		c.parts = append(c.parts, part{name, comment, own})
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

// ofGroup are the rules as they are for members of a group. A rule has no way to ask for
// two groups at once, so one about another group is left out; everybody who has logged
// in is in system:authenticated.
func ofGroup(rules []rule, group string) (own []rule, left int) {
	for _, r := range rules {
		spec := *r.DeepCopy()
		everybody := slices.Contains(spec.UserGroups, "system:authenticated") && group != "system:unauthenticated"
		if len(spec.UserGroups) > 0 && !everybody && !slices.Contains(spec.UserGroups, group) {
			left++
			continue
		}
		spec.UserGroups = []string{group}
		own = append(own, rule{spec, r.from})
	}
	return own, left
}

func matchesAll(r auditv1.PolicyRule) bool {
	return len(r.Users)+len(r.UserGroups)+len(r.Verbs)+len(r.Resources)+len(r.Namespaces)+len(r.NonResourceURLs) == 0
}
