package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fields is an object as encoding/json reads it.
type fields map[string]json.RawMessage

// reference reads an event with encoding/json, and says whether it is one.
func reference(line []byte) (Event, bool) {
	var m fields
	if !bytes.HasPrefix(trim(line), []byte("{")) || json.Unmarshal(line, &m) != nil {
		return Event{}, false
	}
	kind, hasKind := m.str("kind")
	version, hasVersion := m.str("apiVersion")
	versionOK := strings.HasPrefix(string(version), "audit.k8s.io/")
	e := Event{JSON: trim(line)}
	e.Level, _ = m.str("level")
	e.AuditID, _ = m.str("auditID")
	e.Stage, _ = m.str("stage")
	e.Verb, _ = m.str("verb")
	if hasKind && string(kind) != "Event" || hasVersion && !versionOK {
		return Event{}, false
	}
	if (!hasKind || !hasVersion) && (len(e.AuditID) == 0 || len(e.Stage) == 0 && len(e.Verb) == 0) {
		return Event{}, false
	}
	e.RequestURI, _ = m.str("requestURI")
	e.UserAgent, _ = m.str("userAgent")
	e.SourceIPs = m.list("sourceIPs")
	e.User, e.Impersonated = m.subject("user"), m.subject("impersonatedUser")
	if o := m.object("objectRef"); o != nil {
		e.Object.Has = true
		for name, to := range map[string]*[]byte{
			"resource": &e.Object.Resource, "namespace": &e.Object.Namespace, "name": &e.Object.Name, "uid": &e.Object.UID, "apiGroup": &e.Object.APIGroup,
			"apiVersion": &e.Object.APIVersion, "subresource": &e.Object.Subresource, "resourceVersion": &e.Object.Version,
		} {
			*to, _ = o.str(name)
		}
	}
	if r := m.object("responseStatus"); r != nil {
		e.Response.Has = true
		var f float64
		if json.Unmarshal(r["code"], &f) == nil && f == float64(int32(f)) {
			e.Response.Code = int(f)
		}
		e.Response.Status, _ = r.str("status")
		e.Response.Reason, _ = r.str("reason")
		e.Response.Message, _ = r.str("message")
	}
	e.Received, e.Stamp = m.time("requestReceivedTimestamp"), m.time("stageTimestamp")
	a := m.object("annotations")
	e.Authorization.Decision, _ = a.str("authorization.k8s.io/decision")
	e.Authorization.Reason, _ = a.str("authorization.k8s.io/reason")
	e.RequestObject, e.ResponseObject = m.any("requestObject"), m.any("responseObject")
	return e, true
}

func (m fields) any(name string) []byte {
	if v := m[name]; string(v) != "null" {
		return v
	}
	return nil
}

func (m fields) str(name string) ([]byte, bool) {
	var s *string
	if json.Unmarshal(m[name], &s) != nil || s == nil {
		return nil, false
	}
	return []byte(*s), true
}

func (m fields) list(name string) []byte {
	if v := m[name]; bytes.HasPrefix(v, []byte("[")) {
		return v
	}
	return nil
}

func (m fields) object(name string) fields {
	if v := m[name]; bytes.HasPrefix(v, []byte("{")) {
		var o fields
		if json.Unmarshal(v, &o) == nil {
			return o
		}
	}
	return nil
}

func (m fields) subject(name string) (s Subject) {
	if o := m.object(name); o != nil {
		s.Has = true
		s.Name, _ = o.str("username")
		s.UID, _ = o.str("uid")
		s.Groups = o.list("groups")
	}
	return s
}

func (m fields) time(name string) Time {
	s, _ := m.str(name)
	var t time.Time
	if t.UnmarshalText(s) != nil || t.IsZero() {
		return 0
	}
	return Time(t.UnixMicro())
}

// same compares two events without telling an empty text from an absent one.
func same(t *testing.T, got, want Event) {
	t.Helper()
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if name := g.Type().Field(i).Name; name != "buf" && name != "Odd" && name != "Note" && fmt.Sprintf("%q", g.Field(i).Interface()) != fmt.Sprintf("%q", w.Field(i).Interface()) {
			t.Errorf("%s: got %q, want %q of\n%s", name, g.Field(i).Interface(), w.Field(i).Interface(), got.JSON)
		}
	}
}

