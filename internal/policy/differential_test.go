package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	yamlv2 "go.yaml.in/yaml/v2"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
	sigsyaml "sigs.k8s.io/yaml"
)

// The oracle of these tests shares no code with Load: unknown fields are found
// by walking the decoded content along the published types, a key that stands
// twice by another strict decoder, a second document by a decoder for streams.

// acceptable reports whether Load has to accept the text, and why not.
func acceptable(data []byte) (ok bool, reason string) {
	if _, err := auditpolicy.LoadPolicyFromBytes(data); err != nil {
		return false, "kube-apiserver: " + err.Error()
	}
	content := data
	if utilyaml.IsJSONBuffer(data) {
		if repeatsKey(json.NewDecoder(bytes.NewReader(data))) {
			return false, "key twice"
		}
	} else {
		if err := sigsyaml.UnmarshalStrict(data, &auditv1.Policy{}); err != nil {
			return false, "strict decoder: " + err.Error()
		}
		var err error
		if content, err = sigsyaml.YAMLToJSON(data); err != nil {
			return false, err.Error()
		}
	}
	var tree any
	if err := json.Unmarshal(content, &tree); err != nil {
		return false, err.Error()
	}
	if path, unknown := unknownField(tree, reflect.TypeFor[auditv1.Policy]()); unknown {
		return false, "unknown field " + path
	}
	if secondDocument(data) {
		return false, "second document"
	}
	return true, ""
}

// repeatsKey reads one JSON value and reports whether a key stands twice in one
// object.
func repeatsKey(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	repeats, keys := false, map[any]bool{}
	for open, ok := token.(json.Delim); ok && d.More(); {
		if open == '{' {
			key, _ := d.Token()
			repeats, keys[key] = repeats || keys[key], true
		}
		repeats = repeatsKey(d) || repeats
	}
	if _, ok := token.(json.Delim); ok {
		_, _ = d.Token() // the closing bracket; broken text is for others to tell
	}
	return repeats
}

// unknownField is the path of a field that the type does not have; the strict
// decoder of sigs.k8s.io/yaml would let one pass that differs in case only. A
// key may be empty, so the path does not say whether there is one.
func unknownField(tree any, t reflect.Type) (path string, unknown bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if _, custom := reflect.New(t).Interface().(json.Unmarshaler); custom {
		return "", false
	}
	switch value := tree.(type) {
	case []any:
		for _, v := range value {
			if path, unknown := unknownField(v, t.Elem()); unknown {
				return "[]." + path, true
			}
		}
	case map[string]any:
		for name, v := range value {
			sub := t
			if t.Kind() == reflect.Struct {
				f, ok := jsonField(t, name)
				if !ok {
					return name, true
				}
				sub = f
			} else {
				sub = t.Elem()
			}
			if path, unknown := unknownField(v, sub); unknown {
				return name + "." + path, true
			}
		}
	}
	return "", false
}

func jsonField(t reflect.Type, name string) (reflect.Type, bool) {
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			if inner, ok := jsonField(f.Type, name); ok {
				return inner, true
			}
		} else if tag == name {
			return f.Type, true
		}
	}
	return nil, false
}

func secondDocument(data []byte) bool {
	if utilyaml.IsJSONBuffer(data) {
		return false // the API server's JSON decoder refuses it
	}
	d := yamlv2.NewDecoder(bytes.NewReader(data))
	for i := 0; ; i++ {
		var document any
		if err := d.Decode(&document); err != nil {
			return !errors.Is(err, io.EOF)
		}
		if i > 0 && document != nil {
			return true
		}
	}
}

// check compares Load with the oracle on one text, and looks at what a refusal
// has to have.
func check(t *testing.T, data []byte) (accepted bool) {
	t.Helper()
	p, err := Load("p.yaml", data)
	want, reason := acceptable(data)
	if (err == nil) != want {
		t.Errorf("Load says %v, want accepted %t (%s)\n%q", err, want, reason, data)
	}
	if err == nil {
		if line, col := p.Position(p.Rules() - 1); line < 1 || col < 1 {
			t.Errorf("last rule at %d:%d", line, col)
		}
		return true
	}
	checkRefusal(t, data, err)
	return false
}

