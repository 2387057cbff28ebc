package explain

import (
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// Answer is what a policy does with one request.
type Answer struct {
	Rule  int // index of the rule that decides, from 0 as in rules[0]; -1 when none matches
	Line  int // where that rule stands in the policy; 0 when none matches
	Col   int
	Level audit.Level
	// Stages are those of which an event is written, in order, when the handler does
	// not panic. They are shared between answers and not to be changed.
	Stages []audit.Stage
	// OmitManagedFields says that objects are written without metadata.managedFields.
	OmitManagedFields bool
}

// course is which stages a request goes through.
type course int

// The courses of requests: k8s.io/apiserver/pkg/endpoints/filters/audit.go,
// authn_audit.go and request_deadline.go.
const (
	ordinary    course = iota
	longRunning        // an event more, when the answer begins
	rejected           // the login failed, or the timeout in the URL cannot be read
	panicked           // an ordinary request whose handler panics
	longPanicked
	courses
)

var stagesOf = [courses][]audit.Stage{
	ordinary:     {audit.StageRequestReceived, audit.StageResponseComplete},
	longRunning:  {audit.StageRequestReceived, audit.StageResponseStarted, audit.StageResponseComplete},
	rejected:     {audit.StageResponseStarted},
	panicked:     {audit.StageRequestReceived, audit.StagePanic},
	longPanicked: {audit.StageRequestReceived, audit.StageResponseStarted, audit.StagePanic},
}

// courseOf is the course of a request whose handler does not panic. user is "" when
// nobody has logged in; path counts when resource is "".
func courseOf(user, verb, resource, subresource, path string) course {
	switch {
	case user == "":
		return rejected
	case LongRunning(verb, resource, subresource, path):
		return longRunning
	}
	return ordinary
}

// LongRunning tells whether kube-apiserver counts a request as long-running: its
// event is also written when the answer begins. The lists are those of
// pkg/controlplane/apiserver/config.go in Kubernetes, the rest is
// BasicLongRunningRequestCheck in k8s.io/apiserver/pkg/server/filters.
func LongRunning(verb, resource, subresource, path string) bool {
	if verb == "watch" || verb == "proxy" {
		return true
	}
	if resource == "" {
		return strings.HasPrefix(path, "/debug/pprof/")
	}
	switch subresource {
	case "attach", "exec", "proxy", "log", "portforward":
		return true
	}
	return false
}

// answers has what a policy's rules answer, made once for all requests.
type answers struct {
	policy *policy.Policy
	rules  []position // those of the rules
	// stages of a rule by course, at rule+1: the first is for no rule. They are filled
	// when a rule first decides.
	stages []*[courses][]audit.Stage
}

type position struct{ line, col int }

func newAnswers(p *policy.Policy) *answers {
	a := &answers{policy: p, rules: make([]position, p.Rules()), stages: make([]*[courses][]audit.Stage, p.Rules()+1)}
	for i := range a.rules {
		a.rules[i].line, a.rules[i].col = p.Position(i)
	}
	return a
}

// of is the answer to a request that takes a course.
func (a *answers) of(d policy.Decision, c course) Answer {
	if a.stages[d.Rule+1] == nil {
		a.stages[d.Rule+1] = recorded(d)
	}
	out := Answer{Rule: d.Rule, Level: d.Level, Stages: a.stages[d.Rule+1][c], OmitManagedFields: d.OmitManagedFields}
	if d.Rule >= 0 {
		out.Line, out.Col = a.rules[d.Rule].line, a.rules[d.Rule].col
	}
	return out
}

// recorded are the stages that a decision records, of each course.
func recorded(d policy.Decision) *[courses][]audit.Stage {
	var out [courses][]audit.Stage
	for c, stages := range stagesOf {
		out[c] = slices.DeleteFunc(slices.Clone(stages), func(s audit.Stage) bool { return !d.Records(s) })
	}
	return &out
}
