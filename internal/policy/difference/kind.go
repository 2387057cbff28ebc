package difference

import (
	"slices"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
	"auditpatch/internal/policy/sensitive"
	"auditpatch/internal/policy/space"
)

// class is a class of requests that go through the same stages.
type class int

const (
	ordinary    class = iota
	longRunning       // a watch, exec ...: explain.LongRunning
	failedLogin       // ResponseStarted alone
	classes
)

func classOf(r policy.Request) class {
	switch {
	case r.User == "":
		return failedLogin
	case explain.LongRunning(r.Verb, r.Resource, r.Subresource, r.Path):
		return longRunning
	}
	return ordinary
}

// stagesOf are the stages of a class at which an event tells of a request, and Panic,
// which hardly any has.
var stagesOf = [classes][]audit.Stage{
	ordinary:    {audit.StageRequestReceived, audit.StageResponseComplete, audit.StagePanic},
	longRunning: {audit.StageRequestReceived, audit.StageResponseStarted, audit.StageResponseComplete, audit.StagePanic},
	failedLogin: {audit.StageResponseStarted},
}

// outcome is what a decision does with requests of a class, in a form that can be
// compared.
type outcome struct {
	level   audit.Level // None as well where no stage is left, or Panic alone
	stages  string
	managed bool
}

// outcomeOf leaves out what has no effect: stages of what is not recorded, and managed
// fields where no object is.
func outcomeOf(d policy.Decision, c class) outcome {
	o := outcome{level: d.Level}
	told := false
	for _, s := range stagesOf[c] {
		if d.Records(s) {
			o.stages += string(s) + " "
			told = told || s != audit.StagePanic
		}
	}
	if !told {
		return outcome{level: audit.LevelNone}
	}
	if c == failedLogin {
		o.level = audit.LevelMetadata // nothing that was sent is read, and the answer is an error
	}
	o.managed = c == ordinary && d.OmitManagedFields && o.level.GreaterOrEqual(audit.LevelRequest)
	return o
}

// kindOf is what it comes to that a request has another decision; ok is false where it
// comes to nothing.
func kindOf(r policy.Request, from, to policy.Decision) (k Kind, ok bool) {
	k, ok = plainKind(outcomeOf(from, classOf(r)), outcomeOf(to, classOf(r)))
	if ok && sensitive.Written(to, r).Beyond(sensitive.Written(from, r)) {
		k = Leak
	}
	return k, ok
}

// plainKind is the kind by the level and stages alone.
func plainKind(from, to outcome) (k Kind, ok bool) {
	switch {
	case from == to:
		return "", false
	case to.level == audit.LevelNone:
		return Lost, true
	case from.level == audit.LevelNone:
		return Gained, true
	case to.level.Less(from.level):
		return Less, true
	case from.level.Less(to.level):
		return More, true
	case from.stages != to.stages:
		return Stages, true
	}
	return Managed, true
}

// weight sorts differences of a kind: leaks by what leaks; else secrets, then ways into
// containers, then changes, then reads, then what is no resource, then what hardly anybody sends.
func weight(r policy.Request, kind Kind) int {
	what, is := sensitive.Of(r)
	switch {
	case kind == Leak:
		return what
	case space.IsRare(r):
		return 5
	case is && what < named:
		return 0
	case slices.Contains([]string{"exec", "attach", "portforward", "proxy"}, r.Subresource):
		return 1
	case r.Resource == "":
		return 4
	case slices.Contains([]string{"get", "list", "watch"}, r.Verb):
		return 3
	}
	return 2
}

// named are the first of [sensitive.Kinds]: those that are worth an example of their own.
const named = 4
