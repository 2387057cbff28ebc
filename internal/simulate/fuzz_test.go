package simulate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/compose"
)

// FuzzSelf replays a log under the policy that recorded it: that is the log itself.
func FuzzSelf(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		d := newDice(seed)
		p := load(t, "self", d.rules())
		var requests []policy.Request
		for range 1 + d.IntN(60) {
			requests = append(requests, d.request())
		}
		lines := d.record(t, p, requests)
		i := 0
		r := Request{Logs: logOf(t, lines...), New: p, Current: p}
		r.Each = func(o Outcome) error {
			if i >= len(lines) {
				t.Fatalf("more events than the log has: %+v", o)
			}
			var e struct {
				AuditID string
				Stage   audit.Stage
				Level   audit.Level
			}
			if err := json.Unmarshal([]byte(lines[i]), &e); err != nil {
				t.Fatal(err)
			}
			want := Outcome{e.AuditID, e.Stage, o.Rule, o.Line, e.Level, true, int64(len(lines[i]) + 1), 0, false}
			if o != want {
				t.Fatalf("event %d is %+v, not %+v\n%s", i, o, want, lines[i])
			}
			i++
			return nil
		}
		each := run(t, r)
		if i != len(lines) {
			t.Fatalf("%d of %d events", i, len(lines))
		}
		r.Each = nil
		if all := run(t, r); all.New.All != each.New.All || all.New.All != all.Log.All || all.Current.All != all.Log.All || all.Otherwise != 0 {
			t.Fatalf("in parallel %+v, one after the other %+v, the log %+v, current %+v, %d otherwise", all.New.All, each.New.All, all.Log.All, all.Current.All, all.Otherwise)
		}
	})
}

// FuzzTrim lays proposed rules over a policy, and asks about requests, whether the log has
// them or not: what must not be hidden has the same decision as before.
func FuzzTrim(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, seed uint64, people bool) {
		d := newDice(seed)
		rules := d.rules()
		base := load(t, "base", rules)
		var requests []policy.Request
		for range 1 + d.IntN(200) {
			requests = append(requests, d.request())
		}
		lines := d.record(t, base, requests)
		if len(lines) == 0 {
			return
		}
		r := TrimRequest{Logs: logOf(t, lines...), Base: base, People: people, Source: sourceOf("base", rules)}
		found, err := Trim(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Rules) == 0 {
			return
		}
		out, proof, err := found.Compose(t.Context(), r)
		if err != nil {
			if strings.Contains(err.Error(), "nothing of base would be left") {
				return
			}
			t.Fatal(err)
		}
		if proof.Hidden != found.Saved.Events || proof.Hidden+proof.Same != found.Read.Events {
			t.Fatalf("%+v, but %d saved of %d", proof, found.Saved.Events, found.Read.Events)
		}
		p, err := policy.Load("trimmed", out.Text)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			q := d.request()
			was, is := base.Evaluate(q.Attributes()), p.Evaluate(q.Attributes())
			if Protected(q, people) != "" && (was.Level != is.Level || is.Rule != was.Rule+len(found.Rules) && is.Rule >= 0) {
				t.Fatalf("%+v is %s by the base and %s by the trimmed policy\n%s", q, was.Level, is.Level, out.Text)
			}
		}
	})
}

// FuzzMeasure compares what is measured of any JSON with what encoding/json reads.
func FuzzMeasure(f *testing.F) {
	f.Add(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"Panic","requestObject":{"a":"}\""}}`)
	f.Add(`{"a":[1,2,{"level":"x"}],"requestObject":null,"annotations":{"patch.webhook.admission.k8s.io/round_0":"{}"}}`)
	f.Add(`{"responseObject":{"metadata":{"managedFields":[1]},"items":[{"metadata":{"managedFields":[],"a":1}}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r := measure(text, true)
		var all map[string]json.RawMessage
		if strings.HasPrefix(strings.TrimSpace(text), compactHead) && compactAgain(text) != strings.TrimSpace(text) {
			return // no kube-apiserver has written this
		}
		if json.Unmarshal([]byte(text), &all) != nil || hasTwice(text) {
			return
		}
		for name, got := range map[string]int{"requestObject": r.request.length, "responseObject": r.response.length, "responseStatus": r.status} {
			want := 0
			if value, ok := all[name]; ok {
				want = len(name) + 4 + len(compactAgain(string(value)))
			}
			if got != want {
				t.Fatalf("%s takes %d, not %d: %q", name, got, want, text)
			}
		}
		if want := len(compactAgain(text)) + 1; r.length != want {
			t.Fatalf("length %d, not %d: %q", r.length, want, text)
		}
		if r.request.managed > r.request.length || r.response.managed > r.response.length {
			t.Fatalf("more managed fields than body: %+v, %q", r, text)
		}
	})
}

// compactAgain is a text without blanks.
func compactAgain(text string) string {
	var out bytes.Buffer
	if json.Compact(&out, []byte(text)) != nil {
		return text
	}
	return out.String()
}

// hasTwice tells whether a name occurs twice in an object, or is written with escapes.
func hasTwice(text string) bool {
	for _, name := range []string{"requestObject", "responseObject", "responseStatus"} {
		if strings.Count(text, `"`+name+`"`) > 1 {
			return true
		}
	}
	return strings.Contains(text, `\u`)
}

func sourceOf(name, rules string) compose.Source {
	return compose.Source{Name: name, Data: []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n" + rules)}
}
