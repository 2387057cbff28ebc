package difference

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/policytest"
	"auditpatch/presets"
)

func load(t testing.TB, name, rules string) *policy.Policy {
	t.Helper()
	p, err := policy.Load(name, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n"+rules))
	if err != nil {
		t.Fatalf("%v\n%s", err, rules)
	}
	return p
}

func compare(t testing.TB, a, b *policy.Policy) Report {
	t.Helper()
	r, err := Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCompare(t *testing.T) {
	const secrets = "- level: Metadata\n  resources: [{resources: [secrets]}]\n"
	for _, c := range []struct{ name, a, b, want string }{
		{"the same, written otherwise", "rules:\n- level: Metadata\n  verbs: [get, list]\n- level: None\n", "rules:\n- level: Metadata\n  verbs: [list]\n- level: Metadata\n  verbs: [get]\n", ""},
		{"secrets are lost", "rules:\n" + secrets, "rules:\n- level: None\n  users: [bob]\n" + secrets,
			"lost bob get secrets web in default: Metadata (a.yaml:4) -> None (b.yaml:4)"},
		{"secrets get into the log", "rules:\n" + secrets, "rules:\n- level: Request\n  verbs: [create]\n  resources: [{resources: [secrets]}]\n" + secrets,
			"leak alice (devs) create secrets in prod: Metadata (a.yaml:4) -> Request (b.yaml:4)"},
		{"by no rule", "rules:\n- level: Metadata\n", "rules:\n- level: Metadata\n  verbs: [get, list, watch, create, update, patch, deletecollection, post, put, head, options, '']\n",
			"lost alice (devs) delete secrets db in prod: Metadata (a.yaml:4) -> None (no rule of b.yaml)"},
		{"stages", "rules:\n- level: Metadata\n", "omitStages: [RequestReceived]\nrules:\n- level: Metadata\n",
			"stages alice (devs) get secrets db in prod: Metadata at all stages (a.yaml:4) -> Metadata without RequestReceived (b.yaml:5)"},
		{"no stage is none", "omitStages: [RequestReceived, ResponseStarted, ResponseComplete, Panic]\nrules:\n- level: Metadata\n", "rules:\n- level: None\n", ""},
		{"managed fields", "rules:\n- level: Request\n", "omitManagedFields: true\nrules:\n- level: Request\n",
			"managed alice (devs) get secrets db in prod: Request with managed fields (a.yaml:4) -> Request without managed fields (b.yaml:5)"},
		{"managed fields of nothing", "rules:\n- level: Metadata\n", "omitManagedFields: true\nrules:\n- level: Metadata\n", ""},
		{"a rule that no request reaches", "rules:\n- level: Metadata\n", "rules:\n- level: Metadata\n- level: None\n  users: [bob]\n", ""},
	} {
		r := compare(t, load(t, "a.yaml", c.a), load(t, "b.yaml", c.b))
		var got []string
		for _, d := range r.Differences {
			got = append(got, string(d.Kind)+" "+d.Words("a.yaml", "b.yaml"))
		}
		if s := strings.Join(got, "\n"); s != c.want || !r.Exhaustive {
			t.Errorf("%s: got\n%s\nwant\n%s, exhaustive %t", c.name, s, c.want, r.Exhaustive)
		}
	}
}

// TestWorst wants what is worst in a pair of rules, whatever else they decide, and the
// kinds of what an event holds.
func TestWorst(t *testing.T) {
	const m = "rules:\n- level: Metadata\n"
	more := func(level, fields string) string {
		return "rules:\n- level: " + level + "\n  " + fields + "\n- level: Metadata\n"
	}
	for _, c := range []struct{ name, a, b, want string }{
		{"for a user", m, more("RequestResponse", "users: [bob]"), "leak bob get secrets web in default"},
		{"for a group", m, more("RequestResponse", "userGroups: [system:masters]"), "leak alice (system:masters) get secrets web in default"},
		{"beside pods", m, more("RequestResponse", "users: [bob]\n  resources: [{resources: [pods, secrets]}]"), "leak bob get secrets web in default"},
		{"in a namespace", m, more("Request", "verbs: [create]\n  namespaces: [dev]\n  resources: [{resources: [pods, secrets, serviceaccounts/token]}]"), "leak alice create secrets in dev"},
		{"a token that is answered", m, more("RequestResponse", "verbs: [create]\n  resources: [{resources: [pods, serviceaccounts/token]}]"), "leak alice (devs) create serviceaccounts/token admin in kube-system"},
		{"a token in a list of names", m, more("RequestResponse", "users: [bob]\n  resources: [{resources: [pods/log, serviceaccounts/token]}]"), "leak bob create serviceaccounts/token web in default"},
		{"the answer as well", "rules:\n- level: Request\n", "rules:\n- level: RequestResponse\n", "leak alice (devs) get secrets db in prod"},
		{"certificates", m, more("RequestResponse", "resources: [{group: certificates.k8s.io}]"), "leak alice (devs) create certificatesigningrequests.certificates.k8s.io"},
		{"custom resources", m, more("Request", "users: [bob]\n  resources: [{group: apps}, {group: vault.example}]"), "leak bob create widgets.vault.example in default"},
		{"a read has no body", m, more("Request", "verbs: [get, list, watch]\n  resources: [{resources: [secrets]}]"), "more alice (devs) get secrets db in prod"},
		{"a watch has no answer", m, more("RequestResponse", "verbs: [watch]\n  resources: [{resources: [secrets]}]"), "more system:node:n1 watch secrets db in prod"},
		{"a token is not sent", m, more("Request", "resources: [{resources: [serviceaccounts/token]}]"), "more alice (devs) create serviceaccounts/token admin in kube-system"},
		{"failed logins", m, "omitStages: [ResponseStarted]\n" + m, "lost a failed login list secrets"},
		{"failed logins elsewhere", "rules:\n- level: Metadata\n  namespaces: [dev]\n", "omitStages: [ResponseStarted]\nrules:\n- level: Metadata\n  namespaces: [dev]\n", "lost a failed login get secrets web in dev"},
		{"secrets are lost beside pods", m, more("None", "users: [bob]\n  resources: [{resources: [pods, secrets]}]"), "lost bob get secrets web in default"},
		{"the answer's stage comes back", more("RequestResponse", "omitStages: [ResponseComplete, Panic]\n  users: [bob]"), more("RequestResponse", "users: [bob]"), "leak bob get secrets web in default"},
	} {
		r := compare(t, load(t, "a.yaml", c.a), load(t, "b.yaml", c.b))
		if len(r.Differences) == 0 || !r.Exhaustive {
			t.Errorf("%s: %+v", c.name, r)
			continue
		}
		d := r.Differences[0]
		if got := string(d.Kind) + " " + Request(d.Request); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestNoLeak wants no alarm where both policies write the same contents, or the second
// less of them.
func TestNoLeak(t *testing.T) {
	for _, c := range [][2]string{
		{"rules:\n- level: RequestResponse\n", "rules:\n- level: Request\n"},
		{"rules:\n- level: RequestResponse\n", "omitStages: [RequestReceived]\nrules:\n- level: RequestResponse\n"},
		{"rules:\n- level: Metadata\n", "rules:\n- level: RequestResponse\n  omitStages: [ResponseComplete, Panic]\n"},
		{"rules:\n- level: Metadata\n", "rules:\n- level: RequestResponse\n  resources: [{resources: [pods]}, {group: apps}]\n- level: Metadata\n"},
	} {
		if leaks := compare(t, load(t, "a.yaml", c[0]), load(t, "b.yaml", c[1])).Of(Leak); len(leaks) > 0 {
			t.Errorf("%q: %s", c, leaks[0].Words("a.yaml", "b.yaml"))
		}
	}
}

// TestOrder wants what is lost first, and of that secrets.
func TestOrder(t *testing.T) {
	a := "rules:\n- level: Metadata\n  resources: [{resources: [pods]}]\n- level: Metadata\n  resources: [{resources: [secrets]}]\n- level: Metadata\n  resources: [{resources: [pods/exec]}]\n- level: None\n  resources: [{resources: [configmaps]}]\n- level: None\n"
	b := "rules:\n- level: None\n  resources: [{resources: [pods, secrets, pods/exec]}]\n- level: RequestResponse\n  resources: [{resources: [configmaps]}]\n- level: Metadata\n"
	var got []string
	for _, d := range compare(t, load(t, "a", a), load(t, "b", b)).Differences {
		got = append(got, fmt.Sprintf("%s %s/%s", d.Kind, d.Request.Resource, d.Request.Subresource))
	}
	if want := "lost secrets/ lost pods/exec lost pods/ leak configmaps/ gained"; !strings.HasPrefix(strings.Join(got, " "), want) {
		t.Errorf("got %q, want %s", got, want)
	}
}

// TestPresets compares each preset with each: with itself it does the same.
func TestPresets(t *testing.T) {
	var all []*policy.Policy
	for _, pre := range presets.All() {
		data, err := pre.Policy(nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Load(pre.Name, data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	for _, a := range all {
		for _, b := range all {
			r := compare(t, a, b)
			if same := a == b; same != (len(r.Differences) == 0) || !r.Exhaustive {
				t.Errorf("%s and %s: %d differences, exhaustive %t", a.Name(), b.Name(), len(r.Differences), r.Exhaustive)
			}
			isReal(t, r, a, b)
		}
	}
}

// isReal asks the evaluator about each difference.
func isReal(t *testing.T, r Report, a, b *policy.Policy) {
	t.Helper()
	seen := map[string]bool{}
	for _, d := range r.Differences {
		attrs := d.Request.Attributes()
		x, y := a.Evaluate(attrs), b.Evaluate(attrs)
		if kind, ok := kindOf(d.Request, x, y); !ok || kind != d.Kind || x.Rule != d.From.Rule || y.Rule != d.To.Rule || x.Level != d.From.Level || y.Level != d.To.Level {
			t.Errorf("%s is not so: %+v and %+v", d.Words(a.Name(), b.Name()), x, y)
		}
		if pair := fmt.Sprint(x.Rule, y.Rule, d.Kind); seen[pair] {
			t.Errorf("%s: the rules are shown twice", d.Words(a.Name(), b.Name()))
		} else {
			seen[pair] = true
		}
	}
}

// TestLarge bounds the time, generously since machines are busy: it takes some seconds for
// two policies of a thousand rules, one of them with a rule
// of its own.
func TestLarge(t *testing.T) {
	var rules strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&rules, "- level: Metadata\n  users: [user%d]\n  verbs: [get]\n", i)
	}
	a, b := load(t, "a", "rules:\n"+rules.String()), load(t, "b", "rules:\n- level: None\n  users: [user500]\n"+rules.String())
	begin := policytest.CPUTime(t)
	r := compare(t, a, b)
	if took := policytest.CPUTime(t) - begin; took > 2*time.Minute {
		t.Errorf("it took %v", took)
	}
	if len(r.Differences) != 1 || r.Differences[0].Request.User != "user500" || !r.Exhaustive {
		t.Errorf("%d differences, exhaustive %t", len(r.Differences), r.Exhaustive)
	}
}

// TestOverlapping bounds the time for policies of which each rule meets each of the other,
// and wants the report to say that it is not whole.
func TestOverlapping(t *testing.T) {
	var a, b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&a, "- level: Metadata\n  users: [u%d]\n", i)
		fmt.Fprintf(&b, "- level: RequestResponse\n  resources: [{group: g%d.example}]\n", i)
	}
	begin := policytest.CPUTime(t)
	r := compare(t, load(t, "a", "rules:\n"+a.String()), load(t, "b", "rules:\n"+b.String()))
	if took := policytest.CPUTime(t) - begin; took > 2*time.Minute {
		t.Errorf("it took %v", took)
	}
	if r.Exhaustive || len(r.Of(Leak)) == 0 {
		t.Errorf("%d leaks, exhaustive %t", len(r.Of(Leak)), r.Exhaustive)
	}
}

// TestCorpus compares each policy of others with the default, and with itself.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../../../../shared/corpus/policies/*")
	if err != nil || len(files) == 0 {
		t.Skip("there is no corpus of policies beside this checkout")
	}
	data, err := presets.All()[0].Policy(nil)
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := policy.Load("baseline", data)
	if err != nil {
		t.Fatal(err)
	}
	compared, exhaustive := 0, 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // a folder
		}
		p, err := policy.Load(filepath.Base(f), data)
		if err != nil {
			continue // it is refused, which is for others to test
		}
		if r := compare(t, p, p); len(r.Differences) > 0 {
			t.Errorf("%s differs from itself: %s", p.Name(), r.Differences[0].Words("a", "b"))
		}
		r := compare(t, baseline, p)
		isReal(t, r, baseline, p)
		if compared++; r.Exhaustive {
			exhaustive++
		}
	}
	t.Logf("%d of %d files are policies; %d comparisons are exhaustive", compared, len(files), exhaustive)
	if compared == 0 || exhaustive < compared {
		t.Errorf("%d of %d comparisons are exhaustive", exhaustive, compared)
	}
}

