package simulate

import (
	"bytes"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// class is what the events have in common that none of the policies tells apart, and that
// have the same stage and level; for policy trim also the user and the namespace. Apart from the last fields, which the goroutine that counts
// has for itself, it does not change.
type class struct {
	Request policy.Request // of one of them
	Stage   audit.Stage
	Level   audit.Level
	judged  []explain.Judged
	written [sides]bool // by side, whether the stage is written
	// differs says that an event can be written otherwise than it stands in the log, and
	// bodies that what its bodies have is of interest.
	differs, bodies bool

	noted  bool // the kind of its requests is
	reason Reason
	group  *group // where policy trim counts it
}

// classes finds the class of one event after the other. It is for one goroutine.
type classes struct {
	judge *explain.Judge
	known map[string]*class
	size  int // of the keys in known, in bytes
	key   []byte
	whole bool // events of one class have the same request
}

// mostClasses are remembered at a time, with keys of mostKeys bytes. Who sends requests
// chooses what is in them: long ones are not remembered.
const (
	mostClasses = 4000
	mostKeys    = 1 << 20
	longKey     = 4 << 10
)

func newClasses(whole bool, policies ...*policy.Policy) *classes {
	return &classes{judge: explain.NewJudge(policies...), known: map[string]*class{}, whole: whole}
}

// judgedFields are those of an event that decide.
const judgedFields = event.WantLevel | event.WantAuditID | event.WantStage | event.WantRequestURI | event.WantVerb | event.WantUser | event.WantObject

// of is the class of an event, nil where it lacks what decides.
func (c *classes) of(e *event.Event) *class {
	if e.Odd {
		return c.slowly(e)
	}
	o := &e.Object
	stage, level := known(e.Stage), knownLevel(e.Level)
	if c.judge.Take(&explain.Parts{
		Stage: string(stage), URI: view(e.RequestURI), Verb: view(e.Verb), User: view(e.User.Name), Groups: view(e.User.Groups), HasRef: o.Has,
		Group: view(o.APIGroup), Version: view(o.APIVersion), Resource: view(o.Resource), Subresource: view(o.Subresource),
		Namespace: view(o.Namespace), Name: view(o.Name),
	}) != "" {
		return nil
	}
	c.key = c.judge.Key(append(c.key[:0], byte(slices.Index(stagesKnown[:], stage)), byte(levelOf(level))), c.whole)
	if known := c.known[string(c.key)]; known != nil {
		return known
	}
	q, judged, reason := c.judge.Taken()
	if reason != "" {
		return nil
	}
	fresh := newClass(q.Request, stage, level, judged)
	if len(c.key) > longKey {
		return fresh
	}
	if c.size += len(c.key); len(c.known) == mostClasses || c.size > mostKeys {
		clear(c.known)
		c.size = len(c.key)
	}
	c.known[string(c.key)] = fresh
	return fresh
}

// slowly is for an event of which a part has another type than usual: explain says whether
// that matters.
func (c *classes) slowly(e *event.Event) *class {
	q, judged, reason := c.judge.Event(string(e.JSON))
	if reason != "" {
		return nil
	}
	return newClass(q.Request, known(e.Stage), knownLevel(e.Level), judged)
}

// newClass makes a class that keeps nothing of the text that it was read from.
func newClass(r policy.Request, stage audit.Stage, level audit.Level, judged []explain.Judged) *class {
	for _, s := range []*string{&r.User, &r.Verb, &r.Group, &r.Version, &r.Resource, &r.Subresource, &r.Namespace, &r.Name, &r.Path} {
		*s = clone(*s)
	}
	groups := make([]string, len(r.Groups))
	for i, g := range r.Groups {
		groups[i] = clone(g)
	}
	r.Groups = groups
	c := &class{Request: r, Stage: stage, Level: level, judged: slices.Clone(judged)}
	for i, j := range judged {
		c.written[underNew+side(i)] = slices.Contains(j.Stages, stage)
		c.differs = c.differs || j.Level != audit.LevelNone && (j.Level != level || j.Level != audit.LevelMetadata)
		c.bodies = c.bodies || j.Level.GreaterOrEqual(audit.LevelRequest)
	}
	return c
}

// earlier tells whether a policy writes stages before that of the class.
func (c *class) earlier() bool {
	return slices.ContainsFunc(c.judged, func(j explain.Judged) bool {
		return slices.ContainsFunc(j.Stages, func(s audit.Stage) bool { return s != c.Stage })
	})
}

var stagesKnown = [...]audit.Stage{audit.StageResponseComplete, audit.StageRequestReceived, audit.StageResponseStarted, audit.StagePanic}

// known is a stage that does not keep the text that it was read from.
func known(s []byte) audit.Stage {
	for _, k := range &stagesKnown {
		if string(s) == string(k) {
			return k
		}
	}
	return "another"
}

// knownLevel is the same for a level.
func knownLevel(l []byte) audit.Level {
	for _, k := range &levels {
		if string(l) == string(k) {
			return k
		}
	}
	return audit.LevelNone
}

// clone keeps no more than the text itself.
func clone(s string) string { return strings.Clone(s) }

// note is what a judge makes of an event, for the goroutine that counts.
type note struct {
	*class   // nil for what lacks what decides
	record   record
	measured bool // record has all parts, not the length alone
	sizes    [sides]Size
}

// classify prepares a query whose events have a note with their class. policies are those
// that the classes are of.
func classify(q read.Query, policies ...*policy.Policy) read.Query {
	q.Fields |= judgedFields
	q.Prepare = func() func(*event.Event) {
		all := newClasses(true, policies...)
		return func(e *event.Event) { noteOf(e).class = all.of(e) }
	}
	return q
}

// noteOf is the empty note of an event.
func noteOf(e *event.Event) *note {
	n, ok := e.Note.(*note)
	if !ok {
		n = &note{}
		e.Note = n
	}
	*n = note{}
	return n
}

// classOf is the class in an event's note.
func classOf(e *event.Event) *class { return e.Note.(*note).class }

// prepare makes the function that looks at events in one of the goroutines that read.
func (r *replay) prepare() func(*event.Event) {
	all := newClasses(false, r.policies()...)
	b := bodies{r.learned, map[alike]explain.Contents{}}
	scratch := replayed{}
	return func(e *event.Event) {
		n := noteOf(e)
		if n.class = all.of(e); n.class == nil {
			return
		}
		text := view(e.JSON)
		n.record.length = len(text) + 1
		early := r.derives.Load() && n.earlier()
		if n.differs && !early && n.shorten(e) {
			n.reckon(&b, &scratch, e.Response.Code)
			return
		}
		if n.differs || !strings.HasPrefix(text, compactHead) || early {
			n.record, n.measured = measure(text, n.class.bodies), true
		}
		n.reckon(&b, &scratch, e.Response.Code)
	}
}

func (r *replay) policies() []*policy.Policy {
	if r.Current == nil {
		return []*policy.Policy{r.New}
	}
	return []*policy.Policy{r.New, r.Current}
}

// shorten measures an event that can only be written without its bodies by what was read of
// it; false where that does not do.
func (n *note) shorten(e *event.Event) bool {
	if n.class.bodies || !strings.HasPrefix(view(e.JSON), compactHead) || e.RequestObject == nil && e.ResponseObject == nil || bytes.Contains(e.JSON, []byte(patchAnnotation)) {
		return false
	}
	r := &n.record
	r.level = len(e.Level) + 2
	if e.RequestObject != nil {
		r.request.length = len(`"requestObject":,`) + len(e.RequestObject)
	}
	if e.ResponseObject != nil {
		r.response.length = len(`"responseObject":,`) + len(e.ResponseObject)
	}
	return true
}

// reckon sets the sizes under each policy. The new one writes managed fields that the
// current one has left out. r is memory for it.
func (n *note) reckon(b *bodies, r *replayed, code int) {
	*r = replayed{record: n.record, class: n.class, code: code}
	for i := len(n.judged) - 1; i >= 0; i-- {
		s := underNew + side(i)
		if n.written[s] {
			r.decision = n.judged[i].Decision
			n.sizes[s] = b.size(r)
		}
		r.stripped = n.judged[i].OmitManagedFields
	}
}
