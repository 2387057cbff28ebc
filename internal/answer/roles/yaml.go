package roles

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	rbacv1 "k8s.io/api/rbac/v1"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/glyph"
	"auditpatch/internal/hint"

	"auditpatch/internal/lazyregexp"
)

// Subject is to whom roles are bound: kind User, Group or ServiceAccount.
type Subject struct{ Kind, Namespace, Name string }

// SubjectOf is a user of the log as a subject.
func SubjectOf(user string) Subject {
	if namespace, name, ok := account(user); ok {
		return Subject{"ServiceAccount", namespace, name}
	}
	return Subject{"User", "", user}
}

// ParseSubject reads user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME.
func ParseSubject(text string) (Subject, error) {
	kind, name, _ := strings.Cut(text, ":")
	switch {
	case kind == "user" && name != "":
		return SubjectOf(name), nil
	case kind == "group" && name != "":
		return Subject{"Group", "", name}, nil
	case kind == "serviceaccount":
		if s := SubjectOf("system:" + text); s.Kind == "ServiceAccount" {
			return s, nil
		}
	}
	return Subject{}, hint.Errorf(hint.Words("user:alice, group:devs or serviceaccount:ci:builder"), "%q is no subject of a role", text)
}

// CheckName refuses a name that roles cannot have, or that Kubernetes' own have: these would
// be overwritten.
func CheckName(name string) error {
	switch {
	case name == "." || name == ".." || strings.ContainsAny(name, "/%") || strings.IndexFunc(name, func(r rune) bool { return !plainRune(r) }) >= 0:
		return hint.Errorf(hint.Words("a name such as auditpatch:ci"), "%q is no name of a role", name)
	case strings.HasPrefix(name, "system:") || slices.Contains([]string{"cluster-admin", "admin", "edit", "view"}, name):
		return hint.Errorf(hint.Words("a name such as auditpatch:ci"), "%s is a role of Kubernetes' own", name)
	}
	return nil
}

// writer prints YAML line by line, and remembers the first error.
type writer struct {
	to  io.Writer
	err error
}

func (w *writer) line(format string, a ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.to, format+"\n", a...)
	}
}

// WriteYAML prints roles with their bindings, as kubectl apply takes them. Comments say how
// often each rule was used.
func (s Set) WriteYAML(to io.Writer, subject Subject) error {
	w := &writer{to: to}
	for _, line := range s.comments() {
		w.line("# %s", glyph.Line(line))
	}
	for _, r := range s.Roles {
		switch {
		case r.Everywhere:
			w.role("ClusterRole", r, "")
			w.binding("ClusterRoleBinding", "ClusterRole", r, "", subject)
		case len(r.Namespaces) == 1:
			w.role("Role", r, r.Namespaces[0])
			w.binding("RoleBinding", "Role", r, r.Namespaces[0], subject)
		default:
			w.role("ClusterRole", r, "")
			for _, namespace := range r.Namespaces {
				w.binding("RoleBinding", "ClusterRole", r, namespace, subject)
			}
		}
	}
	return w.err
}

func (w *writer) head(kind, name, namespace string) {
	w.line("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata:\n  name: %s", kind, scalar(name))
	if namespace != "" {
		w.line("  namespace: %s", scalar(namespace))
	}
}

func (w *writer) role(kind string, r Role, namespace string) {
	w.head(kind, r.Name, namespace)
	w.rules(r.Rules)
}

func (w *writer) rules(rules []Rule) {
	if len(rules) == 0 {
		w.line("rules: []")
		return
	}
	w.line("rules:")
	for _, r := range rules {
		w.line("# %s", r.Use)
		lead := "- "
		for _, f := range []struct {
			name   string
			values []string
		}{
			{"apiGroups", r.APIGroups}, {"resources", r.Resources}, {"resourceNames", r.ResourceNames},
			{"nonResourceURLs", r.NonResourceURLs}, {"verbs", r.Verbs},
		} {
			if len(f.values) > 0 {
				w.list(lead+f.name, f.values)
				lead = "  "
			}
		}
	}
}

