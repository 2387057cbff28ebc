package lint

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"

	"auditpatch/internal/lazyregexp"
)

var identityCodes = []*Code{
	{ID: "AP052", Name: "users-and-groups", Severity: Warning, Title: "users and userGroups in one rule",
		Why:  "Both have to fit: the rule takes only those of the users who are in one of the groups. Most people mean either.",
		Bad:  rules("- level: None\n  verbs: [get]\n  users: [monitor]\n  userGroups: [backup]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  users: [monitor]\n- level: None\n  verbs: [get]\n  userGroups: [backup]\n")},
	{ID: "AP053", Name: "failed-logins-missed", Severity: Warning, Title: "a rule for anonymous requests in a policy that does not record failed logins",
		Why:  "A login that fails (401) has no user and no group, not even system:unauthenticated: only a rule without users and userGroups takes it.",
		Bad:  whole("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n  userGroups: [\"system:unauthenticated\"]\n- level: Metadata\n  userGroups: [\"system:authenticated\"]\n- level: None\n"),
		Good: whole("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n  userGroups: [\"system:unauthenticated\"]\n- level: Metadata\n")},
	{ID: "AP054", Name: "malformed-identity", Severity: Warning, Title: "a user or group in a form that does not occur",
		Why:  "A service account is the user system:serviceaccount:NAMESPACE:NAME in the groups system:serviceaccounts and system:serviceaccounts:NAMESPACE. The names are easily mixed up, and kube-apiserver does not check them.",
		Bad:  rules("- level: None\n  verbs: [get]\n  users: [\"serviceaccount:monitoring:agent\"]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  users: [\"system:serviceaccount:monitoring:agent\"]\n")},
}

// wellKnown are users and groups of Kubernetes itself, by whether they are groups.
var (
	wellKnownGroups = []string{"system:authenticated", "system:unauthenticated", "system:masters", "system:nodes", "system:serviceaccounts", "system:monitoring", "kubeadm:cluster-admins"}
	wellKnownUsers  = []string{"system:anonymous", "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "kubernetes-admin"}
	accountName     = lazyregexp.New(`^(system:)?serviceaccounts?:([a-z0-9-]+):([a-z0-9.-]+)$`)
	accountGroup    = lazyregexp.New(`^system:serviceaccount:([a-z0-9-]+)$`)
)

// identities looks at users and groups.
func (l *linter) identities(r *rule) {
	for i, u := range r.Users {
		l.user(r, r.at("users[%d]", i), u)
	}
	for i, g := range r.UserGroups {
		l.userGroup(r, r.at("userGroups[%d]", i), g)
	}
	if len(r.Users) > 0 && len(r.UserGroups) > 0 {
		l.add("AP052", r.at("userGroups"), fmt.Sprintf("%s has users and userGroups: it takes only those of the users who are in one of the groups", r.path), "make two rules of it, if either is meant")
	}
	l.anonymous(r)
}

const nowTaken = "the rule now takes the requests of this identity"

func (l *linter) user(r *rule, path, u string) {
	m := accountName().FindStringSubmatch(u)
	message := fmt.Sprintf("user %q in %s", u, r.path)
	switch {
	case m != nil && !strings.HasPrefix(u, "system:serviceaccount:"):
		want := fmt.Sprintf("system:serviceaccount:%s:%s", m[2], m[3])
		l.add("AP054", path, message+" is not the name of a service account", fmt.Sprintf("write %q", want)).
			Fix = l.replace(path, want, fmt.Sprintf("user %q becomes %q", u, want), nowTaken)
	case accountGroup().MatchString(u):
		l.add("AP054", path, message+" names a namespace and no service account", fmt.Sprintf("write %q, or %q for all of the namespace", u+":NAME", fmt.Sprintf("userGroups: [%q]", strings.Replace(u, "account:", "accounts:", 1))))
	case slices.Contains(wellKnownGroups, u) || strings.HasPrefix(u, "system:serviceaccounts:"):
		l.add("AP054", path, message+" is a group", fmt.Sprintf("write %q", fmt.Sprintf("userGroups: [%q]", u)))
	}
}

func (l *linter) userGroup(r *rule, path, g string) {
	m, name := accountGroup().FindStringSubmatch(g), accountName().FindStringSubmatch(g)
	message := fmt.Sprintf("group %q in %s", g, r.path)
	switch {
	case m != nil:
		want := "system:serviceaccounts:" + m[1]
		l.add("AP054", path, message+" does not occur: the groups of service accounts have the plural", fmt.Sprintf("write %q", want)).
			Fix = l.replace(path, want, fmt.Sprintf("group %q becomes %q", g, want), nowTaken)
	case name != nil && strings.HasPrefix(g, "system:serviceaccount:"), slices.Contains(wellKnownUsers, g), strings.HasPrefix(g, "system:node:"):
		l.add("AP054", path, message+" is a user", fmt.Sprintf("write %q", fmt.Sprintf("users: [%q]", g)))
	}
}

// anonymous asks whether a policy that looks at anonymous requests records failed
// logins as well.
func (l *linter) anonymous(r *rule) {
	unknown := func(list []string, name string) bool { return len(list) == 1 && list[0] == name }
	if !r.records() || !unknown(r.Users, "system:anonymous") && !unknown(r.UserGroups, "system:unauthenticated") {
		return
	}
	q := policy.Request{Verb: "list", Version: "v1", Resource: "secrets", Namespace: "default"}
	d := l.policy.Evaluate(q.Attributes())
	if d.Level == audit.LevelNone {
		l.add("AP053", r.path, fmt.Sprintf("%s is for anonymous requests, but those with a login that failed have no user and are not recorded, such as %s", r.path, describe(q)),
			`end the policy with a rule "- level: Metadata" that has neither users nor userGroups`)
	}
}
