package filter

import (
	"auditpatch/internal/auditlog/event"
)

// kind is a flag with what it asks.
type kind struct {
	Flag
	rare int // how few events a value takes, for the choice of words: the smaller the fewer
	read func(reading) (condition, error)
}

// reading is a flag with the values that were given.
type reading struct {
	Flag
	values []string
	Env
	filter *Filter
}

// kinds are in the order in which pages tell of them: who, what, where, when, with what result.
var kinds = []kind{
	{Flag{Name: "user", Usage: "`USER` who logged in, also where it impersonates another; sa:NAMESPACE:NAME is a service account"}, 3,
		texts(event.WantUser, users(func(e *event.Event) []byte { return e.User.Name }))},
	{Flag{Name: "group", Usage: "`GROUP` of the user who logged in"}, 8,
		texts(event.WantUser, oneOf(func(e *event.Event) []byte { return e.User.Groups }))},
	{Flag{Name: "impersonated", Usage: "`USER` as whom somebody else acted; '*' is anyone, '!*' leaves impersonation out"}, 2,
		texts(event.WantImpersonated, users(func(e *event.Event) []byte { return e.Impersonated.Name }))},
	{Flag{Name: "verb", Usage: "`VERB` of the request, such as delete", Known: verbs}, 6, readVerbs},
	{Flag{Name: "resource", Usage: "`RESOURCE`, such as pods, pods/exec, deployments.apps/scale, '*.apps' or '*/exec'; pods are not pods/exec; names and short names of kubectl are understood"}, 5, readResources},
	{Flag{Name: "url", Usage: "`URL` of the request, such as '/healthz*'; its query counts only behind a ? of yours"}, 9, readURLs},
	{Flag{Name: "namespace", Usage: "`NAMESPACE` of the object; '!*' is what lies in none"}, 4,
		texts(event.WantObject, one(func(e *event.Event) []byte { return e.Object.Namespace }))},
	{Flag{Name: "name", Usage: "`NAME` of the object"}, 1,
		texts(event.WantObject, one(func(e *event.Event) []byte { return e.Object.Name }))},
	{Flag{Name: "source-ip", Usage: "`ADDRESS` or CIDR that the request came from, any that the event has"}, 9, readAddresses},
	{Flag{Name: "user-agent", Usage: "`PROGRAM` that made the request, such as kubectl, 'kubectl/v1.36*' or a whole user agent"}, 9,
		texts(event.WantUserAgent, product)},
	{Flag{Name: "since", Usage: "`TIME` from which on: 2h, 3d, 2026-11-22, '2026-11-22 11:20' (UTC) or RFC 3339; by the time of the event's stage"}, 9, readSince},
	{Flag{Name: "until", Usage: "`TIME` before which; a date is included as a whole"}, 9, readUntil},
	{Flag{Name: "code", Usage: "HTTP `STATUS` of the answer: 403, 4xx or 400-499"}, 7, readCodes},
	{Flag{Name: "failed", Switch: true, Usage: "only what failed: status 400 and above, and panics"}, 7, readFailed},
	{Flag{Name: "writes", Switch: true, Usage: "only create, update, patch, delete and deletecollection, and post and put of URLs that are no resource"}, 8, readWrites},
	{Flag{Name: "slow", Usage: "only what took this `DURATION` or longer, such as 1s, from receipt to the event's stage"}, 9, readSlow},
	{Flag{Name: "decision", Usage: "`DECISION` of the authorizer", Known: []string{"allow", "forbid"}}, 9,
		closed(event.WantAuthorization, func(e *event.Event) []byte { return e.Authorization.Decision })},
	{Flag{Name: "reason", Usage: "`REASON` of the answer or of the authorizer, such as NotFound or '*cluster-admin*'"}, 9,
		texts(event.WantAuthorization|event.WantResponse, reasons)},
	{Flag{Name: "stage", Usage: "`STAGE` of the event", Known: []string{"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"}}, 10,
		closed(event.WantStage, func(e *event.Event) []byte { return e.Stage })},
	{Flag{Name: "level", Usage: "`LEVEL` at which the event is recorded", Known: []string{"Metadata", "Request", "RequestResponse"}}, 10,
		closed(event.WantLevel, func(e *event.Event) []byte { return e.Level })},
	{Flag{Name: "audit-id", Usage: "`ID` of the request, all its stages"}, 0,
		texts(event.WantAuditID, one(func(e *event.Event) []byte { return e.AuditID }))},
	{Flag{Name: "grep", Usage: "`TEXT` anywhere in the event's JSON, also in bodies and where it is written with escapes; * is no wildcard here"}, 10, readGrep},
}

// test is what one value asks of an event.
type test struct {
	match func(*event.Event) bool
	// key is the value in a form that covers takes, which tells whether the test takes all
	// that another takes.
	key    string
	covers func(key string) bool
	words  []string // as those of a condition
}

// condition makes the condition of a flag's values.
func (r reading) condition(fields event.Fields, read func(value string) (test, error)) (condition, error) {
	var take, leave []test
	for _, value := range r.values {
		text, not := cutNot(value)
		t, err := read(text)
		if err != nil {
			return condition{}, err
		}
		if not {
			leave = append(leave, t)
		} else {
			take = append(take, t)
		}
	}
	if err := r.nothingLeft(take, leave); err != nil {
		return condition{}, err
	}
	c := condition{fields: fields, match: matcher(take, leave)}
	for _, t := range take {
		if len(t.words) == 0 {
			c.words = nil
			break
		}
		c.words = append(c.words, t.words...)
	}
	return c, nil
}

// cutNot tells whether a value is to be excluded.
func cutNot(value string) (text string, not bool) {
	if len(value) > 1 && value[0] == '!' {
		return value[1:], true
	}
	return value, false
}

func matcher(take, leave []test) func(*event.Event) bool {
	if len(take) == 1 && len(leave) == 0 {
		return take[0].match
	}
	return func(e *event.Event) bool {
		for i := range leave {
			if leave[i].match(e) {
				return false
			}
		}
		for i := range take {
			if take[i].match(e) {
				return true
			}
		}
		return len(take) == 0
	}
}
