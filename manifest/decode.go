package manifest

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/lazyregexp"
)

// decode reads the text as the kubelet does, which ignores unknown fields, and
// parses it for positions.
func (f *File) decode() *Error {
	docs, err := f.readText()
	if err != nil {
		if at := placeholder(f.body); at != nil {
			return at
		}
		return err
	}
	root, err := rootOf(docs)
	if err == nil {
		err = checkKind(f.json, root)
	}
	if err == nil {
		err = checkRest(docs)
	}
	if err != nil {
		return err
	}
	f.doc, f.pod = &document{text: newText(f.body), root: root}, &corev1.Pod{}
	strict, e := kjson.UnmarshalStrict(f.json, f.pod)
	if e != nil {
		return typeError(root, e)
	}
	for _, e := range strict {
		f.unknown = append(f.unknown, e.Error())
	}
	return nil
}

// readText brings the text into JSON and into nodes.
func (f *File) readText() ([]*yaml.Node, *Error) {
	j := f.beginJSON()
	docs, e := documents(f.body)
	if err := checkJSON(f.src, e == nil); err != nil {
		return nil, err
	}
	if e != nil {
		err := yamlError(f.body, e, func(src []byte) error { _, err := documents(src); return err })
		if utilyaml.IsJSONBuffer(f.src) {
			err.Reason = strings.Replace(err.Reason, "broken YAML", "this JSON is not valid YAML, so it cannot be edited", 1)
		}
		return nil, err
	}
	if err := checkExpansion(docs); err != nil {
		return nil, err
	}
	if f.json, e = j(); e != nil {
		return nil, yamlError(f.body, e, func(src []byte) error { _, err := toJSON(src); return err })
	}
	return docs, nil
}

// beginJSON starts toJSON in parallel with the other parser; what it returns gives the result.
// Where there may be aliases it waits until it is known how much they repeat.
func (f *File) beginJSON() func() ([]byte, error) {
	if bytes.IndexByte(f.body, '*') >= 0 {
		return func() ([]byte, error) { return toJSON(f.src) }
	}
	var j []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		j, err = toJSON(f.src)
	}()
	return func() ([]byte, error) { <-done; return j, err }
}

// toJSON is the kubelet's first step: a text that begins with "{" is JSON, any
// other is YAML, of which only the first document counts. The parser panics on
// a few inputs that are not YAML; that is an error here like any other.
func toJSON(src []byte) (j []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser failed: %v", r)
		}
	}()
	return utilyaml.ToJSON(src)
}

// checkJSON refuses what the kubelet takes for JSON and cannot read.
// flowStyle tells that it could be read as YAML.
func checkJSON(src []byte, flowStyle bool) *Error {
	if !utilyaml.IsJSONBuffer(src) {
		return nil
	}
	var v any
	e := kjson.UnmarshalCaseSensitivePreserveInts(src, &v)
	if e == nil {
		return nil
	}
	msg := strings.TrimPrefix(e.Error(), "json: ")
	err := refuse(1, 1, "broken JSON: %s", msg)
	if ok, off := kjson.SyntaxErrorOffset(e); ok {
		err = refuseAt(src, max(int(off)-1, 0), "broken JSON: %s", msg)
	}
	if flowStyle {
		err.Reason = "the kubelet reads a file that begins with \"{\" for JSON, and this is not JSON: " + msg
		return err.hint("put a line \"---\" in front of it to have it read as YAML")
	}
	return err
}

// decodeTree reads JSON into maps, lists, strings, bools and numbers as the
// kubelet does.
func decodeTree(j []byte) (map[string]any, error) {
	var tree map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(j, &tree); err != nil {
		return nil, err
	}
	return tree, nil
}

// checkKind refuses what is not a Pod.
func checkKind(j []byte, root *yaml.Node) *Error {
	tree, e := decodeTree(j)
	kind, _ := tree["kind"].(string)
	version, _ := tree["apiVersion"].(string)
	if e == nil && kind == "Pod" && version == "v1" {
		return nil
	}
	at, what := root, "an object without a kind"
	if kind != "" {
		what = fmt.Sprintf("%q of %q", kind, version)
		if _, v := child(root, "kind"); v != nil {
			at = v
		}
	}
	return refuseNode(at, "this is %s, not a v1 Pod", what).
		hint("name the static pod manifest, usually /etc/kubernetes/manifests/kube-apiserver.yaml")
}

// typeError turns "cannot unmarshal number into Go struct field
// Container.spec.containers.command of type string" into a position.
func typeError(root *yaml.Node, e error) *Error {
	msg := strings.TrimPrefix(e.Error(), "json: ")
	var got, field, want string
	if _, err := fmt.Sscanf(msg, "cannot unmarshal %s into Go struct field %s of type %s", &got, &field, &want); err != nil {
		return refuseNode(root, "the kubelet cannot read this as a Pod: %s", msg)
	}
	_, path, _ := strings.Cut(field, ".")
	at := findKind(root, strings.Split(path, "."), got)
	if at == nil {
		at = root
	}
	if word := template().FindString(at.Value); word != "" {
		return refusePlaceholder(at.Line, at.Column, word)
	}
	err := refuseNode(at, "the kubelet cannot read this as a Pod: %s is %s, not a %s", path, jsonKinds[got], want)
	if want == "string" && at.Kind == yaml.ScalarNode {
		return err.hint("put it in quotes: %s", doubleQuote(at.Value))
	}
	return err
}