// words are those of random policies and requests.
var words = policytest.Words{
	Users:      []string{"bob", "eve", "zoe"},
	Groups:     []string{"devs", "ops"},
	Verbs:      []string{"get", "list", "watch", "create", "update", "delete"},
	Resources:  []string{"secrets", "pods", "pods/*", "pods/exec", "*", "nodes"},
	Namespaces: []string{"prod", "dev", "", "test"},
	Paths:      []string{"/healthz", "/healthz*", "/api*"},
	APIGroups:  []string{""},
	Stages:     []auditv1.Stage{auditv1.StageRequestReceived, auditv1.StageResponseStarted, auditv1.StageResponseComplete, auditv1.StagePanic},
}

func randomPolicy(t testing.TB, r *rand.Rand, name string) *policy.Policy {
	text, err := json.Marshal(words.Policy(r))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(name, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// FuzzCompare: a policy does the same as itself; each difference that is reported is
// real; and where random requests show a difference, between the rules that show it one
// of its kind is reported.
func FuzzCompare(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Add(uint64(223)) // a failed login where everybody else's request would be a leak
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b := randomPolicy(t, r, "a"), randomPolicy(t, r, "b")
		if same := compare(t, a, a); len(same.Differences) > 0 || !same.Exhaustive {
			t.Fatalf("a policy differs from itself: %s", same.Differences[0].Words("a", "b"))
		}
		report := compare(t, a, b)
		isReal(t, report, a, b)
		pairs := map[string]bool{}
		for _, d := range report.Differences {
			pairs[fmt.Sprint(d.From.Rule, d.To.Rule, d.Kind)] = true
		}
		for range 300 {
			q := words.Request(r)
			x, y := a.Evaluate(q.Attributes()), b.Evaluate(q.Attributes())
			if kind, ok := kindOf(q, x, y); ok && !pairs[fmt.Sprint(x.Rule, y.Rule, kind)] && report.Exhaustive {
				t.Fatalf("%s: rule %d and rule %d differ (%s), which is not reported", Request(q), x.Rule, y.Rule, kind)
			}
		}
	})
}
