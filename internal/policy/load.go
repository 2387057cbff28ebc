package policy

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/apis/audit"
	auditinternal "k8s.io/apiserver/pkg/audit"
	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
	sigsyaml "sigs.k8s.io/yaml"
)

// MaxSize is the largest text that Load reads, in bytes. The largest policies
// in use are a tenth of it.
const MaxSize = 256 << 10

// maxExpanded is the largest text that one may get by writing out all aliases.
const maxExpanded = 4 << 20

// Load reads a policy from data; name is the file name for messages. It
// accepts what kube-apiserver accepts without a complaint: no unknown field,
// no key twice, no second document, whose rules would be ignored in silence.
// The error is an *Error with a finding for each fault.
func Load(name string, data []byte) (policy *Policy, err error) {
	// The YAML parsers are made for files that their owner wrote. Should one of
	// them panic, the file is refused like any other that cannot be read.
	defer func() {
		if trouble := recover(); trouble != nil {
			policy, err = nil, newError(name, []Finding{{Line: 1, Col: 1,
				Message: fmt.Sprintf("the YAML parser failed on this text: %v", trouble)}})
		}
	}()
	if f := tooLarge(data, nil); f != nil {
		return nil, newError(name, []Finding{*f})
	}
	src := parse(data)
	if f := tooLarge(data, src); f != nil {
		return nil, newError(name, []Finding{*f})
	}
	spec, refusal := judge(data)
	if findings := explain(src, refusal); len(findings) > 0 {
		if isForeign(data) {
			findings = withoutQuotes(findings)
		}
		return nil, newError(name, findings)
	}
	return &Policy{name: name, spec: spec, root: src.root, evaluator: newEvaluator(spec)}, nil
}

// tooLarge looks at the size before parsing, when src is nil, and at what the
// aliases would make of it afterwards. A text without a tree is measured by
// the number of aliases that it can have.
func tooLarge(data []byte, src *source) *Finding {
	size, limit, what := len(data), MaxSize, "the file"
	if src != nil {
		limit, what = maxExpanded, "with its aliases written out, the file"
		if src.root != nil {
			size = expanded(src.root, math.MaxInt32)
		}
	}
	if size <= limit {
		return nil
	}
	return &Finding{Line: 1, Col: 1,
		Message: fmt.Sprintf("%s is larger than %d KiB: no audit policy is", what, limit>>10)}
}

// judge is the verdict of the API server. Its loader falls back to lenient
// decoding and logs what it then ignores, so it is asked only about a text that
// decodes strictly: it has nothing to log then.
func judge(data []byte) (*audit.Policy, error) {
	if policy := judgeJSON(data); policy != nil {
		return policy, nil
	}
	if d := decode(data); d.err != nil {
		return nil, d.err
	}
	return auditpolicy.LoadPolicyFromBytes(data)
}

// judgeJSON asks the API server about a YAML text as JSON, which spares three of
// four passes through the YAML parser: its decoders convert the text themselves,
// each of them twice. It returns nil for a text that has a fault, or is JSON
// already: that one is judged, and quoted, as it was written.
func judgeJSON(data []byte) *audit.Policy {
	if utilyaml.IsJSONBuffer(data) {
		return nil
	}
	text, err := sigsyaml.YAMLToJSONStrict(data)
	if err != nil || decode(text).err != nil {
		return nil
	}
	policy, _ := auditpolicy.LoadPolicyFromBytes(text)
	return policy
}

// decoded is a text as the API server's strict decoder sees it. When err holds
// nothing but strict errors, spec is what would be left after ignoring them.
type decoded struct {
	spec    *audit.Policy
	version schema.GroupVersion
	err     error
}

func decode(data []byte) decoded {
	decoder := serializer.NewCodecFactory(auditinternal.Scheme, serializer.EnableStrict).UniversalDecoder()
	d := decoded{spec: &audit.Policy{}}
	_, kind, err := decoder.Decode(data, nil, d.spec)
	d.err = err
	if kind != nil {
		d.version = kind.GroupVersion()
	}
	return d
}

// strictErrors are the faults that the API server would only log; ok is false
// when it would refuse the text.
func (d decoded) strictErrors() (errs []error, ok bool) {
	if d.err == nil {
		return nil, true
	}
	strict, ok := runtime.AsStrictDecodingError(d.err)
	if !ok {
		return nil, false
	}
	return strict.Errors(), true
}

// LoadFor loads a policy and holds it against the version of the API server that
// is going to read it, more strictly than [LoadStartable].
func LoadFor(file string, data []byte, v Version) (*Policy, error) {
	p, err := Load(file, data)
	if err != nil {
		return nil, err
	}
	return p, p.CheckTarget(v)
}

// RecordsNothing says so of a policy.
func RecordsNothing(file string) string { return file + ": this policy records nothing at all" }

// Count is a number of rules in words.
func Count(rules int) string {
	if rules == 1 {
		return "1 rule"
	}
	return fmt.Sprintf("%d rules", rules)
}