// longLine is from where on a list has a line for each of its values.
const longLine = 120

func (w *writer) list(name string, values []string) {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = scalar(v)
	}
	if flow := fmt.Sprintf("%s: [%s]", name, strings.Join(texts, ", ")); utf8.RuneCountInString(flow) <= longLine {
		w.line("%s", flow)
		return
	}
	w.line("%s:", name)
	for _, t := range texts {
		w.line("  - %s", t)
	}
}

func (w *writer) binding(kind, to string, r Role, namespace string, s Subject) {
	w.head(kind, r.Name, namespace)
	w.line("roleRef:\n  apiGroup: %s\n  kind: %s\n  name: %s", rbacv1.GroupName, to, scalar(r.Name))
	w.line("subjects:\n- kind: %s", s.Kind)
	if s.Kind == "ServiceAccount" {
		w.line("  namespace: %s", scalar(s.Namespace))
	} else {
		w.line("  apiGroup: %s", rbacv1.GroupName)
	}
	w.line("  name: %s", scalar(s.Name))
}

// String says how often and when something was used.
func (u Use) String() string {
	return fmt.Sprintf("used %s, last %s", times(max(u.Times, 1)), stamp(u.Last))
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatInt(n, 10) + " times"
}

func stamp(t event.Time) string {
	if t == 0 {
		return "at an unknown time"
	}
	return t.Go().Format(time.RFC3339)
}

// comments are what there is to know before the roles are applied.
func (s Set) comments() (out []string) {
	who := s.User
	if who == "" {
		who = "all these users"
	}
	c := s.Counts
	span := ""
	if c.First != 0 {
		span = fmt.Sprintf(" from %s to %s", stamp(c.First), stamp(c.Last))
	}
	out = append(out, fmt.Sprintf("What %s did: %s%s.", who, requests(c.Requests), span),
		"These roles allow what the log has, and a log has what its policy records.")
	denied := "that RBAC refused: left out"
	if s.Denied {
		denied = "that RBAC refused: these roles allow them, too"
	}
	for _, n := range []struct {
		n    int64
		what string
	}{
		{c.Defaults, "that everybody may send (system:discovery, system:basic-user, system:public-info-viewer): left out"},
		{c.Refused, denied},
		{c.Later, "that RBAC allowed and something else refused, such as admission"},
		{c.Become, "to act as somebody else, refused: left out, for the log does not say whom"},
		{c.Unnamed, "that no rule can allow without allowing more: left out"},
		{c.Unknown, "that ended before RBAC was asked: left out"},
	} {
		if n.n > 0 {
			out = append(out, fmt.Sprintf("%s %s.", requests(n.n), n.what))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(c.Unproven)) {
		out = append(out, fmt.Sprintf("%s: left out is %s. The log has no body that says which.", requests(c.Unproven[what]), what))
	}
	if len(s.Roles) == 0 {
		out = append(out, "No role is needed for that.")
	}
	return out
}

func requests(n int64) string {
	if n == 1 {
		return "1 request"
	}
	return strconv.FormatInt(n, 10) + " requests"
}

// bare are texts that YAML takes for strings without quotation marks; words that it takes for
// something else are not among them.
var bare = lazyregexp.New(`^[A-Za-z/][-A-Za-z0-9./]*(:[A-Za-z0-9][-A-Za-z0-9./]*)*$`)

var notBare = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// scalar is a string as YAML has it.
func scalar(s string) string {
	if bare().MatchString(s) && !slices.Contains(notBare, strings.ToLower(s)) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	var sight glyph.Sight
	for _, r := range s {
		switch shows := sight.Shows(r); {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case shows && r != utf8.RuneError:
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// plainRune may stand as it is, on a terminal too.
func plainRune(r rune) bool { return r != utf8.RuneError && glyph.Seen(r) }
