package expect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy/explain"
	"auditpatch/internal/spelling"
)

// File is a file of expectations.
type File struct {
	Name  string
	Tests []Test
}

// Test are requests, and what is expected of each.
type Test struct {
	Name      string
	Line, Col int
	cases     []expected
}

// expected is one request of one user, with what is expected of it.
type expected struct {
	line, col int
	sent      explain.Sent
	anybody   bool // it is of a user whom no rule names; who that is, the policy says
	want      want
}

// want is what a test expects; the zero value of a field expects nothing.
type want struct {
	level    *levels
	stages   []audit.Stage
	anyStage bool // nothing is expected of the stages
	rule     *int
	contents string
}

// MaxSize is the largest file that Load reads, in bytes.
const MaxSize = 1 << 20

// maxCases bounds what lists of verbs, resources and users multiply to.
const maxCases = 100_000

// Load reads a file of expectations; name is for messages. The error is an *Error with
// all that is wrong.
func Load(name string, data []byte) (file *File, err error) {
	d := &decoder{file: &File{Name: name}, users: map[string]explain.Who{}}
	defer func() {
		// The YAML parser is made for files that their owner wrote.
		if trouble := recover(); trouble != nil {
			file, err = nil, &Error{name, []Finding{{1, 1, "the YAML parser failed on this text", ""}}}
		}
	}()
	root := d.parse(data)
	if root != nil {
		d.top(root)
	}
	if len(d.findings) > 0 {
		return nil, &Error{name, d.findings}
	}
	return d.file, nil
}

// Error says why a file of expectations is refused.
type Error struct {
	File     string
	Findings []Finding // at least one
}

// Finding is one fault. Line and Col count from 1.
type Finding struct {
	Line, Col     int
	Message, Hint string
}

// Error is the first finding, and how many there are more.
func (e *Error) Error() string {
	f := e.Findings[0]
	text := fmt.Sprintf("%s:%d:%d: %s", e.File, f.Line, f.Col, f.Message)
	if more := len(e.Findings) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Remedy is the first finding's hint.
func (e *Error) Remedy() hint.Hint {
	if words := e.Findings[0].Hint; words != "" {
		return hint.Words("%s", words)
	}
	return nil
}

// decoder reads the tree of a file.
type decoder struct {
	file     *File
	users    map[string]explain.Who
	cases    int
	findings []Finding
}

func (d *decoder) fault(n *yaml.Node, hint, format string, a ...any) {
	line, col := 1, 1
	if n != nil {
		line, col = max(n.Line, 1), max(n.Column, 1)
	}
	d.findings = append(d.findings, Finding{line, col, fmt.Sprintf(format, a...), hint})
}

// parse wants one document.
func (d *decoder) parse(data []byte) *yaml.Node {
	const example = "tests: [{requests: [kubectl get secrets -A], level: Metadata}]"
	if len(data) > MaxSize {
		d.fault(nil, "", "the file is larger than %d KiB", MaxSize>>10)
		return nil
	}
	stream := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := stream.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			d.fault(nil, example, "the file is empty")
			return nil
		}
		d.syntax(err)
		return nil
	}
	if err := stream.Decode(&next); err == nil {
		d.fault(next.Content[0], "put all tests into one document", "a second document follows")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	return doc.Content[0]
}

// syntax places what the YAML parser says.
func (d *decoder) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	at := &yaml.Node{Line: 1, Column: 1}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, message, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			at.Line, text = line, message
		}
	}
	d.fault(at, "", "it is no YAML: %s", text)
}

// follow is what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for range 10 {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			return n
		}
		n = n.Alias
	}
	return n
}

// field reads the value of a key.
type field struct {
	name string
	read func(*yaml.Node)
}

// fields reads a mapping with these keys and no others.
func (d *decoder) fields(n *yaml.Node, what string, known ...field) {
	var names []string
	for _, f := range known {
		names = append(names, f.name)
	}
	d.pairs(n, what, func(key, value *yaml.Node) {
		i := slices.IndexFunc(known, func(f field) bool { return f.name == key.Value })
		if i < 0 {
			hint := "there are " + strings.Join(names, ", ")
			if best := spelling.Nearest(key.Value, names); best != "" {
				hint = fmt.Sprintf("write %q", best)
			}
			d.fault(key, hint, "unknown field %q in %s", key.Value, what)
			return
		}
		known[i].read(value)
	})
}

