package explain

import (
	"slices"
	"strings"

	"auditpatch/internal/policy/builtin"
)

// namespaced tells whether a resource lies in namespaces; one that is not built in is
// taken to.
func namespaced(group, resource string) bool {
	if group == metricsGroup {
		return resource != "nodes"
	}
	b := builtin.Find(group, resource)
	return b == nil || b.Namespaced
}

// metricsGroup is that of kubectl top, which most clusters have.
const metricsGroup = "metrics.k8s.io"

// resolve finds a built-in resource by any name that kubectl takes: plural, singular,
// kind and short name, whatever the case, with its group where that is given.
func resolve(name, group string, anyGroup bool) (builtin.Resource, bool) {
	lower := strings.ToLower(name)
	for _, b := range builtin.All() {
		if !anyGroup && b.Group != group {
			continue
		}
		if lower == b.Name || lower == b.Singular() || slices.Contains(b.Short, lower) {
			return b, true
		}
	}
	return builtin.Resource{}, false
}

func containsWord(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}
