package lint

import (
	"slices"
	"strings"
	"sync"

	"github.com/xrash/smetrics"

	"auditpatch/internal/policy/builtin"
	"auditpatch/internal/spelling"
)

// goneGroups are API groups that no supported kube-apiserver serves, with the
// release that dropped them and where their resources are now.
var goneGroups = map[string]string{
	"extensions":               "gone since Kubernetes 1.22; its resources are in apps, networking.k8s.io and policy",
	"auditregistration.k8s.io": "gone since Kubernetes 1.19",
	"settings.k8s.io":          "gone since Kubernetes 1.20",
}

func either[T any](is bool, a, b T) T {
	if is {
		return a
	}
	return b
}

// known is a built-in resource of a group; nil for others. It takes any group for
// "*".
func known(group, name string) *builtin.Resource {
	if group != "*" {
		return builtin.Find(group, name)
	}
	for i, k := range builtin.All() {
		if k.Name == name {
			return &builtin.All()[i]
		}
	}
	return nil
}

func isNamespaced(group, name string) bool {
	k := known(group, name)
	return k != nil && k.Namespaced
}

// groupsOf are the groups that have a resource of this name.
func groupsOf(name string) (groups []string) {
	for _, k := range builtin.All() {
		if k.Name == name {
			groups = append(groups, k.Group)
		}
	}
	return groups
}

// aliased is the resource in the group with a kind, singular or short name; nil
// when there is none.
func aliased(group, name string) *builtin.Resource {
	lower := strings.ToLower(name)
	for i, k := range builtin.All() {
		if (k.Group == group || group == "*") && k.Name != name && (lower == k.Name || lower == k.Singular() || slices.Contains(k.Short, lower)) {
			return &builtin.All()[i]
		}
	}
	return nil
}

// misspelt is the resource in the group that was probably meant; "" for no idea.
func misspelt(group, name string) string {
	var names []string
	for _, k := range builtin.All() {
		if k.Group == group {
			names = append(names, k.Name)
		}
	}
	return nearly(name, names)
}

// nearly is the name that differs in a letter or two, or two swapped ones, and
// begins as the word does; "" for none. More may be something that is newer than
// the table.
func nearly(word string, names []string) string {
	near := spelling.Nearest(word, names)
	if slices.Contains(names, word) || near == "" || word == "" || near[0] != word[0] || smetrics.WagnerFischer(spelling.Plain(word), near, 1, 1, 1) > 2 {
		return ""
	}
	return near
}

// allSubresources are those of any resource.
var allSubresources = sync.OnceValue(func() (all []string) {
	for _, k := range builtin.All() {
		for _, sub := range k.Subresources {
			if !slices.Contains(all, sub) {
				all = append(all, sub)
			}
		}
	}
	return all
})

// otherGroups are those of well-known parts of a cluster that are nearly the names of
// Kubernetes' own.
var otherGroups = []string{"metrics.k8s.io", "resource.k8s.io", "autoscaling.k8s.io", "audit.k8s.io", "imagepolicy.k8s.io", "storagemigration.k8s.io"}

// meantGroup is the group of Kubernetes that was meant, where it is none; certain
// tells that it cannot be anybody else's, who has to have a dot in the name.
func meantGroup(group string) (meant string, certain bool) {
	var names []string
	for _, k := range builtin.All() {
		if k.Group == "" {
			continue
		}
		switch {
		case !strings.Contains(group, ".") && strings.HasPrefix(k.Group, group+"."):
			return k.Group, true
		case group == k.Group+".k8s.io" && !slices.Contains(otherGroups, group):
			return k.Group, false
		}
		if strings.Contains(group, ".") == strings.Contains(k.Group, ".") {
			names = append(names, k.Group)
		}
	}
	if group == "core.k8s.io" || group == "core.api.k8s.io" {
		return `""`, false
	}
	if slices.Contains(otherGroups, group) {
		return "", false
	}
	near := nearly(group, names)
	return near, near != "" && !strings.Contains(group, ".")
}