func checkRefusal(t *testing.T, data []byte, err error) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) || len(refusal.Findings) == 0 {
		t.Fatalf("no findings in %v", err)
	}
	// What ends a line in YAML besides the line feed.
	breaks := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + bytes.Count(data, []byte("\u0085")) +
		bytes.Count(data, []byte("\u2028")) + bytes.Count(data, []byte("\u2029"))
	last := Finding{}
	for _, f := range refusal.Findings {
		if f.Line < 1 || f.Col < 1 || f.Line > breaks+1 || f.Message == "" {
			t.Errorf("finding %+v of a text with %d lines\n%q", f, breaks+1, data)
		}
		if f.Line < last.Line || f.Line == last.Line && f.Col < last.Col {
			t.Errorf("finding %+v after %+v", f, last)
		}
		last = f
	}
}

// TestCorpus compares Load with the oracle on policies that other people wrote.
func TestCorpus(t *testing.T) {
	root := os.Getenv("AUDITPATCH_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	files, err := filepath.Glob(filepath.Join(root, "policies", "*"))
	if err != nil || len(files) == 0 {
		t.Skipf("no policies in %s; AUDITPATCH_CORPUS names another folder", root)
	}
	accepted, lines := 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			if check(t, data) {
				accepted++
				return
			}
			_, err := Load(filepath.Base(file), data)
			t.Log(err)
			var refusal *Error
			if errors.As(err, &refusal) && refusal.Findings[0].Line > 1 {
				lines++
			}
		})
	}
	t.Logf("%d policies: %d accepted, %d refused, %d of these at a line below the first",
		len(files), accepted, len(files)-accepted, lines)
}

// TestTables compares Load with the oracle on the texts of the other tests.
func TestTables(t *testing.T) {
	for _, tt := range acceptances {
		t.Run(tt.name, func(t *testing.T) { check(t, []byte(tt.in)) })
	}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) { check(t, []byte(tt.in)) })
	}
}

// TestMutants compares Load with the oracle on texts that differ a little from
// good and bad policies, as an editor would make them differ.
func TestMutants(t *testing.T) {
	good, bad := []string{head + rulesForEvaluation}, []string{}
	for _, tt := range acceptances {
		good = append(good, tt.in)
	}
	for _, tt := range refusals {
		bad = append(bad, tt.in)
	}
	random := rand.New(rand.NewPCG(3, 4))
	accepted, all := 0, 3000
	for range all {
		texts := good
		if random.IntN(2) == 0 {
			texts = bad
		}
		text := texts[random.IntN(len(texts))]
		for range 1 + random.IntN(3) {
			text = mutate(random, text)
		}
		if check(t, []byte(text)) {
			accepted++
		}
	}
	t.Logf("%d mutants: %d accepted", all, accepted)
}

// mutate changes one line or one character.
func mutate(random *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	i, j := random.IntN(len(lines)), random.IntN(len(lines))
	line := lines[i]
	at := random.IntN(len(line) + 1)
	switch random.IntN(9) {
	case 0:
		lines[i] = ""
	case 1:
		lines[i] += line
	case 2:
		lines[i], lines[j] = lines[j], lines[i]
	case 3:
		lines[i] = " " + line
	case 4:
		lines[i] = strings.TrimPrefix(line, " ")
	case 5:
		lines[i] = line[:at] + strings.ToUpper(line[at:])
	case 6:
		lines[i] = line[:at] + line[min(at+1, len(line)):]
	case 7:
		const signs = "[]{}:,*&!|>'\"-#?%@\t \r\n"
		lines[i] = line[:at] + signs[random.IntN(len(signs)):][:1] + line[at:]
	case 8:
		lines[i] = []string{"---\n", "...\n", "# note\n", "rules:\n", "- level: None\n", "  verbs: [get]\n"}[random.IntN(6)] + line
	}
	return strings.Join(lines, "")
}

// FuzzLoad states what holds for every text: Load does not panic, accepts what
// the oracle accepts and nothing else, and gives each refusal a position.
func FuzzLoad(f *testing.F) {
	for _, tt := range refusals {
		f.Add([]byte(tt.in))
	}
	for _, tt := range acceptances {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 10_000 {
			t.Skip("the limits on size are no concern of the API server")
		}
		check(t, data)
	})
}
