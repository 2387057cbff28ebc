package compose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/policytest"
)

// words are those of random policies and requests.
var words = policytest.Words{
	Users:      []string{"bob", "system:serviceaccount:ci:bot", "eve", "zoe"},
	Groups:     []string{"devs", "ops", "system:authenticated", "others"},
	Verbs:      []string{"get", "list", "create", "update", "delete"},
	Resources:  []string{"secrets", "pods", "pods/exec", "leases", "events", "configmaps"},
	Namespaces: []string{"prod", "dev", ""},
	Paths:      []string{"/healthz", "/api*"},
	APIGroups:  []string{"", "coordination.k8s.io", "events.k8s.io"},
	Stages:     []auditv1.Stage{auditv1.StageRequestReceived, auditv1.StageResponseStarted, auditv1.StagePanic},
}

// randomText is a policy's text, written in one of many ways.
func randomText(t *testing.T, r *rand.Rand, p *auditv1.Policy) []byte {
	text, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "metadata:\n  creationTimestamp: null\n", "", 1))
	switch r.IntN(6) {
	case 0:
		if text, err = json.Marshal(p); err != nil {
			t.Fatal(err)
		}
	case 1:
		text = []byte(strings.ReplaceAll(string(text), "\n", "\r\n"))
	case 2:
		text = []byte("# a head\n" + strings.ReplaceAll(string(text), "rules:\n", "rules: # all of them\n# the first\n\n"))
	case 3:
		text = []byte(strings.ReplaceAll(string(text), "- level", "# a rule\n- level"))
	case 4:
		text = []byte("---\n" + strings.TrimSuffix(string(text), "\n"))
	}
	return text
}

// effect is what a decision comes to.
func effect(d policy.Decision) string {
	if d.Level == audit.LevelNone {
		return "None"
	}
	return fmt.Sprintf("%s without %v, managed fields omitted: %t", d.Level, d.OmitStages, d.OmitManagedFields)
}

func load(t *testing.T, s Source) *policy.Policy {
	t.Helper()
	p, err := policy.Load(s.Name, s.Data)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Data)
	}
	return p
}

// FuzzCompose asks the evaluator about the composed policy and about its parts: the first
// part that has a rule for a request decides, as it does alone.
func FuzzCompose(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		source := func(name string) Source { return Source{Name: name, Data: randomText(t, r, words.Policy(r))} }
		q := Request{Base: source("base.yaml"), QuietLeases: r.IntN(3) == 0}
		for i := range r.IntN(3) {
			q.Add = append(q.Add, source(fmt.Sprintf("add%d.yaml", i)))
		}
		if r.IntN(3) == 0 {
			q.QuietUsers = []string{"system:serviceaccount:ci:bot"}
		}
		if r.IntN(3) == 0 {
			q.Profiles = []Profile{{"devs", source("devs.yaml")}}
		}
		out, err := Compose(q)
		if err != nil {
			if strings.Contains(err.Error(), "fault of auditpatch") || !strings.Contains(err.Error(), "would") {
				t.Fatalf("%v\n%s", err, q.Base.Data)
			}
			return
		}
		again, err := Compose(q)
		if err != nil || string(again.Text) != string(out.Text) {
			t.Fatalf("a second time it is another policy: %v", err)
		}
		composed := load(t, Source{Name: "composed.yaml", Data: out.Text})
		if composed.Rules() != out.Rules {
			t.Fatalf("%d rules, %d were said", composed.Rules(), out.Rules)
		}
		parts := q.parts(t)
		for range 300 {
			request := words.Request(r)
			if want, ok := parts.expect(request); ok {
				if got := effect(composed.Evaluate(request.Attributes())); got != want {
					t.Fatalf("%+v: %s, want %s\n%s", request, got, want, out.Text)
				}
			}
		}
	})
}

// loaded are the parts of a request, each as a policy.
type loaded struct {
	Request
	base          *policy.Policy
	add, profiles []*policy.Policy
}

