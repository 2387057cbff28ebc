package policy

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/audit"
	auditvalidation "k8s.io/apiserver/pkg/apis/audit/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// invalid explains what the API server's validation says.
func (e *explainer) invalid(spec *audit.Policy) {
	for _, err := range auditvalidation.ValidatePolicy(spec) {
		if e.full() {
			return
		}
		e.invalidField(err)
	}
	if len(spec.Rules) == 0 && !e.done["rules"] {
		at := first(e.src.root, "rules")
		e.add(NoRules, at, "rules", "the policy has no rules: "+wontStart, `write "rules: [{level: Metadata}]"`)
	}
}

// invalidField places one fault and puts it into words.
func (e *explainer) invalidField(err *field.Error) {
	at := e.place(err)
	parent, name := at.parent()
	if at.key == nil && !strings.HasSuffix(at.path, "]") {
		dot := strings.LastIndex(at.path, ".")
		parent, name = at.path[:max(dot, 0)], at.path[dot+1:]
	}
	if e.done[at.path] || e.done[parent] {
		return
	}
	value := fmt.Sprint(err.BadValue)
	switch {
	case name == "level" && err.Type == field.ErrorTypeRequired:
		e.add(BadLevel, at.node(), at.path, fmt.Sprintf("%s has no level: %s", parent, wontStart), `write "level: Metadata"`)
	case name == "level":
		e.add(BadLevel, at.node(), at.path, fmt.Sprintf("unknown level %q in %s: %s", value, parent, wontStart), oneOf("level: ", value, levels()))
	case name == "group":
		e.add(BadGroup, at.node(), at.path, fmt.Sprintf("group %q in %s is not the name of an API group: %s", value, parent, wontStart), groupHint(value))
	case name == "resourceNames":
		e.add(LoneNames, at.node(), at.path, fmt.Sprintf("resourceNames without resources in %s: %s", parent, wontStart),
			`write "resources: [...]" beside it, with what the names belong to`)
	case name == "nonResourceURLs":
		e.add(MixedRule, at.node(), at.path, fmt.Sprintf("nonResourceURLs beside resources or namespaces in %s: %s", parent, wontStart),
			"split the rule: one with nonResourceURLs, one with the rest")
	case strings.Contains(err.Field, "omitStages["):
		e.add(BadStage, at.node(), at.path, fmt.Sprintf("unknown stage %q in %s: %s", value, list(at.path), wontStart), oneOf("", value, stageNames()))
	case strings.Contains(err.Field, "nonResourceURLs["):
		e.url(at, value)
	default:
		e.add("", at.node(), at.path, fmt.Sprintf("%s: %s", err, wontStart), "")
	}
}

// place finds what the validation means. It names some fields without the index
// of their entry, rules[0].resources.group: then it is the first entry that has
// this value and no finding yet.
func (e *explainer) place(err *field.Error) spot {
	spots := find(e.src.root, err.Field)
	for _, s := range spots {
		if !e.done[s.path] && e.means(s, err.BadValue) {
			return s
		}
	}
	if len(spots) > 0 {
		return spots[0]
	}
	return spot{path: err.Field, value: first(e.src.root, err.Field)}
}

// means reports whether the value that the API server calls bad may be the one
// at the spot. Names are bad only where no resources stand beside them.
func (e *explainer) means(s spot, bad any) bool {
	if text := reflect.ValueOf(bad); text.Kind() == reflect.String {
		n := follow(s.value)
		return n != nil && n.Value == text.String()
	}
	parent, name := s.parent()
	if name != "resourceNames" {
		return true
	}
	beside := find(e.src.root, join(parent, "resources"))
	return len(beside) == 0 || isEmptyList(follow(beside[0].value))
}

func isEmptyList(n *yaml.Node) bool { return n == nil || len(n.Content) == 0 }

// url explains a path that no rule may have.
func (e *explainer) url(at spot, value string) {
	problem, right := `does not begin with "/"`, "/"+value
	if strings.HasPrefix(value, "/") {
		before, _, _ := strings.Cut(value, "*")
		problem, right = `has a "*" before its end`, before+"*"
	}
	e.add(BadURL, at.node(), at.path, fmt.Sprintf("path %q in %s %s: %s", value, list(at.path), problem, wontStart), fmt.Sprintf("write %q", right))
}

// groupHint makes the name of a group of what people write in its place: the
// group with its version, in capitals, or the version of the core group.
func groupHint(group string) string {
	if strings.HasPrefix(group, "*") {
		return "write one entry a group, with its full name"
	}
	name, _, _ := strings.Cut(strings.ToLower(group), "/")
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return `write "group: \"\"" for the core group, or the full name of another`
	}
	if name == "core" || name == "v1" {
		return `write "group: \"\""`
	}
	return fmt.Sprintf("write %q", "group: "+name)
}

// oneOf proposes the value that was probably meant, or else all of them.
func oneOf(prefix, value string, known []string) string {
	if right := guess(value, known); right != "" {
		return fmt.Sprintf("write %q", prefix+right)
	}
	return "write one of " + strings.Join(known, ", ")
}

func levels() []string {
	var names []string
	for _, l := range []audit.Level{audit.LevelNone, audit.LevelMetadata, audit.LevelRequest, audit.LevelRequestResponse} {
		names = append(names, string(l))
	}
	return names
}

func stageNames() []string {
	var names []string
	for _, s := range stages {
		names = append(names, string(s))
	}
	return names
}

// list is the path without the index at its end.
func list(path string) string {
	if i := strings.LastIndex(path, "["); i >= 0 {
		return path[:i]
	}
	return path
}
