package simulate

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/compose"
	"auditpatch/internal/policy/explain"
)

// TrimRequest is what rules are looked for in.
type TrimRequest struct {
	Logs []read.Log
	// Base is the policy that the rules are laid over; nil for one that records everything.
	Base   *policy.Policy
	Source compose.Source // its text
	// Save is the share of the log's bytes to save, from 0 to 1; 0 for each rule that is
	// worth it.
	Save   float64
	People bool // hide what people read, too
	Strict bool
	// Progress is called now and then.
	Progress func(read.Progress)
}

// Trimmed is what can be saved.
type Trimmed struct {
	Read  read.Total
	All   Count // that the base writes of the log
	Rules []Proposal
	Saved Count
	// Stays is what none of the rules hides, by reason.
	Stays     map[Reason]Count
	Leases    Count // renewals of leases, which are writes
	Crowded   bool  // the log has more kinds of requests than are counted: nothing is proposed
	Failed    bool  // there are failures among what otherwise could go
	Undecided int64
}

// worth is the least share of the bytes for which a rule is proposed, and mostRules how
// many are. Where a share is to be saved, smaller ones will do, and more of them.
const (
	worth           = 0.01
	mostRules       = 20
	worthToSave     = 0.0005
	mostRulesToSave = 100
)

// Trim reads the logs and proposes rules, those first that save most.
func Trim(ctx context.Context, r TrimRequest) (*Trimmed, error) {
	found := newGroups(r.People)
	out := &Trimmed{}
	q := classify(read.Query{Fields: event.WantResponse | event.WantImpersonated | event.WantAuthorization, Strict: r.Strict, Progress: r.Progress}, r.bases()...)
	total, err := read.Events(ctx, r.Logs, q, func(e *event.Event) error {
		switch known := classOf(e); {
		case known == nil:
			out.Undecided++
		case r.Base == nil || known.written[underNew]:
			failed := e.Response.Code >= 400 || e.Response.Has && string(e.Response.Status) == "Failure" ||
				string(e.Authorization.Decision) == "forbid"
			found.add(known, int64(len(e.JSON)+1), failed, e.Impersonated.Has)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Read = total
	found.settle()
	out.choose(found, r.Save)
	return out, nil
}

func (r TrimRequest) bases() []*policy.Policy {
	if r.Base == nil {
		return nil
	}
	return []*policy.Policy{r.Base}
}

// choose takes the proposals that are worth it.
func (t *Trimmed) choose(g *groups, save float64) {
	t.All, t.Stays, t.Leases, t.Crowded = g.all, g.stays, g.leases, g.full()
	hidden := map[*group]bool{}
	least, most := worth, mostRules
	if save > 0 {
		least, most = worthToSave, mostRulesToSave
	}
	for _, p := range g.proposals() {
		enough := save > 0 && float64(t.Saved.Bytes) >= save*float64(t.All.Bytes)
		if enough || float64(p.Bytes) < least*float64(t.All.Bytes) || len(t.Rules) >= most {
			break
		}
		t.Rules = append(t.Rules, p)
		t.Saved.add(p.Count)
		for _, known := range p.groups {
			hidden[known] = true
		}
	}
	for _, known := range g.of {
		reason := known.reason
		if hidden[known] {
			continue
		}
		if reason == "" {
			reason = NotChosen
		}
		t.Failed = t.Failed || reason == Failures
		plus(t.Stays, reason, known.Count)
	}
}

// AddedName is that of the rules as a part of the composed policy.
const AddedName = "policy trim"

// Added is the text of a policy that has the rules alone.
func (t *Trimmed) Added() ([]byte, error) {
	p := auditv1.Policy{}
	p.APIVersion, p.Kind = "audit.k8s.io/v1", "Policy"
	for _, r := range t.Rules {
		p.Rules = append(p.Rules, r.Rule)
	}
	return yaml.Marshal(p)
}

// comments say above each rule what it saves and hides.
func (t *Trimmed) comments() (out []string) {
	for _, r := range t.Rules {
		out = append(out, fmt.Sprintf("Saves %s of the bytes of the log; hides %s.", Share(r.Bytes, t.All.Bytes), r.Lost))
	}
	return out
}

// Share is a part of a whole, in percent.
func Share(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", float64(part)*100/float64(whole))
}

// recordAll is the base of a log whose policy is not known.
const recordAll = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: Metadata\n"

// Compose lays the rules over the base, and proves by the log that they hide what they are
// said to hide, and that nothing else changes. The logs are read once more for that.
func (t *Trimmed) Compose(ctx context.Context, r TrimRequest) (compose.Result, Proof, error) {
	added, err := t.Added()
	if err != nil {
		return compose.Result{}, Proof{}, err
	}
	base, source := r.Base, r.Source
	if base == nil {
		source = compose.Source{Name: "everything", Data: []byte(recordAll)}
		if base, err = policy.Load(source.Name, source.Data); err != nil {
			return compose.Result{}, Proof{}, err
		}
	}
	out, err := compose.Compose(compose.Request{Base: source, Add: []compose.Source{{Name: AddedName, Data: added, Comments: t.comments()}}})
	if err != nil {
		return out, Proof{}, err
	}
	trimmed, err := policy.Load("the trimmed policy", out.Text)
	if err != nil {
		return out, Proof{}, err
	}
	proof, err := t.prove(ctx, r, base, trimmed)
	return out, proof, err
}

// Proof is what the evaluator says of the log's events under both policies.
type Proof struct {
	Hidden int64 `json:"hidden"` // events that a rule hides, each of a group that was proposed
	Same   int64 `json:"same"`   // events with which both policies do the same
	// Cut says that it was interrupted, and nothing is proven.
	Cut bool `json:"-"`
}

// prove asks both policies about each event of the log.
func (t *Trimmed) prove(ctx context.Context, r TrimRequest, base, trimmed *policy.Policy) (p Proof, err error) {
	hidden := map[key]bool{}
	for _, rule := range t.Rules {
		for _, g := range rule.groups {
			hidden[g.key] = true
		}
	}
	added := len(t.Rules)
	q := classify(read.Query{Fields: event.WantImpersonated, Progress: r.Progress}, base, trimmed)
	total, err := read.Events(ctx, r.Logs, q, func(e *event.Event) error {
		known := classOf(e)
		if known == nil {
			return nil
		}
		switch was, is := known.judged[0], known.judged[1]; {
		case hidden[keyOf(known.Request)] && is.Level == audit.LevelNone && is.Rule >= 0 && is.Rule < added:
			p.Hidden++
		case hidden[keyOf(known.Request)] || e.Impersonated.Has && is.Level == audit.LevelNone && was.Level != audit.LevelNone || !sameDecision(was, is, added):
			return fmt.Errorf("the trimmed policy does not do what it is to do with %s: this is a fault of auditpatch", explain.Describe(known.Request))
		default:
			p.Same++
		}
		return nil
	})
	p.Cut = total.Cut
	return p, err
}

// sameDecision tells whether the trimmed policy decides by the same rule of the base.
func sameDecision(was, is explain.Judged, added int) bool {
	rule := was.Rule
	if rule >= 0 {
		rule += added
	}
	return rule == is.Rule && was.Level == is.Level && was.OmitManagedFields == is.OmitManagedFields && slices.Equal(was.Decision.OmitStages, is.Decision.OmitStages)
}