func (q Request) parts(t *testing.T) loaded {
	l := loaded{Request: q, base: load(t, q.Base)}
	for _, s := range q.Add {
		l.add = append(l.add, load(t, s))
	}
	for _, p := range q.Profiles {
		l.profiles = append(l.profiles, load(t, p.Source))
	}
	return l
}

// expect is the effect that the parts have on a request, each asked alone. ok is false
// for a request that rules of --quiet-... are about.
func (l loaded) expect(r policy.Request) (want string, ok bool) {
	attrs := r.Attributes()
	for _, p := range l.add {
		if d := p.Evaluate(attrs); d.Rule >= 0 {
			return effect(d), true
		}
	}
	if l.QuietLeases && r.Resource == "leases" || slices.Contains(l.QuietUsers, r.User) {
		return "", false
	}
	for i, p := range l.Profiles {
		if slices.Contains(r.Groups, p.Group) && r.User != "" {
			return effect(l.profiles[i].Evaluate(attrs)), true
		}
	}
	return effect(l.base.Evaluate(attrs)), true
}

// FuzzBase lays rules over any text that is a policy: what comes of it is one, and takes
// nothing away where the notes do not say so.
func FuzzBase(f *testing.F) {
	for _, text := range []string{
		base,
		"rules: &all\n- &a {level: Metadata}\n- *a\napiVersion: audit.k8s.io/v1\nkind: Policy\n",
		"\ufeffapiVersion: audit.k8s.io/v1\r\nkind: Policy\r\nomitStages: [RequestReceived\r\n  ]\r\nrules:\r\n- level: Metadata\r\n  omitStages:\r\n  - Panic # no\r\n",
		"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages:\n- RequestReceived\nrules:\n-\n  level: Metadata\n  omitStages: [Panic]\n- level: Request",
		"{\"apiVersion\": \"audit.k8s.io/v1\",\n\t\"kind\": \"Policy\", \"rules\": [{\"level\": \"None\"}]}",
		"---\napiVersion: audit.k8s.io/v1\nkind: Policy\n\"rules\": # rules:\n    # one\n    - level: \"None\"\n...\n",
		"\ufeff# Purpose: this\r\n#   and that\r\n#\r\n# Passes: CIS 3.2.2\r\napiVersion: audit.k8s.io/v1\r\nkind: Policy\r\nrules:\r\n- level: Metadata\r\n",
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	add := file("add.yaml", "rules:\n- level: Metadata\n  users: [add]\n")
	f.Fuzz(func(t *testing.T, data []byte, stages bool) {
		r := Request{Base: Source{Name: "base.yaml", Data: data}, QuietUsers: []string{"quiet"}}
		if stages { // it records each stage, so that the base's list has to move
			r.Add = []Source{add}
		}
		before, err := policy.Load("base.yaml", data)
		if err != nil {
			return
		}
		out, err := Compose(r)
		if err != nil {
			if strings.Contains(err.Error(), "fault of auditpatch") {
				t.Fatalf("%v\n%q", err, data)
			}
			return
		}
		after := load(t, Source{Name: "composed.yaml", Data: out.Text})
		for _, q := range []policy.Request{
			{User: "alice", Verb: "get", Resource: "secrets", Namespace: "prod", Name: "db"},
			{User: "alice", Verb: "create", Group: "apps", Resource: "deployments", Namespace: "prod"},
			{Verb: "get", Path: "/healthz"},
		} {
			if got, want := effect(after.Evaluate(q.Attributes())), effect(before.Evaluate(q.Attributes())); got != want {
				t.Fatalf("%+v: %s, want %s\n%s", q, got, want, out.Text)
			}
		}
		if head := bytes.Contains(data, []byte("# Purpose: ")) || bytes.Contains(data, []byte("# Composed: ")); len(out.Notes) == 0 && !head {
			from := bytes.LastIndexByte(out.Text[:bytes.Index(out.Text, []byte("# "+[2]string{"--quiet", "From add"}[len(r.Add)]))], '\n') + 1
			if without := slices.Concat(out.Text[:from], out.Text[blockEnd(out.Text):]); !bytes.Equal(without, data) {
				t.Fatalf("%q has become\n%q", data, without)
			}
		}
	})
}