// pairs calls each for the entries of a mapping, once for each key.
func (d *decoder) pairs(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	m := follow(n)
	if m.Kind != yaml.MappingNode {
		d.fault(n, "", "%s: it has to be a mapping of names to values", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		if seen[key.Value] && key.Kind == yaml.ScalarNode {
			d.fault(key, fmt.Sprintf("remove one %q", key.Value), "key %q stands twice in %s", key.Value, what)
			continue
		}
		seen[key.Value] = true
		each(key, m.Content[i+1])
	}
}

// items are the items of a list; what is no list is one item.
func items(n *yaml.Node) []*yaml.Node {
	if m := follow(n); m.Kind == yaml.SequenceNode {
		return m.Content
	}
	return []*yaml.Node{n}
}

// word is a text that is not empty.
func (d *decoder) word(n *yaml.Node, what string) string {
	before := len(d.findings)
	text := strings.TrimSpace(d.text(n, what))
	if text == "" && len(d.findings) == before {
		d.fault(n, "", "%s: it is empty", what)
	}
	return text
}

// text is a scalar, which may be empty.
func (d *decoder) text(n *yaml.Node, what string) string {
	m := follow(n)
	if m.Kind != yaml.ScalarNode || m.Tag == yaml.NodeTagNull {
		d.fault(n, "", "%s: it has to be a text", what)
		return ""
	}
	return m.Value
}

// texts is a list of texts that may be empty each; the list may not.
func (d *decoder) texts(n *yaml.Node, what string) (out []string) {
	for _, i := range d.some(n, what) {
		out = append(out, d.text(i, what))
	}
	return out
}

// some are the items of a list that is not empty.
func (d *decoder) some(n *yaml.Node, what string) []*yaml.Node {
	list := items(n)
	if len(list) == 0 {
		d.fault(n, "", "%s: the list is empty", what)
	}
	return list
}

// top reads users before tests, wherever they stand.
func (d *decoder) top(n *yaml.Node) {
	var users, tests *yaml.Node
	d.fields(n, "the file", field{"users", func(n *yaml.Node) { users = n }}, field{"tests", func(n *yaml.Node) { tests = n }})
	if users != nil {
		d.pairs(users, "users", d.user)
	}
	if tests == nil {
		d.fault(n, "tests: [{requests: [kubectl get secrets -A], level: Metadata}]", "there are no tests")
		return
	}
	m := follow(tests)
	if m.Kind != yaml.SequenceNode || len(m.Content) == 0 {
		d.fault(tests, "begin each test with a dash", "tests: it has to be a list of tests")
		return
	}
	for i, item := range m.Content {
		d.test(i, item)
	}
}

// Users that need not be declared.
const (
	anonymous   = "anonymous"
	failedLogin = "failed-login"
)

func (d *decoder) user(key, value *yaml.Node) {
	who, at := explain.Who{User: key.Value}, key
	if m := follow(value); m.Kind != yaml.ScalarNode || m.Tag != yaml.NodeTagNull {
		d.fields(value, "user "+key.Value,
			field{"name", func(n *yaml.Node) { who.User, at = d.word(n, "name"), n }},
			field{"groups", func(n *yaml.Node) { who.Groups = d.groups(n) }})
	}
	if key.Value == anonymous || key.Value == failedLogin {
		d.fault(key, "take another name", "user %q is there already", key.Value)
	}
	if explain.IsGroup(who.User) {
		d.fault(at, fmt.Sprintf("users: {bob: {groups: [%q]}}", who.User), "user %q: it is a group", who.User)
	}
	d.users[key.Value] = who
}

// groups may be none.
func (d *decoder) groups(n *yaml.Node) (out []string) {
	for _, i := range items(n) {
		out = append(out, d.word(i, "groups"))
	}
	return out
}

// who is the user with a short name, or one of the system by the whole name. One that
// is neither is refused: a name that nobody has is in no rule, and passes for any other.
func (d *decoder) who(n *yaml.Node) explain.Who {
	name := d.word(n, "as")
	if who, ok := d.users[name]; ok {
		return who
	}
	switch {
	case name == anonymous:
		return explain.Who{User: "system:anonymous"}
	case name == failedLogin:
		return explain.Who{}
	case explain.IsSystemUser(name):
		return explain.Who{User: name}
	case name == "":
		return explain.Who{} // said already
	case explain.IsGroup(name):
		d.fault(n, fmt.Sprintf("users: {bob: {groups: [%q]}}, and as: bob", name), "user %q: it is a group", name)
		return explain.Who{}
	}
	known := append([]string{anonymous, failedLogin}, explain.SystemUsers...)
	for user := range d.users {
		known = append(known, user)
	}
	slices.Sort(known)
	hint := fmt.Sprintf("users: {%q: {groups: []}}", name)
	if best := spelling.Nearest(name, known); best != "" {
		hint = fmt.Sprintf("write %q, or declare it in users", best)
	}
	d.fault(n, hint, "user %q is not in users", name)
	return explain.Who{}
}
