package policy

import (
	"reflect"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/spelling"
)

// The levels of a policy, from the published types: what may be written where
// is never listed by hand.
var (
	policyType    = reflect.TypeFor[auditv1.Policy]()
	ruleType      = reflect.TypeFor[auditv1.PolicyRule]()
	resourcesType = reflect.TypeFor[auditv1.GroupResources]()
)

// typeAt is the type of the value at a path; nil where nothing is defined.
func typeAt(path string) reflect.Type {
	t := policyType
	for path != "" && t != nil {
		t = indirect(t)
		switch {
		case path[0] == '[' && t.Kind() == reflect.Slice:
			_, path, _ = strings.Cut(path, "]")
			t = t.Elem()
		case t.Kind() == reflect.Struct:
			name := path[:endOfStep(path)]
			t, path = fieldTypes(t)[name], path[len(name):]
		default:
			return nil
		}
		path = strings.TrimPrefix(path, ".")
	}
	return t
}

func endOfStep(path string) int {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return i
	}
	return len(path)
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// fieldTypes are the fields of a struct by the names that they have in YAML.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			for n, inner := range fieldTypes(f.Type) {
				types[n] = inner
			}
		case name != "" && name != "-":
			types[name] = f.Type
		}
	}
	return types
}

// fieldNames are the names of a struct's fields, sorted; none for other types.
func fieldNames(t reflect.Type) []string {
	if t == nil || indirect(t).Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for name := range fieldTypes(indirect(t)) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sayings are the names that people bring along from RBAC, NetworkPolicies and
// older tools, and what they are called here.
var sayings = map[string]string{
	"apigroup":        "group",
	"apigroups":       "group",
	"groups":          "userGroups",
	"names":           "resourceNames",
	"path":            "nonResourceURLs",
	"paths":           "nonResourceURLs",
	"serviceaccounts": "users",
	"stage":           "omitStages",
	"stages":          "omitStages",
	"subjects":        "users",
	"url":             "nonResourceURLs",
	"urls":            "nonResourceURLs",
}

// guess returns the known name that was probably meant, or "".
func guess(name string, known []string) string {
	if meant := sayings[spelling.Plain(name)]; meant != "" && slices.Contains(known, meant) {
		return meant
	}
	return spelling.Nearest(name, known)
}
