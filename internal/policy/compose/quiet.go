package compose

import (
	"fmt"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy/space"
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
		{PolicyRule: auditv1.PolicyRule{Level: auditv1.LevelNone, Verbs: verbs, Resources: leases, Users: []string{
			"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:cloud-controller-manager"}}, from: from},
		{PolicyRule: auditv1.PolicyRule{Level: auditv1.LevelNone, Verbs: verbs, Resources: leases, UserGroups: []string{"system:nodes", "system:serviceaccounts"}}, from: from},
	}})
	return c.checkQuiet(c.parts[len(c.parts)-1])
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
		if strings.Contains(user, ",") {
			c.notes = append(c.notes, fmt.Sprintf("--quiet-user %s: this is one name; several users have a flag each", oneLine(user)))
		}
		from, users := "--quiet-user "+user, []string{user}
		none := auditv1.PolicyRule{Level: auditv1.LevelNone, Users: users}
		reads, renews, tells := none, none, none
		reads.Verbs = reading
		renews.Verbs, renews.Resources = []string{"update", "patch"}, leases
		tells.Verbs, tells.Resources = []string{"create", "update", "patch"}, events
		var rules []rule
		for _, kept := range c.kept(user) {
			rules = append(rules, rule{PolicyRule: kept, from: from})
		}
		comment := []string{
			fmt.Sprintf("--quiet-user %s", oneLine(user)),
			"Hides what it reads (get, list, watch), its renewals of leases and its events. What else it",
			"writes is left to what follows; its reads of secrets, and its ways into containers and nodes,",
			"are recorded by the first of these rules.",
		}
		switch len(rules) {
		case 0:
			comment[2], comment[3] = "writes is left to what follows, which records neither its reads of secrets nor its ways into", "containers and nodes."
		case 1:
		default:
			comment[3] = "are recorded as far as what follows would, by the first of these rules."
		}
		rules = append(rules, rule{PolicyRule: reads, from: from}, rule{PolicyRule: tells, from: from})
		if !c.QuietLeases || !strings.HasPrefix(user, "system:serviceaccount:") {
			rules = append(rules, rule{PolicyRule: renews, from: from})
		}
		c.parts = append(c.parts, part{from, comment, rules})
		if err := c.checkQuiet(c.parts[len(c.parts)-1]); err != nil {
			return err
		}
	}
	return nil
}

// kept are rules that go on recording those reads of a user that nobody is too trusted
// for, so far as what follows records them: quieting must not make anything louder.
func (c *composer) kept(user string) (rules []auditv1.PolicyRule) {
	byVerbs, order := map[string][]auditv1.GroupResources{}, []string{}
	for _, resource := range guarded[0].Resources {
		var verbs []string
		for _, verb := range reading {
			if c.recorded(user, verb, resource) {
				verbs = append(verbs, verb)
			}
		}
		key := strings.Join(verbs, " ")
		if key == "" {
			continue
		}
		if byVerbs[key] == nil {
			byVerbs[key], order = []auditv1.GroupResources{{Group: ""}}, append(order, key)
		}
		byVerbs[key][0].Resources = append(byVerbs[key][0].Resources, resource)
	}
	for _, key := range order {
		rules = append(rules, complete(auditv1.PolicyRule{Level: auditv1.LevelMetadata, Users: []string{user},
			Verbs: strings.Fields(key), Resources: byVerbs[key]}, c.base))
	}
	return rules
}

// recorded tells whether what follows records such a request of the user, anywhere. A
// search that was given up says yes.
func (c *composer) recorded(user, verb, resource string) bool {
	this, err := space.NewRule(auditv1.PolicyRule{Users: []string{user}, Verbs: []string{verb}, Resources: []auditv1.GroupResources{{Resources: []string{resource}}}})
	return err != nil || c.meets(this, nil)
}

// meets tells whether a rule decides requests that what follows records, of those that
// no rule before it takes.
func (c *composer) meets(r *space.Rule, before []*space.Rule) bool {
	for i, follows := range c.following {
		if !c.records[i] {
			continue
		}
		answer := space.Find([]*space.Rule{r, follows}, slices.Concat(before, c.following[:i]))
		if answer.Found || !answer.Certain {
			return true
		}
	}
	return false
}

// checkQuiet refuses a part that hides nothing which would be recorded without it.
func (c *composer) checkQuiet(p part) error {
	var before []*space.Rule
	for _, r := range p.rules {
		this, err := space.NewRule(r.PolicyRule)
		if err != nil {
			return err
		}
		if r.Level == auditv1.LevelNone && c.meets(this, before) {
			return nil
		}
		before = append(before, this)
	}
	return hint.Errorf(hint.Words("leave out %s", p.name), "%s would do nothing: what it is laid over records nothing of what it hides", p.name)
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
