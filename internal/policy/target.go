package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
)

// Version is a Kubernetes version, as far as policies depend on it. The zero
// Version is an unknown one.
type Version struct {
	Major, Minor int
}

// String is the version as 1.36.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// before reports whether v is older than 1.minor.
func (v Version) before(minor int) bool {
	return v.Major < 1 || v.Major == 1 && v.Minor < minor
}

// The first Kubernetes 1.x that knows a part of the policy language.
const (
	sinceV1            = 12 // apiVersion audit.k8s.io/v1
	sinceManagedFields = 23 // omitManagedFields
	sinceAnyGroup      = 36 // group "*"
)

// CheckTarget reports, as an *Error, what kube-apiserver of that version would
// not understand. Of an unknown version it says nothing.
func (p *Policy) CheckTarget(v Version) error {
	if v == (Version{}) {
		return nil
	}
	var findings []Finding
	if v.before(sinceV1) {
		findings = append(findings, p.finding("apiVersion",
			fmt.Sprintf("apiVersion audit.k8s.io/v1 needs Kubernetes 1.%d: kube-apiserver %s would not start", sinceV1, v), ""))
	}
	if v.before(sinceManagedFields) {
		findings = append(findings, p.managedFields(v)...)
	}
	if v.before(sinceAnyGroup) {
		findings = append(findings, p.anyGroup(v)...)
	}
	if len(findings) == 0 {
		return nil
	}
	return newError(p.name, findings)
}

// LoadStartable loads a policy that [Load] takes and with which kube-apiserver of a
// version would start. ignored, an *Error, is what that version would pass over; nil for
// nothing. With what Load refuses it may start all the same: see [LoadRunning].
func LoadStartable(file string, data []byte, v Version) (p *Policy, ignored, err error) {
	if p, err = Load(file, data); err != nil {
		return nil, nil, err
	}
	var all *Error
	if !errors.As(p.CheckTarget(v), &all) {
		return p, nil, nil
	}
	passed := func(f Finding) bool { return f.Ignored }
	if fatal := slices.DeleteFunc(slices.Clone(all.Findings), passed); len(fatal) > 0 {
		return p, nil, newError(file, fatal)
	}
	return p, all, nil
}

// Starts tells whether kube-apiserver would start with a policy, by its own loader: that
// passes over fields that it does not know, which [Load] refuses.
func Starts(data []byte) bool {
	p, err := auditpolicy.LoadPolicyFromBytes(data)
	return err == nil && p != nil
}

// LoadRunning loads what kube-apiserver makes of a policy when it starts: it passes over
// fields that it does not know, of a key that stands twice it takes the last, and a
// second document is not read. The error is that of [LoadStartable], where it would not
// start.
func LoadRunning(file string, data []byte, v Version) (p *Policy, err error) {
	p, _, err = LoadStartable(file, data, v)
	if err == nil || p != nil || len(data) > MaxSize {
		return p, err
	}
	lenient := accepted(file, data)
	if lenient == nil {
		return nil, err
	}
	var refused *Error
	if errors.As(lenient.CheckTarget(v), &refused) && slices.ContainsFunc(refused.Findings, func(f Finding) bool { return !f.Ignored }) {
		return nil, refused
	}
	return lenient, nil
}

// accepted is what kube-apiserver makes of a text with faults, nil when it would not
// start. Its loader logs what it passes over, and so gets what is left of the text.
func accepted(file string, data []byte) (p *Policy) {
	defer func() { // as in Load
		if trouble := recover(); trouble != nil {
			p = nil
		}
	}()
	d := decode(data)
	if _, ok := d.strictErrors(); !ok {
		return nil
	}
	left, err := (&Policy{spec: d.spec}).V1()
	if err != nil {
		return nil
	}
	text, err := json.Marshal(left)
	if err != nil {
		return nil
	}
	spec, err := auditpolicy.LoadPolicyFromBytes(text)
	if err != nil {
		return nil
	}
	return &Policy{name: file, spec: spec, evaluator: newEvaluator(spec)}
}

// managedFields finds each omitManagedFields that would be ignored.
func (p *Policy) managedFields(v Version) []Finding {
	message := fmt.Sprintf("omitManagedFields needs Kubernetes 1.%d: kube-apiserver %s would ignore it and write managed fields",
		sinceManagedFields, v)
	var findings []Finding
	at := func(path string) {
		f := p.finding(path, message, `remove "omitManagedFields"`)
		f.Ignored = true
		findings = append(findings, f)
	}
	if p.spec.OmitManagedFields {
		at("omitManagedFields")
	}
	for i, rule := range p.spec.Rules {
		if rule.OmitManagedFields != nil {
			at(fmt.Sprintf("rules[%d].omitManagedFields", i))
		}
	}
	return findings
}

// anyGroup finds each group "*" that would be refused.
func (p *Policy) anyGroup(v Version) []Finding {
	var findings []Finding
	for i, rule := range p.spec.Rules {
		for j, resources := range rule.Resources {
			if resources.Group != "*" {
				continue
			}
			path := fmt.Sprintf("rules[%d].resources[%d].group", i, j)
			message := fmt.Sprintf("group \"*\" needs Kubernetes 1.%d: kube-apiserver %s would not start", sinceAnyGroup, v)
			findings = append(findings, p.finding(path, message, `write one entry a group, such as "group: apps"`))
		}
	}
	return findings
}

// finding places a message at the field, or at what encloses it.
func (p *Policy) finding(path, message, hint string) Finding {
	line, col := position(first(p.root, path))
	return Finding{Line: line, Col: col, Field: path, Message: message, Hint: hint, Kind: TooNew}
}

// LoadLenient loads a policy as kube-apiserver does, without its log: it passes over
// fields that it does not know, keys that stand twice and further documents. It is
// for whoever tells of these by [Load], and of the rest by the policy. ok is false
// when kube-apiserver would not start with it.
func LoadLenient(name string, data []byte) (p *Policy, ok bool) {
	defer func() {
		if recover() != nil { // see Load
			p, ok = nil, false
		}
	}()
	if tooLarge(data, nil) != nil {
		return nil, false
	}
	src := parse(data)
	if tooLarge(data, src) != nil {
		return nil, false
	}
	spec, err := auditpolicy.LoadPolicyFromBytes(data)
	if err != nil || spec == nil {
		return nil, false
	}
	return &Policy{name: name, spec: spec, root: src.root, evaluator: newEvaluator(spec)}, true
}