// check holds Parse and ParseStrict against encoding/json.
func check(t *testing.T, e *Event, line []byte) {
	t.Helper()
	want, ok := reference(line)
	err := e.ParseStrict(line, WantAll)
	if (err == nil) != ok {
		t.Fatalf("strict: got %v, want an event: %v, of\n%q", err, ok, line)
	}
	if ok {
		same(t, *e, want)
	}
	err = e.Parse(line, WantAll)
	if json.Valid(line) && (err == nil) != ok || err != nil && ok {
		t.Fatalf("got %v, want an event: %v, of\n%q", err, ok, line)
	}
	if ok {
		same(t, *e, want)
	}
	if got := Valid(line); got != json.Valid(line) {
		t.Fatalf("valid: %v of\n%q", got, line)
	}
	// What was wanted does not depend on what else was.
	for want := WantLevel; ok && want < WantAll; want <<= 1 {
		var one Event
		if err := one.Parse(line, want); err != nil {
			t.Fatalf("only %b: %v of\n%q", want, err, line)
		}
		for i := range reflect.ValueOf(one).NumField() {
			a, b := reflect.ValueOf(one).Field(i), reflect.ValueOf(*e).Field(i)
			if name := reflect.TypeFor[Event]().Field(i).Name; name != "buf" && !a.IsZero() && fmt.Sprintf("%q", a.Interface()) != fmt.Sprintf("%q", b.Interface()) {
				t.Errorf("only %b: %s is %q, and else %q", want, name, a.Interface(), b.Interface())
			}
		}
	}
}

const whole = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"7c1e0f3a","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods/a?x=1\u00262","verb":"delete","user":{"username":"jane","uid":"u","groups":["a","b"],"extra":{"verb":["x"]}},"impersonatedUser":{"username":"bob","groups":[]},"sourceIPs":["10.0.0.1","::1"],"userAgent":"kubectl/v1.31 (linux/amd64)","objectRef":{"resource":"pods","namespace":"web","name":"a","uid":"1","apiGroup":"apps","apiVersion":"v1","subresource":"exec","resourceVersion":"12"},"responseStatus":{"metadata":{},"status":"Failure","message":"no \"a\"","reason":"NotFound","code":404},"requestObject":{"verb":"get","a":"}\\\"{","b":[[{}]]},"responseObject":{"kind":"Status"},"requestReceivedTimestamp":"2026-11-22T11:20:04.123456Z","stageTimestamp":"2026-11-22T11:20:04.223456Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by \"x\""}}`

// odd are lines that a fast reader may trip over.
var odd = []string{
	whole,
	"", " ", "{", "}", "{}", "[]", "null", `"x"`, "{ }", `{"kind":"Event"}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`,
	`{"kind":"Event","apiVersion":"v1","auditID":"a","verb":"get"}`, `{"kind":"Event","apiVersion":"audit.k8s.io"}`,
	`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}`, `{"auditID":"a","stage":"s"}`, `{"auditID":"a","verb":"s"}`, `{"auditID":"a"}`, `{"auditID":"","verb":"s"}`,
	`{"auditID":"a","verb":"x","verb":null}`, `{"auditID":"a","verb":5,"stage":[]}`, `{"auditID":"a","verb":"x","kind":5}`, `{"auditID":"a","verb":"x","kind":null}`,
	`{"auditID":"a","verb":"x","apiVersion":"v1"}`, `{"kind":"Pod","kind":"Event","apiVersion":"v1","apiVersion":"audit.k8s.io/v1beta1"}`,
	`{"Kind":"x","kind":"Event","APIVERSION":"x","apiVersion":"audit.k8s.io/v1","VERB":"x","Verb":"y"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","verb":"delete"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","\u0076erb":"delete"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","\u0076\u0065\u0072\u0062":"\u0064elete","level":"a\/b"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","user":{"username":"a","uid":"1"},"user":{"username":"b"}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","user":{"username":"a"},"user":null,"objectRef":{"name":"x"},"objectRef":[]}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","user":{"username":"a","username":7,"groups":{}},"responseStatus":{"code":"404"}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{"code":4.04e2}}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{"code":4.5}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{"code":-1}}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{"code":1e999}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{"code":99999999999}}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{"code":0404}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{"code":200,"code":null}}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","responseStatus":{}}`,
	" \t{ \"kind\" : \"Event\" , \"apiVersion\"\n:\r\n\"audit.k8s.io/v1\" , \"verb\" : \"get\" , \"user\" : { \"username\" : \"x\" , \"groups\" : [ ] } } \r\n",
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"\ud83d\ude00\ud83d \ude00\ud83d\ud83d\ude00"}`, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"verb\":\"\xff\xc3\u00e9\\n\"}",
	"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"verb\":\"\x01\"}", "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"x\":\"\x01\"}",
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"\q"}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"\u12"}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","x":"\u12"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","x":{]}}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","x":{"a"}}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","x":tru}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1" "verb":"x"}`, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","x":"\\","verb":"get","y":"\\\"","z":{"\\\\":"\\\"}"}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","x":` + strings.Repeat("[", 9998) + strings.Repeat("]", 9998) + `}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","x":` + strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000) + `}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","requestObject":null,"responseObject":5,"annotations":null,"sourceIPs":"x","stageTimestamp":"x"}`,
	whole[:len(whole)/2] + whole, whole + whole, "\ufeff" + whole, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":1e5,"level":-0.5E-7,"stage":true}`, "{\"a\":1\v}", whole + "\v",
}

