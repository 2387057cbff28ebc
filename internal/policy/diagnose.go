package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/lazyregexp"
)

// wontStart is the consequence of each fault that kube-apiserver refuses.
const wontStart = "kube-apiserver would not start"

// explainer turns what the API server says into findings with positions. It
// judges nothing: it looks only at what was refused.
//
// Some faults hide others, for the decoder stops at the first value of a wrong
// type and knows no field of an unknown version. Such a fault is mended in a
// second tree, and the mended text is decoded again.
type explainer struct {
	src      *source
	mended   *yaml.Node // the second tree; never the one that positions come from
	findings []Finding
	done     map[string]bool // paths of fields that have a finding
}

// maxRounds bounds how often a text is mended; one round mends all values of
// one field.
const maxRounds = 20

// explain lists what is wrong with the text; nothing when the API server
// accepted it and it is one document.
func explain(src *source, refusal error) []Finding {
	e := &explainer{src: src, done: map[string]bool{}}
	e.documents(refusal)
	if refusal == nil {
		return e.findings
	}
	e.mended = parse(src.data).root
	text := src.data
	for range maxRounds {
		d := decode(text)
		strict, ok := d.strictErrors()
		if ok && d.version == auditv1.SchemeGroupVersion {
			e.strict(strict)
			e.invalid(d.spec)
			break
		}
		if !e.mend(d.err) {
			break
		}
		text = e.mendedText()
	}
	if len(e.findings) == 0 {
		e.add("", src.root, "", firstLine(refusal.Error())+": "+wontStart, "")
	}
	return e.findings
}

// add notes a finding at a node, one for each field.
func (e *explainer) add(kind Kind, at *yaml.Node, path, message, hint string) {
	if e.done[path] {
		return
	}
	e.done[path] = path != ""
	line, col := position(at)
	e.findings = append(e.findings, Finding{Line: line, Col: col, Field: path, Message: message, Hint: hint, Kind: kind})
}

// full reports whether there is enough to say; files with more faults than that
// are not worth the time that the search for all of them takes.
func (e *explainer) full() bool { return len(e.findings) >= maxFindings }

// documents looks for content that kube-apiserver never reads.
func (e *explainer) documents(refusal error) {
	switch next := e.src.next; {
	case next != nil && isNull(e.src.root):
		e.add(SecondDocument, next, "", "the policy is in the second YAML document: kube-apiserver reads only the first, which is empty",
			`remove the first "---"`)
	case next != nil:
		e.add(SecondDocument, next, "", "a second YAML document begins here: kube-apiserver reads only the first one",
			`put its rules under the "rules" of the first document and remove "---"`)
	case e.src.err != nil && (e.src.root != nil || refusal == nil && goesOn(e.src.data)):
		line, col, problem := locateSyntax(e.src)
		e.findings = append(e.findings, Finding{Line: line, Col: col, Kind: SecondDocument,
			Message: "text after the first YAML document: kube-apiserver does not read it, and it is not YAML: " + problem,
			Hint:    "remove it"})
	}
}

// mendedText is the mended tree as text. The document mark in front keeps the
// API server from taking a flow mapping for JSON.
func (e *explainer) mendedText() []byte {
	out, err := yaml.Marshal(e.mended)
	if err != nil {
		return e.src.data
	}
	return append([]byte("---\n"), out...)
}

// mend explains why the text was refused as a whole, and reports whether it has
// mended that, so that another look can show more.
func (e *explainer) mend(err error) bool {
	root := e.src.root
	var wrongType *json.UnmarshalTypeError
	switch {
	case root == nil && e.src.err != nil && !isReadable(e.src.data):
		e.syntax()
	case root == nil && errors.As(err, &wrongType):
		return e.wrongType(wrongType)
	case root == nil && e.src.err != nil:
		e.unread(err) // the tree's parser cannot read it, but the API server's can
	case isNull(root):
		e.empty()
	case root.Kind != yaml.MappingNode:
		e.add(NotPolicy, root, "", fmt.Sprintf("the file is a %s, not a mapping: %s", kindOf(root), wontStart), typeVersion)
	case e.otherKind():
	case e.otherVersion():
		return true
	case errors.As(err, &wrongType):
		return e.wrongType(wrongType)
	case utilyaml.IsJSONBuffer(e.src.data) && !json.Valid(e.src.data):
		return e.notJSON()
	case err != nil:
		e.unread(err)
	}
	return false
}

// typeVersion is the hint for a file that lacks its first line.
const typeVersion = `write "apiVersion: audit.k8s.io/v1"`

func (e *explainer) empty() {
	if e.src.next != nil {
		return // the policy is further down, and there is a finding for that
	}
	what := "the file is empty"
	if strings.Contains(string(e.src.data), "#") {
		what = "the file has comments and nothing else"
	}
	e.add(NotPolicy, nil, "", what+": "+wontStart, typeVersion+`, "kind: Policy" and "rules:"`)
}

