package roles

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Objects are what WriteYAML prints.
func (s Set) Objects(subject Subject) (out []any) {
	for _, r := range s.Roles {
		kind := "ClusterRole"
		if !r.Everywhere && len(r.Namespaces) == 1 {
			kind = "Role"
			out = append(out, rbacv1.Role{TypeMeta: typed(kind), ObjectMeta: metav1.ObjectMeta{Name: r.Name, Namespace: r.Namespaces[0]}, Rules: r.policy()})
		} else {
			out = append(out, rbacv1.ClusterRole{TypeMeta: typed(kind), ObjectMeta: metav1.ObjectMeta{Name: r.Name}, Rules: r.policy()})
		}
		to := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: r.Name}
		if r.Everywhere {
			out = append(out, rbacv1.ClusterRoleBinding{TypeMeta: typed("ClusterRoleBinding"), ObjectMeta: metav1.ObjectMeta{Name: r.Name}, RoleRef: to, Subjects: subject.v1()})
		}
		for _, namespace := range r.Namespaces {
			out = append(out, rbacv1.RoleBinding{TypeMeta: typed("RoleBinding"), ObjectMeta: metav1.ObjectMeta{Name: r.Name, Namespace: namespace}, RoleRef: to, Subjects: subject.v1()})
		}
	}
	return out
}

func (r Role) policy() (rules []rbacv1.PolicyRule) {
	for _, rule := range r.Rules {
		rules = append(rules, rule.PolicyRule)
	}
	return rules
}

func typed(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

func (s Subject) v1() []rbacv1.Subject {
	out := rbacv1.Subject{Kind: s.Kind, Name: s.Name, Namespace: s.Namespace}
	if s.Kind != "ServiceAccount" {
		out.APIGroup = rbacv1.GroupName
	}
	return []rbacv1.Subject{out}
}
