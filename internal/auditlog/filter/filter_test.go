package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/hint"
	"auditpatch/internal/standin/auditevents"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// env knows a few of kubectl's names.
var env = Env{Now: now, Resource: func(word string) string {
	return map[string]string{"po": "pods", "pod": "pods", "deploy": "deployments", "Secret": "secrets"}[word]
}}

// given reads "--flag value" pairs; a flag without a value is a switch.
func given(t *testing.T, line string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	name := ""
	for word := range strings.FieldsSeq(line) {
		if flag, is := strings.CutPrefix(word, "--"); is {
			if name = flag; !slices.ContainsFunc(Flags(), func(f Flag) bool { return f.Name == name }) {
				t.Fatalf("there is no flag --%s", name)
			}
			if slices.ContainsFunc(Flags(), func(f Flag) bool { return f.Name == name && f.Switch }) {
				out[name] = []string{"true"}
			}
			continue
		}
		out[name] = append(out[name], strings.ReplaceAll(word, "_", " "))
	}
	return out
}

// TestFlags has each flag take the right events of the sample, by the number of their line.
func TestFlags(t *testing.T) {
	all := auditevents.Sample(t)
	for _, c := range []struct{ line, want string }{
		{"", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"},
		{"--all-stages", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"},
		{"--user alice", "1 2 9 12"},
		{"--user alice --user bob", "1 2 4 7 9 12"},
		{"--user system:*", "3 5 6 8 10 14"},
		{"--user !system:* --user !alice", "4 7 11 13 15"},
		{"--user system:* --user !system:serviceaccount:*", "3 8 14"},
		{"--user sa:prod:web", "5 6"},
		{"--user sa:*:web", "5 6"},
		{"--user !sa:*", "1 2 3 4 7 8 9 11 12 13 14 15"},
		{"--user system:serviceaccount:prod:web", "5 6"},
		{"--group system:masters", "11 13"},
		{"--group dev --group !system:masters", "1 2 4 7 9 12"},
		{"--impersonated bob", "11"},
		{"--impersonated *", "11"},
		{"--impersonated !* --user carol", "13"},
		{"--verb delete", "9 11 15"},
		{"--verb DELETE", "9 11 15"},
		{"--verb del*", "9 11 15"},
		{"--verb !get --verb !list --verb !watch", "4 7 9 10 11 12 13 15"},
		{"--resource pods", "1 2 3 9 10 15"},
		{"--resource po", "1 2 3 9 10 15"},
		{"--resource pods/exec", "4 7"},
		{"--resource pod/exec", "4 7"},
		{"--resource pods/*", "4 7"},
		{"--resource */exec", "4 7"},
		{"--resource pods --resource pods/*", "1 2 3 4 7 9 10 15"},
		{"--resource Secret", "5 6"},
		{"--resource deployments.apps/scale", "12"},
		{"--resource deploy/scale", "12"},
		{"--resource deploy", ""},
		{"--resource *.apps/*", "12"},
		{"--resource *.apps", ""},
		{"--resource *.rbac.authorization.k8s.io", "13"},
		{"--resource pods.", "1 2 3 9 10 15"},
		{"--resource pods.apps", ""},
		{"--resource *", "1 2 3 4 5 6 7 9 10 11 12 13 15"},
		{"--resource !*", "8 14"},
		{"--url /healthz", "14"},
		{"--url /healthz?verbose=true", "14"},
		{"--url /api*", "1 2 3 4 5 6 7 8 9 10 11 12 13 15"},
		{"--url /api", "8"},
		{"--namespace prod", "1 2 4 5 7 9 10 11 12"},
		{"--namespace !*", "3 6 8 13 14"},
		{"--namespace *", "1 2 4 5 7 9 10 11 12 15"},
		{"--name web-1", "2 4 7 9"},
		{"--name web*", "2 4 7 9 10 12 15"},
		{"--source-ip 10.0.0.7", "1 2 9 12"},
		{"--source-ip 10.244.0.0/16", "5 6"},
		{"--source-ip 198.51.100.0/24", "8"},
		{"--source-ip 10.0.0.1", "3 8 10"},
		{"--source-ip fd00::/8", "15"},
		{"--source-ip fd00:0::5", "15"},
		{"--source-ip ::ffff:10.0.0.8", "11 13"},
		{"--source-ip 10.0.0.*", "1 2 3 4 7 8 9 10 11 12 13 14"},
		{"--source-ip 10.0.0.0/8 --source-ip !10.0.0.0/24", "5 6"},
		{"--user-agent curl", "5 6"},
		{"--user-agent curl/8.5.0", "5 6"},
		{"--user-agent kube*", "1 2 3 4 7 9 10 11 12 13 14 15"},
		{"--user-agent !kube*", "5 6 8"},
		{"--since 2026-11-22T11:31:00Z", "14 15"},
		{"--since 2026-11-22_11:31", "14 15"},
		{"--since 30m", "13 14 15"},
		{"--since 0.5h", "13 14 15"},
		{"--since 2026-11-22T12:31:00+01:00", "14 15"},
		{"--since 2026-11-22", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"},
		{"--until 2026-11-22", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"},
		{"--until 2026-11-21", ""},
		{"--since 1d --until 2026-11-22T11:05:00Z", "1 2"},
		{"--code 403", "6 8 11"},
		{"--code 4xx", "6 8 11 13 15"},
		{"--code 404-499", "13 15"},
		{"--code !200", "4 6 7 8 10 11 13 15"},
		{"--code 1xx --code 201", "4 7 10"},
		{"--failed", "6 8 11 13 15"},
		{"--writes", "4 7 9 10 11 12 13 15"},
		{"--slow 1s", "7"},
		{"--slow 100ms", "7 9"},
		{"--decision forbid", "6 8 11"},
		{"--decision !allow", "6 8 11"},
		{"--reason NotFound", "15"},
		{"--reason *cluster-admin*", "13"},
		{"--stage ResponseStarted", "3 4"},
		{"--stage requestreceived", "16"},
		{"--level request", "12"},
		{"--audit-id 00000004*", "4 7"},
		{"--audit-id 00000010-0c1d-4e2f-8a3b-5c6d7e8f9a0b", "16"},
		{"--grep replicas", "10 12"},
		{"--grep replicas\":5", "12"},
		{"--grep \x1b]0;owned", "15"},
		{"--grep \"edit\"", "1 2 4 7 9 12 15"},
		{"--grep !kubectl --failed", "6 8"},
		{"--user alice --verb delete --namespace prod", "9"},
	} {
		f, err := New(given(t, c.line), env)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		var got []string
		for i, e := range all {
			if f.Match(e) {
				got = append(got, fmt.Sprint(i+1))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.line, strings.Join(got, " "), c.want)
		}
	}
}

// TestFields parses no more than the filter asks for: the answers have to be the same.
func TestFields(t *testing.T) {
	all := auditevents.Sample(t)
	for _, line := range []string{"--user alice", "--impersonated *", "--resource po", "--code 4xx", "--failed", "--writes", "--slow 1s", "--since 30m", "--reason *admin*",
		"--url /api", "--source-ip 10.0.0.7", "--user-agent curl", "--grep edit", "--level request", "--decision forbid", "--stage panic", "--namespace prod", "--group dev"} {
		f, err := New(given(t, line), env)
		if err != nil {
			t.Fatal(err)
		}
		for i, whole := range all {
			var e event.Event
			if err := e.Parse(whole.JSON, f.Fields()); err != nil {
				t.Fatal(err)
			}
			if got, want := f.Match(&e), f.Match(whole); got != want {
				t.Errorf("%s: event %d: %v, with all fields %v", line, i+1, got, want)
			}
		}
	}
}

// TestRefused has what cannot be meant end with something to type.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ line, want, hint string }{
		{"--stage ResponseComplet", `--stage "ResponseComplet": there are RequestReceived, ResponseStarted, ResponseComplete, Panic`, "--stage=ResponseComplete"},
		{"--level Requests", `--level "Requests": there are`, "--level=Request"},
		{"--decision deny", `--decision "deny": there are allow, forbid`, "--decision=allow"},
		{"--stage X*", `--stage "X*"`, "--stage="},
		{"--code 99", `--code "99": it is no HTTP status`, "--code=403, --code=4xx or --code=400-499"},
		{"--code 500-400", `it is no HTTP status`, "--code"},
		{"--code 6xx", `it is no HTTP status`, "--code"},
		{"--source-ip 10.0.0", `it is no address and no CIDR`, "--source-ip=10.0.0.7"},
		{"--source-ip 10.0.0.0/99", `it is no address and no CIDR`, "--source-ip"},
		{"--since tomorrow", `--since "tomorrow": it is no time`, "--since=2h"},
		{"--since 2026-13-01", `it is no time`, "--since"},
		{"--since 1h --since 2h", `it can be given once`, "--since"},
		{"--since !1h", `there is no ! for it`, "--since=1h"},
		{"--slow fast", `it is no time`, "--slow=1s"},
		{"--slow -1s", `it is no time`, "--slow=1s"},
		{"--resource /healthz", `it is a URL`, "--url=/healthz"},
		{"--url healthz", `begins with /`, "--url=/healthz"},
		// No event is left.
		{"--verb get --verb !get", `no event is left`, "--verb=get"},
		{"--verb get --verb !*", `no event is left`, "--verb=get"},
		{"--user alice* --user !a*", `no event is left`, "--user"},
		{"--code 403 --code !4xx", `no event is left`, "--code"},
		{"--source-ip 10.1.0.0/16 --source-ip !10.0.0.0/8", `no event is left`, "--source-ip"},
		{"--resource pods/exec --resource !*/exec", `no event is left`, "--resource"},
		{"--resource po --resource !*", `no event is left`, "--resource"},
		{"--since 1h --until 2h", `--since is not before --until`, "--since"},
		{"--writes --verb get", `--writes and --verb get: no event is left`, "--writes"},
		{"--failed --code 2xx", `--failed and --code 2xx: no event is left`, "--failed"},
	} {
		_, err := New(given(t, c.line), env)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(hint.Of(err).String(), c.hint) {
			t.Errorf("%s: %v, hint %s", c.line, err, hint.Of(err))
		}
	}
	for _, line := range []string{"--verb get --verb list --verb !get", "--code 4xx --code !403", "--resource pods --resource !pods/exec", "--user a* --user !alice",
		"--writes --verb get --verb delete", "--failed --code !403", "--since 2h --until 1h", "--resource pods --resource !pods.apps"} {
		if _, err := New(given(t, line), env); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestWarnings are about verbs that Kubernetes does not have, but a client may.
func TestWarnings(t *testing.T) {
	f, err := New(given(t, "--verb delte --verb propfind --verb get"), env)
	if err != nil {
		t.Fatal(err)
	}
	w := f.Warnings()
	if len(w) != 2 || hint.Of(w[0]).String() != "--verb=delete" {
		t.Errorf("%v, %v", w, hint.Of(errors.Join(w...)))
	}
}

// TestHidden counts what only its stage leaves out.
func TestHidden(t *testing.T) {
	for line, want := range map[string]int64{"": 1, "--user system:node:*": 1, "--user alice": 0, "--all-stages": 0, "--stage RequestReceived": 0} {
		f, err := New(given(t, line), env)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range auditevents.Sample(t) {
			f.Match(e)
		}
		if f.Hidden() != want {
			t.Errorf("%s: %d, want %d", line, f.Hidden(), want)
		}
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string]string{
		"":                               "",
		"--user alice":                   "alice",
		"--user alice --user bob":        "alice bob",
		"--user alice --user b*":         "",
		"--user !alice":                  "",
		"--user sa:prod:web":             "sa:prod:web system:serviceaccount:prod:web",
		"--user alice --namespace prod":  "alice",
		"--verb get --name web-1":        "web-1",
		"--resource pods/exec":           "exec",
		"--resource po":                  "pods",
		"--resource *":                   "",
		"--resource pods/exec --verb g*": "exec",
		"--url /healthz":                 "",
		"--writes":                       "create delete deletecollection patch post put update",
		"--name a\"b":                    "",
		"--name ä":                       "",
		"--name a&b":                     "",
		"--decision forbid":              "forbid",
		"--failed":                       "Panic and codes from 400",
		"--failed --writes":              "Panic and codes from 400",
		"--failed --verb get":            "get",
		"--code 403":                     "and codes from 403",
		"--code 4xx --code 200":          "and codes from 200",
		"--code 4xx --code !403":         "and codes from 400",
		"--code !200":                    "",
	} {
		f, err := New(given(t, line), env)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(f.Words(), " ")
		if wanted := f.Code(); wanted != nil {
			first := 0
			for !wanted(first) {
				first++
			}
			got = strings.TrimSpace(fmt.Sprintf("%s and codes from %d", got, first))
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// FuzzWords makes a filter and an event of random values that are often the same: an event that
// matches has one of the words as a JSON string, or a code that is wanted.
func FuzzWords(f *testing.F) {
	for seed := range int64(20) {
		f.Add(seed, "alice", "a*b")
	}
	f.Add(int64(7), "sa:prod:web", "\"\\/ä<")
	f.Fuzz(func(t *testing.T, seed int64, one, other string) {
		r := rand.New(rand.NewSource(seed))
		pool := []string{"get", "delete", "pods", "exec", "apps", "alice", "sa:prod:web", "system:serviceaccount:prod:web", "10.0.0.7", "kubectl/v1", "forbid",
			"Metadata", "ResponseComplete", "/healthz?x=1", "403", "4xx", "200", one, other}
		pick := func() string { return pool[r.Intn(len(pool))] }
		values := map[string][]string{}
		for _, k := range Flags() {
			if r.Intn(6) > 0 {
				continue
			}
			for range 1 + r.Intn(2) {
				v := pick()
				switch r.Intn(8) {
				case 0:
					v = "!" + v
				case 1:
					v += "*"
				case 2:
					v = pick() + "/" + v
				}
				if strings.TrimSpace(v) == "" {
					return
				}
				values[k.Name] = append(values[k.Name], v)
			}
		}
		flt, err := New(values, env)
		if err != nil {
			return
		}
		code := []int{0, 200, 403, 404, 500}[r.Intn(5)]
		text, err := json.Marshal(map[string]any{
			"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": pick(), "stage": []string{"ResponseComplete", "Panic"}[r.Intn(2)], "requestURI": pick(), "verb": pick(),
			"user":             map[string]any{"username": pick(), "groups": []string{pick(), pick()}},
			"impersonatedUser": map[string]any{"username": pick()},
			"objectRef":        map[string]string{"resource": pick(), "subresource": []string{"", pick()}[r.Intn(2)], "namespace": pick(), "name": pick(), "apiGroup": pick()},
			"sourceIPs":        []string{"10.0.0.7"}, "userAgent": pick(), "annotations": map[string]string{"authorization.k8s.io/decision": "forbid"},
			"responseStatus": map[string]any{"code": code, "reason": pick()},
		})
		if err != nil {
			t.Fatal(err)
		}
		var e event.Event
		if err := e.Parse(text, event.WantAll); err != nil {
			t.Fatal(err)
		}
		if wanted := flt.Code(); !flt.Match(&e) || len(flt.Words()) == 0 && wanted == nil || wanted != nil && code != 0 && wanted(code) {
			return
		}
		if !slices.ContainsFunc(flt.Words(), func(w string) bool { return strings.Contains(string(text), `"`+w+`"`) }) {
			t.Errorf("%v: none of %q in %s", maps.All(values), flt.Words(), text)
		}
	})
}

// FuzzPattern compares with a slow way to match.
func FuzzPattern(f *testing.F) {
	for _, c := range [][2]string{{"a*b", "ab"}, {"a*b", "a"}, {"*", ""}, {"**", "x"}, {"a*a", "a"}, {"*b*", "abc"}, {"a*b*c", "abbc"}, {"", ""}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, text, s string) {
		p := newPattern(text)
		want := slowMatch(text, s)
		if p.any() {
			want = s != ""
		}
		if got := p.match([]byte(s)); got != want {
			t.Errorf("%q is like %q: %v, want %v", s, text, got, want)
		}
	})
}

// slowMatch goes through the pattern with all beginnings of s that it can stand for so far.
func slowMatch(pattern, s string) bool {
	begins := make([]bool, len(s)+1)
	begins[0] = true
	for _, c := range []byte(pattern) {
		next := make([]bool, len(s)+1)
		for i := range next {
			switch {
			case c == '*':
				next[i] = begins[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = begins[i-1] && s[i-1] == c
			}
		}
		begins = next
	}
	return begins[len(s)]
}

// FuzzUnescaped compares with encoding/json, on strings.
func FuzzUnescaped(f *testing.F) {
	for _, s := range []string{"", `a\nb`, "\"\\\x1b", "😀<>&", "\u2028", `\\u0041`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(unescaped(nil, text)); got != `"`+s+`"` {
			t.Errorf("%s is %q, want %q", text, got, s)
		}
	})
}

func TestSurrogates(t *testing.T) {
	if got := string(unescaped(nil, []byte(`"\ud83d\ude00\"\u00e4\\"`))); got != `"😀"ä\"` {
		t.Errorf("%q", got)
	}
}

func BenchmarkMatch(b *testing.B) {
	f, err := New(map[string][]string{"user": {"alice", "bob"}, "namespace": {"!kube-system"}, "code": {"4xx"}}, env)
	if err != nil {
		b.Fatal(err)
	}
	all := auditevents.Sample(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range all {
			f.Match(e)
		}
	}
}
