package lint

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/policy"
)

// neverDecides are codes that say so of a rule, and matchesNothing of an entry.
var (
	neverDecides   = []string{"AP020", "AP021", "AP022", "AP025", "AP042"}
	matchesNothing = []string{"AP030", "AP031", "AP032", "AP035", "AP044", "AP045", "AP048", "AP049", "AP024"}
)

// claims tests what findings say of a policy, with requests made of its words: a
// rule that never decides does not decide one of them, and without an entry that
// matches nothing each of them is decided as before. It returns how many findings
// it has tested.
func claims(t *testing.T, text string) (tested int) {
	t.Helper()
	report := Check("p.yaml", []byte(text), policy.Version{})
	if report.Policy == nil {
		t.Fatalf("refused: %q\n%s", say(report.Findings), text)
	}
	real := slices.DeleteFunc(questions(report.Policy), func(q policy.Request) bool { return !isReal(q) })
	covered := true
	for _, f := range report.Findings {
		switch {
		case slices.Contains(neverDecides, f.Code.ID):
			tested++
			rule := steps(f.Field)[1].(int)
			for _, q := range real {
				if report.Policy.Evaluate(q.Attributes()).Rule == rule {
					t.Fatalf("%s, and it decides %q\n%s", f.Message, describe(q), text)
				}
			}
		case slices.Contains(matchesNothing, f.Code.ID):
			tested++
			without(t, report.Policy, f, real, text)
		case f.Code.ID == "AP023":
			covered = false
		}
	}
	for _, q := range real {
		if covered && report.Policy.Evaluate(q.Attributes()).Rule < 0 {
			t.Fatalf("no rule takes %q, and there is no finding\n%s", describe(q), text)
		}
	}
	return tested
}

// isReal reports whether a cluster can see such a request: no name has a star or a
// blank, resources are in lower case, and a create or a list of objects has no name.
func isReal(q policy.Request) bool {
	for _, word := range []string{q.User, q.Namespace, q.Name, q.Group, q.Resource, q.Subresource, strings.Join(q.Groups, "")} {
		if strings.ContainsAny(word, "* ") || q.Resource != strings.ToLower(q.Resource) {
			return false
		}
	}
	if strings.Contains(strings.Join(q.Groups, ","), ",,") || slices.Contains(q.Groups, "") || q.Group == "core" || q.Group == "v1" {
		return false
	}
	named := q.Verb == "get" || q.Verb == "update" || q.Verb == "patch" || q.Verb == "delete" || q.Verb == "create" && q.Subresource != ""
	if q.Verb == "proxy" && q.Subresource != "" {
		return false
	}
	if q.Resource != "" && !slices.Contains(legacyVerbs, q.Verb) && named != (q.Name != "") {
		return false
	}
	// Whoever logged in is in system:authenticated, anonymous in the other group.
	return q.User == "" || q.User == "system:anonymous" && len(q.Groups) == 0 || q.User != "system:anonymous" && (q.Groups == nil || slices.Contains(q.Groups, "system:authenticated"))
}

// without takes an entry out of a list that has others, and compares.
func without(t *testing.T, p *policy.Policy, f Finding, real []policy.Request, text string) {
	t.Helper()
	spec, err := p.V1()
	if err != nil {
		t.Fatal(err)
	}
	path := steps(f.Field)
	r := &spec.Rules[path[1].(int)]
	cut := func(list *[]string, i int) bool {
		if len(*list) < 2 {
			return false
		}
		*list = slices.Delete(slices.Clone(*list), i, i+1)
		return true
	}
	last, _ := path[len(path)-1].(int)
	ok := false
	switch path[2].(string) {
	case "users":
		ok = cut(&r.Users, last)
	case "userGroups":
		ok = cut(&r.UserGroups, last)
	case "verbs":
		ok = cut(&r.Verbs, last)
	case "namespaces":
		ok = cut(&r.Namespaces, last)
	case "nonResourceURLs":
		ok = cut(&r.NonResourceURLs, last)
	case "resources":
		gr := &r.Resources[path[3].(int)]
		switch path[4].(string) {
		case "resources":
			ok = cut(&gr.Resources, last)
		case "resourceNames":
			ok = cut(&gr.ResourceNames, last)
		case "group":
			if ok = len(r.Resources) > 1; ok {
				i := path[3].(int)
				r.Resources = slices.Delete(slices.Clone(r.Resources), i, i+1)
			}
		}
	}
	if !ok {
		return
	}
	after := loaded(t, spec)
	for _, q := range real {
		if was, is := p.Evaluate(q.Attributes()), after.Evaluate(q.Attributes()); was.Rule != is.Rule && f.Code.ID != "AP024" || was.Level != is.Level {
			t.Fatalf("%s: %s, and without it %q is decided by %d, not %d\n%s", f.Code.ID, f.Message, describe(q), is.Rule, was.Rule, text)
		}
	}
}

func loaded(t *testing.T, spec *auditv1.Policy) *policy.Policy {
	t.Helper()
	out, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load("p.yaml", out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return p
}

// FuzzClaims: what a finding says of random policies is true.
func FuzzClaims(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		claims(t, randomPolicy(rand.New(rand.NewPCG(seed, 11))))
	})
}

// TestClaims wants some of each to have been tested.
func TestClaims(t *testing.T) {
	tested := 0
	for seed := range uint64(60) {
		tested += claims(t, randomPolicy(rand.New(rand.NewPCG(seed, 5))))
	}
	t.Logf("%d claims hold", tested)
	if tested < 100 {
		t.Errorf("only %d claims", tested)
	}
}
