package explain

import (
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/authentication/user"

	"auditpatch/internal/policy"

	"auditpatch/internal/lazyregexp"
)

// Somebody is a user who has logged in and whom no rule of a policy names: the one to
// ask about when nobody is said.
func Somebody(p *policy.Policy) Who {
	rules, err := rulesOf(p)
	name := "somebody"
	for err == nil && slices.ContainsFunc(rules, func(r audit.PolicyRule) bool { return slices.Contains(r.Users, name) }) {
		name += "-else"
	}
	return Who{User: name}
}

// DescribeUser is the user of a request in words.
func DescribeUser(r policy.Request) string {
	if r.User == "" {
		return "nobody (the login failed)"
	}
	return r.User + " (" + strings.Join(r.Groups, ", ") + ")"
}

// SystemUsers are the users of Kubernetes itself with one name each: those of the
// components, and of requests without a login.
var SystemUsers = []string{"system:anonymous", "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy",
	"system:cloud-controller-manager"}

// systemUsers are those with a name for each node, service account and bootstrap token
// (k8s.io/apiserver/pkg/authentication/serviceaccount, plugin/pkg/auth/authorizer/node and
// k8s.io/cluster-bootstrap/token/api in Kubernetes).
var systemUsers = lazyregexp.New(`^system:(node:[a-z0-9][a-z0-9.-]*|serviceaccount:[a-z0-9][a-z0-9-]*:[a-z0-9][a-z0-9.-]*|bootstrap:[a-z0-9]{6})$`)

// IsSystemUser tells whether a name is one that Kubernetes itself gives to a user.
func IsSystemUser(name string) bool {
	return slices.Contains(SystemUsers, name) || systemUsers().MatchString(name)
}

// IsGroup tells whether a name is that of a group of Kubernetes, which no user has.
func IsGroup(name string) bool {
	switch name {
	case user.AllAuthenticated, user.AllUnauthenticated, user.SystemPrivilegedGroup, user.NodesGroup, user.MonitoringGroup,
		"system:serviceaccounts", "system:bootstrappers", "kubeadm:cluster-admins":
		return true
	}
	return strings.HasPrefix(name, "system:serviceaccounts:") || strings.HasPrefix(name, "system:bootstrappers:")
}
