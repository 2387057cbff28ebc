package lint

import (
	"slices"
	"strings"

	"auditpatch/internal/policy"
)

// Code is one kind of finding. Its ID is never given to another kind.
type Code struct {
	ID       string // AP001
	Name     string // unknown-field
	Severity Severity
	Title    string         // what it finds
	Why      string         // why that matters
	Bad      Example        // has this finding and no other
	Good     Example        // the same, mended: no finding
	Target   policy.Version // the version that the examples are for, where that matters
}

// Example is a policy, or the rules of one. [Example.Policy] is the whole text.
type Example struct {
	Text  string
	Whole bool
}

// rules is an example of rules alone.
func rules(text string) Example { return Example{Text: text} }

// whole is an example of a whole policy.
func whole(text string) Example { return Example{Text: text, Whole: true} }

// exampleHead and exampleTail stand around examples of rules, so that each is a
// policy about which there is nothing else to say.
const (
	exampleHead = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n"
	exampleTail = "- level: Metadata\n"
)

// Policy is the text of the whole policy.
func (e Example) Policy() string {
	if e.Whole {
		return e.Text
	}
	return exampleHead + e.Text + exampleTail
}

// Codes are all kinds of findings, in the order of their IDs.
func Codes() []*Code { return codes }

// Find is the code with an ID or a name.
func Find(id string) (*Code, bool) {
	for _, c := range codes {
		if strings.EqualFold(c.ID, id) || c.Name == id {
			return c, true
		}
	}
	return nil, false
}

// Refusal reports whether the finding means that the policy is refused, by
// kube-apiserver or by enable. Such a finding cannot be switched off.
func (c *Code) Refusal() bool { return slices.Contains(loadCodes, c) }

var (
	codes = slices.Concat(loadCodes, reachCodes, verbCodes, resourceCodes, urlCodes, entryCodes, identityCodes, bodyCodes, stageCodes, benchmarkCodes, ignoreCodes)
	byID  = index(codes)
)

func index(codes []*Code) map[string]*Code {
	ids := map[string]*Code{}
	for _, c := range codes {
		ids[c.ID] = c
	}
	return ids
}