func TestParse(t *testing.T) {
	t.Parallel()
	var e Event // one for all, as readers use it
	for _, line := range odd {
		check(t, &e, []byte(line))
	}
	for i := range whole { // cut off anywhere, and shifted against the words
		check(t, &e, []byte(whole[:i]))
		check(t, &e, []byte(whole[i:]))
		check(t, &e, []byte(`{"`+strings.Repeat("x", i%64)+`":{"`+strings.Repeat(`\`, i%7)+whole[i:]))
	}
	for i := range 200 {
		pad := strings.Repeat("x", i)
		check(t, &e, []byte(`{"a":{"b":"`+pad+`"},`+whole[1:]))
		check(t, &e, []byte(`{"a":["`+pad+`{\"",[`+strings.Repeat("[", i)+strings.Repeat("]", i)+`]],`+whole[1:]))
		check(t, &e, []byte(`{"verb":"`+strings.Repeat(`\\`, i)+`\"`+pad+`",`+strings.Replace(whole[1:], `"verb"`, `"verbs"`, 1)))
	}
}

// TestMutated changes events at random.
func TestMutated(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	lines := append(corpus(), []byte(whole))
	var e Event
	for range 6000 {
		check(t, &e, mutate(r, lines[r.IntN(len(lines))]))
	}
}

// mutate changes a few bytes: puts in, takes away, repeats and replaces.
func mutate(r *rand.Rand, line []byte) []byte {
	line = bytes.Clone(line)
	const telling = "\"\\{}[]:, \n\t\x00\x1f\xff09eE+-.u/nt"
	for range 1 + r.IntN(3) {
		i := r.IntN(len(line) + 1)
		k := min(len(line), i+r.IntN(20))
		switch c := telling[r.IntN(len(telling))]; r.IntN(5) {
		case 0:
			line = append(line[:i:i], append([]byte{c}, line[i:]...)...)
		case 1:
			line = append(line[:i:i], line[k:]...)
		case 2:
			line = append(line[:k:k], line[i:]...)
		case 3:
			if i < len(line) {
				line[i] = c
			}
		case 4:
			line = append(line[:i:i], append([]byte(`"verb":"x",`), line[i:]...)...)
		}
	}
	return line
}

// corpus are lines of other people's logs, none where there are no such files.
func corpus() (lines [][]byte) {
	names, _ := filepath.Glob("../../../../shared/corpus/events/*")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, line := range bytes.Split(text, []byte("\n")) {
			if len(line) > 0 {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	lines := corpus()
	if len(lines) == 0 {
		t.Skip("no logs of other people here")
	}
	var e Event
	events := 0
	for _, line := range lines {
		check(t, &e, line)
		if e.JSON != nil {
			events++
		}
	}
	t.Logf("%d events in %d lines", events, len(lines))
}

func TestTime(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"2026-11-22T11:20:04.123456Z", "2026-11-22T11:20:04Z", "2026-11-22T11:20:04.1Z", "2026-11-22T11:20:04.123456789Z", "2026-11-22T11:20:04.9999999999Z",
		"2026-11-22T11:20:04+01:00", "2026-11-22T11:20:04.5-23:59", "2026-11-22T11:20:04+24:00", "2026-11-22T11:20:04+00:60", "2026-11-22T11:20:04.Z", "2026-11-22T11:20:04,5Z",
		"2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2000-02-29T23:59:59Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-12-31T23:59:60Z", "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.5Z",
		"0000-01-01T00:00:00Z", "0000-03-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-22t11:20:04Z", "2026-11-22T11:20:04z", "2026-11-22 11:20:04Z", "2026-11-22T11:20:04", "", "x",
		"2026-11-22T1:20:04Z", "2026-11-22T11:20:04.123456Zx", "2026-1x-22T11:20:04.123456Z", "20x6-11-22T11:20:04Z", "2026-11-22T11:20:04+0100", "2026-11-22T11:20:04+01:0x",
	} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := parseTime([]byte(s)), (fields{"t": text}).time("t"); got != want {
			t.Errorf("%s: got %d, want %d", s, got, want)
		}
	}
	day := time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)
	for day.Year() < 0 {
		day = day.AddDate(0, 0, 1)
	}
	for ; day.Year() < 10000; day = day.AddDate(0, 0, 1) {
		if day.Year() == 1 && day.YearDay() == 1 {
			continue
		}
		if got, want := parseTime([]byte(day.Format(time.RFC3339))), Time(day.UnixMicro()); got != want {
			t.Fatalf("%s: got %d, want %d", day, got, want)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                      "it is no JSON object",
		"[]":                    "it is no JSON object",
		"{}":                    "it is no audit event",
		`{"a":"`:                "it is cut off",
		`{"a":tru`:              "it is cut off",
		`{"a":"\u12`:            "it is cut off",
		`{"a":1.`:               "it is cut off",
		`{"a":1]`:               "it is no JSON from its byte 7 on",
		whole[:700]:             "it is cut off",
		whole + "x":             fmt.Sprintf("it is no JSON from its byte %d on", len(whole)+1),
		"{\"verb\":\"\x01\"}":   "it is no JSON from its byte 10 on",
		`{"verb":"` + "\xff\"}": "it is no audit event",
	} {
		var e Event
		if err := e.Parse([]byte(line), WantAll); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
}

// TestAllocations keeps the usual case free of the collector, escapes included.
func TestAllocations(t *testing.T) {
	var e Event
	line := []byte(whole)
	if n := testing.AllocsPerRun(100, func() {
		if err := e.Parse(line, WantAll); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestOdd wants values of other types to be told, where they are wanted.
func TestOdd(t *testing.T) {
	t.Parallel()
	for part, odd := range map[string]bool{
		`"verb":5`: true, `"verb":null`: false, `"user":[]`: true, `"user":null`: false, `"user":{"groups":{}}`: true, `"user":{"groups":null}`: false,
		`"objectRef":"x"`: true, `"objectRef":{"name":1}`: true, `"objectRef":{"name":"a"}`: false, `"kind":7`: true, `"x":1`: false, `"responseStatus":5`: false,
	} {
		e := Event{Note: 7}
		line := `{"auditID":"a","stage":"x",` + part + `}`
		if err := e.Parse([]byte(line), WantAll&^WantResponse); err != nil || e.Odd != odd || e.Note != 7 {
			t.Errorf("%s: %v, %v, %v", line, err, e.Odd, e.Note)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range odd {
		if len(line) < 2000 {
			f.Add([]byte(line))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var e Event
		check(t, &e, line)
	})
}

func FuzzTime(f *testing.F) {
	f.Add("2026-11-22T11:20:04.123456Z")
	f.Add("2026-11-22T11:20:04+01:00")
	f.Fuzz(func(t *testing.T, s string) {
		var want Time
		var at time.Time
		if at.UnmarshalText([]byte(s)) == nil && !at.IsZero() {
			want = Time(at.UnixMicro())
		}
		if got := parseTime([]byte(s)); got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, want := range map[string]Fields{"nothing": 0, "user": WantUser, "all": WantAll, "failed": WantVerb | WantResponse | WantStamp} {
		b.Run(name, func(b *testing.B) {
			var e Event
			line := []byte(whole)
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if err := e.Parse(line, want); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("strict", func(b *testing.B) {
		var e Event
		line := []byte(whole)
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			if err := e.ParseStrict(line, WantUser); err != nil {
				b.Fatal(err)
			}
		}
	})
}
