package explain

import (
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
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
