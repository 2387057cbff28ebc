package lint

import (
	"errors"
	"fmt"
	"strings"

	"auditpatch/internal/policy"
	"auditpatch/internal/spelling"

	"auditpatch/internal/lazyregexp"
)

// Why most of these matter.
const (
	wontStart = "kube-apiserver exits while it starts, again and again, until the file is mended: the control plane is down."
	dropped   = "kube-apiserver writes one line into its own log and goes on without it, so that the policy does something else than what it says."
)

// loadCodes are for what kube-apiserver refuses, or drops in silence.
var loadCodes = []*Code{
	{ID: "AP001", Name: "unknown-field", Severity: Error, Title: "a field that policies do not have",
		Why: dropped + " A rule without the field that was meant takes more requests.",
		Bad: rules("- level: None\n  verb: [get]\n  users: [monitor]\n"), Good: rules("- level: None\n  verbs: [get]\n  users: [monitor]\n")},
	{ID: "AP002", Name: "duplicate-key", Severity: Error, Title: "a key that stands twice in one mapping",
		Why:  dropped + " The last one counts.",
		Bad:  rules("- level: None\n  users: [monitor]\n  users: [backup]\n  verbs: [get]\n"),
		Good: rules("- level: None\n  users: [monitor, backup]\n  verbs: [get]\n")},
	{ID: "AP003", Name: "second-document", Severity: Error, Title: "content after the first YAML document",
		Why:  "kube-apiserver reads the first document only, and says nothing about the others.",
		Bad:  whole(exampleHead + "- level: Metadata\n---\nrules:\n- level: None\n"),
		Good: whole(exampleHead + "- level: Metadata\n")},
	{ID: "AP004", Name: "not-yaml", Severity: Error, Title: "a text that is neither YAML nor JSON", Why: wontStart,
		Bad: rules("- level: None\n  verbs: [get\n"), Good: rules("- level: None\n  verbs: [get]\n  users: [monitor]\n")},
	{ID: "AP005", Name: "not-a-policy", Severity: Error, Title: "a file that is empty, or of another kind or version", Why: wontStart,
		Bad:  whole("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"),
		Good: whole("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n")},
	{ID: "AP006", Name: "no-rules", Severity: Error, Title: "a policy without rules", Why: wontStart,
		Bad:  whole("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: []\n"),
		Good: whole("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n")},
	{ID: "AP007", Name: "wrong-type", Severity: Error, Title: "a value of another type than its field", Why: wontStart,
		Bad: rules("- level: None\n  users: monitor\n  verbs: [get]\n"), Good: rules("- level: None\n  users: [monitor]\n  verbs: [get]\n")},
	{ID: "AP008", Name: "bad-level", Severity: Error, Title: "a level that is missing or unknown", Why: wontStart,
		Bad: rules("- level: metadata\n  verbs: [create]\n"), Good: rules("- level: Metadata\n  verbs: [create]\n")},
	{ID: "AP009", Name: "bad-stage", Severity: Error, Title: "an unknown stage in omitStages", Why: wontStart,
		Bad:  rules("- level: Metadata\n  verbs: [get]\n  omitStages: [Panics]\n"),
		Good: rules("- level: Metadata\n  verbs: [get]\n  omitStages: [Panic]\n")},
	{ID: "AP010", Name: "bad-group", Severity: Error, Title: "a group that is not the name of an API group", Why: wontStart,
		Bad:  rules("- level: None\n  verbs: [get]\n  resources: [{group: apps/v1, resources: [deployments]}]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  resources: [{group: apps, resources: [deployments]}]\n")},
	{ID: "AP011", Name: "names-without-resources", Severity: Error, Title: "resourceNames without resources", Why: wontStart,
		Bad:  rules("- level: None\n  resources: [{group: \"\", resourceNames: [heartbeat]}]\n"),
		Good: rules("- level: None\n  resources: [{group: \"\", resources: [endpoints], resourceNames: [heartbeat]}]\n")},
	{ID: "AP012", Name: "resources-and-urls", Severity: Error, Title: "nonResourceURLs beside resources or namespaces", Why: wontStart,
		Bad:  rules("- level: None\n  namespaces: [monitoring]\n  nonResourceURLs: [/version]\n"),
		Good: rules("- level: None\n  nonResourceURLs: [/version]\n")},
	{ID: "AP013", Name: "bad-url", Severity: Error, Title: "a path without \"/\" at its beginning, or with \"*\" before its end", Why: wontStart,
		Bad: rules("- level: None\n  nonResourceURLs: [version]\n"), Good: rules("- level: None\n  nonResourceURLs: [/version]\n")},
	{ID: "AP014", Name: "newer-than-target", Severity: Error, Title: "something that the version in --target-version does not know",
		Why: "An older kube-apiserver does not start with it, or ignores it.", Target: policy.Version{Major: 1, Minor: 30},
		Bad:  rules("- level: None\n  verbs: [watch]\n  resources: [{group: \"*\", resources: [\"*/status\"]}]\n"),
		Good: rules("- level: None\n  verbs: [watch]\n  resources: [{group: apps, resources: [deployments/status]}]\n")},
	{ID: "AP015", Name: "refused", Severity: Error, Title: "anything else that is refused, in the words of kube-apiserver", Why: wontStart,
		Bad:  rules("- level: None\n  verbs: [get]\n#" + strings.Repeat("-", policy.MaxSize) + "\n"),
		Good: rules("- level: None\n  users: [monitor]\n  verbs: [get]\n")},
}