// otherKind explains a wrong kind. Nothing is mended, for the other fields are
// not those of a policy.
func (e *explainer) otherKind() bool {
	kind, ok := e.field("kind")
	if !ok || kind.value.Value == "Policy" {
		return false
	}
	hint := `write "kind: Policy"`
	if data, ok := e.field("data"); ok && kind.text() == "ConfigMap" {
		hint = `write what stands under "data" into a file of its own`
		if fields := data.value.Content; data.value.Kind == yaml.MappingNode && len(fields) > 0 {
			hint = fmt.Sprintf("write what stands under %q into a file of its own", fields[0].Value)
		}
	}
	e.add(NotPolicy, kind.node(), "kind", fmt.Sprintf("kind %q is not Policy: %s", kind.text(), wontStart), hint)
	return true
}

// otherVersion explains a wrong apiVersion, and mends it.
func (e *explainer) otherVersion() bool {
	version, ok := e.field("apiVersion")
	value := version.text()
	if e.done["apiVersion"] || value == auditv1.SchemeGroupVersion.String() {
		return false
	}
	message, hint := fmt.Sprintf("apiVersion %q is not that of an audit policy", value), typeVersion
	switch {
	case ok && (version.value.Kind == yaml.MappingNode || strings.Contains(value, "{{")):
		message, hint = "apiVersion is left to a template", "render the template first"
	case !ok:
		message = "apiVersion is missing"
	case strings.HasPrefix(value, "audit.k8s.io/v1alpha"), strings.HasPrefix(value, "audit.k8s.io/v1beta"):
		message = fmt.Sprintf("apiVersion %q is gone since Kubernetes 1.24", value)
	}
	at := e.src.root
	if ok {
		at = version.node()
	}
	e.add(NotPolicy, at, "apiVersion", message+": "+wontStart, hint)
	setField(e.mended, "apiVersion", auditv1.SchemeGroupVersion.String())
	return true
}

// field is a field at the top of the file.
func (e *explainer) field(name string) (s spot, ok bool) {
	if spots := find(e.src.root, name); len(spots) > 0 {
		s = spots[0]
		s.value = follow(s.value)
	}
	return s, s.value != nil
}

// setField gives a field at the top of the tree a new value.
func setField(root *yaml.Node, name, value string) {
	if root == nil || root.Kind != yaml.MappingNode {
		return
	}
	scalar := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: value}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == name {
			root.Content[i+1] = scalar
			return
		}
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: name}
	root.Content = append(root.Content, key, scalar)
}

// unread is for all other refusals of the decoder, in its own words.
func (e *explainer) unread(err error) {
	problem := strings.TrimPrefix(firstLine(err.Error()), "yaml: ")
	at := e.src.root
	var date *time.ParseError
	switch anchor := quoted(problem); {
	case errors.As(err, &date):
		at = search(at, func(n *yaml.Node) bool { return n.Value == date.Value })
	case strings.Contains(problem, "anchor"):
		at = search(at, func(n *yaml.Node) bool { return n.Anchor == anchor })
	case strings.HasPrefix(problem, "invalid map key"):
		at, problem = search(at, hasOddKey), "a list or a mapping stands in place of a key"
	}
	e.add(NotYAML, at, "", problem+": "+wontStart, "")
}

// search returns the first node in the tree that the test is for, or else the root.
func search(root *yaml.Node, is func(*yaml.Node) bool) *yaml.Node {
	found := root
	var look func(n *yaml.Node) bool
	look = func(n *yaml.Node) bool {
		if is(n) {
			found = n
			return true
		}
		return slices.ContainsFunc(n.Content, look)
	}
	if root != nil {
		look(root)
	}
	return found
}

// hasOddKey reports whether the node is a mapping with a key that is no scalar.
func hasOddKey(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := follow(n.Content[i]); key == nil || key.Kind != yaml.ScalarNode {
			return true
		}
	}
	return false
}

// quoted is the first part of the text in single quotes.
func quoted(text string) string {
	_, rest, _ := strings.Cut(text, "'")
	name, _, ok := strings.Cut(rest, "'")
	if !ok {
		return ""
	}
	return name
}

// taggedValue is quoted by the parsers when it is not what its tag says; a text that is
// no policy may hold a token there.
var taggedValue = lazyregexp.New("(?s)cannot decode (!!\\w+) `.*` as a")

// firstLine is what a parser says, without the value that it quotes.
func firstLine(text string) string {
	line, _, _ := strings.Cut(taggedValue().ReplaceAllString(text, "cannot decode a $1 as a"), "\n")
	return line
}
