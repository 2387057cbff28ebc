package explain

import "auditpatch/internal/policy"

// Judge answers for one event after the other what some policies do with its request, as
// Events does for one policy. It remembers what it was asked, and is for one goroutine.
type Judge struct {
	rebuild *rebuilder
	event   Event
	answers []*answers
	decided []*decisions
	judged  []Judged
	groups  string // of the user of the event that was taken in
	looks   looks  // what the policies look at
}

// Judged is what one of the policies does.
type Judged struct {
	Answer
	Decision policy.Decision // that the answer comes from
}

// NewJudge makes ready what all events have in common.
func NewJudge(policies ...*policy.Policy) *Judge {
	j := &Judge{rebuild: newRebuilder(), judged: make([]Judged, len(policies)), looks: newLooks(policies...)}
	for _, p := range policies {
		j.answers, j.decided = append(j.answers, newAnswers(p)), append(j.decided, newDecisions(p))
	}
	j.rebuild.whole = true
	return j
}

// Event answers for the event in text, which somebody has read as one JSON object; of the event, Line and Bytes are
// not set. It has an answer for each policy. Both are valid until the next call. reason
// says why the text is no event, "" if it is one.
func (j *Judge) Event(text string) (e *Event, judged []Judged, reason string) {
	j.event = Event{}
	if reason := j.rebuild.read(text, &j.event); reason != "" {
		return nil, nil, reason
	}
	j.answer()
	return &j.event, j.judged, ""
}

// answer asks the policies about the request that was read last.
func (j *Judge) answer() {
	c := j.rebuild.course()
	for i := range j.answers {
		d := j.decided[i].of(j.rebuild)
		j.judged[i] = Judged{j.answers[i].of(d, c), d}
	}
}