// codeOf is the code for a kind of fault that policy.Load finds.
var codeOf = map[policy.Kind]string{
	policy.UnknownField: "AP001", policy.DuplicateKey: "AP002", policy.SecondDocument: "AP003", policy.NotYAML: "AP004",
	policy.NotPolicy: "AP005", policy.NoRules: "AP006", policy.WrongType: "AP007", policy.BadLevel: "AP008",
	policy.BadStage: "AP009", policy.BadGroup: "AP010", policy.LoneNames: "AP011", policy.MixedRule: "AP012",
	policy.BadURL: "AP013", policy.TooNew: "AP014",
}

// refusals are the findings of the loader.
func (l *linter) refusals(err error) {
	var refused *policy.Error
	if err != nil && !errors.As(err, &refused) {
		refused = &policy.Error{Findings: []policy.Finding{{Line: 1, Col: 1, Message: err.Error()}}}
	}
	if refused == nil {
		return
	}
	for _, f := range refused.Findings {
		id, ok := codeOf[f.Kind]
		if !ok {
			id = "AP015"
		}
		found := Finding{Code: byID[id], Line: f.Line, Col: f.Col, Field: f.Field, Message: f.Message, Hint: f.Hint}
		if l.text != nil && f.Field != "" {
			found.Fix = l.mendRefusal(f)
		}
		l.findings = append(l.findings, found)
	}
}

const thenAccepted = "kube-apiserver then accepts it, and does what it says"

// versioned is a group with the version behind it.
var versioned = lazyregexp.New(`^([a-z0-9.-]+)/v[0-9]+([a-z]+[0-9]+)?$`)

// mendRefusal is the fix of a fault for which there is no more than one thing that
// can have been meant.
func (l *linter) mendRefusal(f policy.Finding) *Fix {
	value, _ := l.value(f.Field)
	switch f.Kind {
	case policy.BadLevel:
		return l.otherCase(f.Field, value, "None", "Metadata", "Request", "RequestResponse")
	case policy.BadStage:
		return l.otherCase(f.Field, value, "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
	case policy.BadGroup:
		if m := versioned().FindStringSubmatch(value); m != nil {
			return l.replace(f.Field, m[1], fmt.Sprintf("group %q becomes %q", value, m[1]), thenAccepted)
		}
	case policy.WrongType:
		return l.quote(f.Field)
	case policy.UnknownField:
		return l.rename(f.Field)
	}
	return nil
}

// otherCase replaces a word by the one of the known words that differs in nothing
// but capitals, hyphens and underscores.
func (l *linter) otherCase(path, value string, known ...string) *Fix {
	for _, k := range known {
		if value != "" && spelling.Plain(value) == spelling.Plain(k) {
			return l.replace(path, k, fmt.Sprintf("%q becomes %q", value, k), thenAccepted)
		}
	}
	return nil
}

// fieldsOf are the fields where a misspelt name counts as certain, by whether they
// stand in an entry of "resources".
var fieldsOf = map[bool][]string{
	false: {"level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages", "omitManagedFields"},
	true:  {"group", "resources", "resourceNames"},
}

var ruleField = lazyregexp.New(`^rules\[\d+\]\.(resources\[\d+\]\.)?([A-Za-z_-]+)$`)

// rename mends the name of a field that differs from the right one in case or
// separators only, or lacks the plural.
func (l *linter) rename(path string) *Fix {
	m := ruleField().FindStringSubmatch(path)
	if m == nil {
		return nil
	}
	for _, k := range fieldsOf[m[1] != ""] {
		if word := spelling.Plain(m[2]); word == spelling.Plain(k) || word+"s" == spelling.Plain(k) {
			return l.renameKey(path, k)
		}
	}
	return nil
}