// jsonKinds names the decoder's words for a reader.
var jsonKinds = map[string]string{"object": "a mapping", "array": "a list", "number": "a number", "string": "a string", "bool": "true or false"}

// findKind finds the first node at path that is of the kind that the decoder
// complained of. The path leaves out lists, and the keys of a map of strings.
func findKind(n *yaml.Node, path []string, kind string) *yaml.Node {
	n = dereference(n)
	switch {
	case len(path) == 0 && kindOf(n) == kind:
		return n
	case n.Kind == yaml.SequenceNode || n.Kind == yaml.MappingNode && len(path) == 0:
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				continue
			}
			if found := findKind(c, path, kind); found != nil {
				return found
			}
		}
	case n.Kind == yaml.MappingNode && len(path) > 0:
		if _, v := child(n, path[0]); v != nil {
			return findKind(v, path[1:], kind)
		}
	}
	return nil
}

// kindOf is the decoder's word for a node. The kubelet's parser is asked what
// a plain scalar is, since to it yes and 1_000 are no strings.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "object"
	case yaml.SequenceNode:
		return "array"
	}
	j, err := toJSON([]byte(n.Value))
	switch {
	case n.Style&^yaml.TaggedStyle != 0 || err != nil || len(j) == 0 || j[0] == '"':
		return "string"
	case j[0] == 't' || j[0] == 'f':
		return "bool"
	case j[0] == 'n':
		return "null"
	}
	return "number"
}

// rootOf is the mapping of the first document.
func rootOf(docs []*yaml.Node) (*yaml.Node, *Error) {
	if len(docs) == 0 || len(docs[0].Content) != 1 || docs[0].Content[0].Kind != yaml.MappingNode {
		return nil, refuse(1, 1, "this is not a mapping, so not a Pod")
	}
	return docs[0].Content[0], nil
}

// checkRest refuses all but empty documents behind the first.
func checkRest(docs []*yaml.Node) *Error {
	for _, n := range docs[1:] {
		if len(n.Content) > 0 && n.Content[0].Tag != "!!null" {
			return refuseNode(n.Content[0], "a second YAML document starts here: the kubelet reads only the first").
				hint("keep one Pod in the file and remove the rest")
		}
	}
	return nil
}

// documents are all YAML documents of a text. Every node is on a line that the
// text has.
func documents(src []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser failed: %v", r)
		}
	}()
	dec, t := yaml.NewDecoder(bytes.NewReader(src)), newText(src)
	line, col := t.position(len(src))
	for {
		n := &yaml.Node{}
		if err := dec.Decode(n); err == io.EOF {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		bringBack(n, line, col)
		docs = append(docs, n)
	}
}

// bringBack moves what the parser sees below the last line to the end of the
// text: the absent value of "? key" without a line break after it.
func bringBack(n *yaml.Node, line, col int) {
	if n.Line > line {
		n.Line, n.Column = line, col
	}
	for _, c := range n.Content {
		bringBack(c, line, col)
	}
}

// maxSearch bounds the text that yamlError searches, since it parses it again
// for each line, and maxParsed bounds what it parses in all.
const (
	maxSearch = 16 << 10
	maxParsed = 4 << 20
)

// anchorName is quoted by the YAML parser, and may be a password that begins with
// "*": the text may be of another file than was meant.
var anchorName = lazyregexp.New(`anchor '[^']*'`)

// taggedValue is quoted by the YAML parser too, when it is not what its tag says.
var taggedValue = lazyregexp.New("(?s)cannot decode (!!\\w+) `.*` as a")

// yamlError gives a parser's message a position. The parsers name the line on
// which the block or bracket began that they were in, sometimes one less; the
// fault is on the line that has to go, with all behind it, for the rest to
// parse. Of the two the later is right: inside brackets the rest never does.
func yamlError(src []byte, e error, parse func([]byte) error) *Error {
	msg := strings.TrimPrefix(e.Error(), "error converting YAML to JSON: ")
	msg = strings.Join(strings.Fields(strings.TrimPrefix(msg, "yaml: ")), " ")
	named := 1
	if _, err := fmt.Sscanf(msg, "line %d:", &named); err == nil {
		_, msg, _ = strings.Cut(msg, ": ")
	}
	t := newText(src)
	line, parsed := len(t.lines), 0
	for len(src) <= maxSearch && parsed <= maxParsed && line > named && parse(src[:t.lines[line-1]]) != nil {
		parsed += t.lines[line-1]
		line--
	}
	if len(src) > maxSearch || parsed > maxParsed || line < named {
		line = min(max(named, 1), len(t.lines))
	}
	spaces, _, _ := t.indent(line)
	return refuse(line, spaces+1, "broken YAML: %s", anchorName().ReplaceAllString(taggedValue().ReplaceAllString(msg, "cannot decode a $1 as a"), "anchor"))
}
