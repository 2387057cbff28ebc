package difference

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// Words is a difference in one line, with the names of the two policies.
func (d Difference) Words(from, to string) string {
	return fmt.Sprintf("%s: %s -> %s", Request(d.Request), d.From.words(d, from), d.To.words(d, to))
}

func (o Outcome) words(d Difference, file string) string {
	text := string(o.Level)
	switch {
	case o.Level == audit.LevelNone:
	case d.Kind == Managed && o.OmitManagedFields:
		text += " without managed fields"
	case d.Kind == Managed:
		text += " with managed fields"
	case d.Kind == Stages && len(o.OmitStages) == 0:
		text += " at all stages"
	case d.Kind == Stages, o.silent(d.Request):
		text += " without " + stages(o.OmitStages)
	}
	if o.Rule < 0 {
		return text + " (no rule of " + file + ")"
	}
	return fmt.Sprintf("%s (%s:%d)", text, file, o.Line)
}

// silent tells whether nothing is recorded of a request, although the level says so.
func (o Outcome) silent(r policy.Request) bool {
	d := policy.Decision{Level: o.Level, OmitStages: o.OmitStages}
	return o.Level != audit.LevelNone && outcomeOf(d, classOf(r)).level == audit.LevelNone
}

func stages(omitted []audit.Stage) string {
	var words []string
	for _, s := range omitted {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

// Request is a request in words: alice (devs) get secrets/db in prod.
func Request(r policy.Request) string {
	who := r.User
	if who == "" {
		who = "a failed login"
	}
	if own := slices.DeleteFunc(slices.Clone(r.Groups), func(g string) bool { return follows(g, r.User) }); len(own) > 0 {
		who += " (" + strings.Join(own, ", ") + ")"
	}
	if r.Resource == "" {
		return fmt.Sprintf("%s %s %s", who, r.Verb, r.Path)
	}
	what := r.Resource
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	if r.Group != "" {
		what += "." + r.Group
	}
	if r.Name != "" {
		what += " " + r.Name
	}
	if r.Namespace != "" {
		what += " in " + r.Namespace
	}
	if r.Verb == "" {
		return fmt.Sprintf("%s OPTIONS of %s", who, what)
	}
	return fmt.Sprintf("%s %s %s", who, r.Verb, what)
}

// follows tells whether everybody knows of the group who knows the user.
func follows(group, user string) bool {
	switch {
	case strings.HasPrefix(group, "system:serviceaccounts"):
		return strings.HasPrefix(user, "system:serviceaccount:")
	case group == "system:nodes":
		return strings.HasPrefix(user, "system:node:")
	case group == "system:unauthenticated":
		return user == "system:anonymous"
	}
	return group == "system:authenticated"
}
