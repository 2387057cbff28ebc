package explain

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
)

// head begins each policy of these tests.
const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

func mustLoad(t testing.TB, body string) *policy.Policy {
	t.Helper()
	p, err := policy.Load("p.yaml", []byte(head+body))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const rulesForEvents = `omitStages: [RequestReceived]
rules:
- level: None
  users: [system:kube-proxy]
- level: Metadata
  resources:
  - group: ""
    resources: [configmaps]
    resourceNames: [made]
- level: RequestResponse
  namespaces: [prod]
  omitStages: [ResponseStarted]
- level: Request
  userGroups: [devs]
- level: Metadata
  nonResourceURLs: [/api*, "/a b"]
  omitStages: [Panic]
- level: Metadata
  verbs: [watch]
`

func TestEvents(t *testing.T) {
	t.Parallel()
	p := mustLoad(t, rulesForEvents)
	for _, c := range []struct{ name, event, want string }{
		{"a user", `{"kind":"Event","auditID":"a","stage":"ResponseComplete","verb":"get","user":{"username":"system:kube-proxy"},"objectRef":{"resource":"pods"},"requestURI":"/api/v1/pods"}`,
			"0:5 None []"},
		{"what a created object is named", `{"kind":"Event","stage":"ResponseComplete","verb":"create","user":{"username":"bob"},"objectRef":{"resource":"configmaps","namespace":"dev","name":"made","apiVersion":"v1"},"requestURI":"/api/v1/namespaces/dev/configmaps?dryRun=All"}`,
			"-1:0 None []"},
		{"the name in a URL", `{"kind":"Event","stage":"ResponseComplete","verb":"update","user":{"username":"bob"},"objectRef":{"resource":"configmaps","namespace":"dev","name":"made","apiVersion":"v1"},"requestURI":"/api/v1/namespaces/dev/configmaps/made"}`,
			"1:7 Metadata [ResponseComplete]"},
		{"stages of a watch", `{"kind":"Event","verb":"watch","user":{"username":"bob"},"objectRef":{"resource":"pods","apiVersion":"v1"},"requestURI":"/api/v1/pods?watch=1"}`,
			"5:20 Metadata [ResponseStarted ResponseComplete]"},
		{"stages that a rule leaves out", `{"verb":"watch","user":{"username":"bob"},"objectRef":{"resource":"pods","namespace":"prod"},"requestURI":"/"}`,
			"2:12 RequestResponse [ResponseComplete]"},
		{"a login that failed", `{"kind":"Event","verb":"get","stage":"ResponseStarted","user":{},"requestURI":"/api/v1"}`,
			"4:17 Metadata [ResponseStarted]"},
		{"groups", `{"verb":"get","user":{"username":"bob","groups":["x","de\u0076s"]},"requestURI":"/metrics"}`,
			"3:15 Request [ResponseComplete]"},
		{"the user before an impersonation", `{"verb":"get","user":{"username":"bob","groups":["devs"]},"impersonatedUser":{"username":"system:kube-proxy"},"requestURI":"/metrics"}`,
			"3:15 Request [ResponseComplete]"},
		{"a path with a query", `{"verb":"get","user":{"username":"bob"},"requestURI":"/apis?timeout=32s"}`,
			"4:17 Metadata [ResponseComplete]"},
		{"a path with an escape", `{"verb":"get","user":{"username":"bob"},"requestURI":"/a%20b"}`,
			"4:17 Metadata [ResponseComplete]"},
		{"a profile", `{"verb":"get","user":{"username":"bob","groups":["devs"]},"requestURI":"/debug/pprof/heap"}`,
			"3:15 Request [ResponseStarted ResponseComplete]"},
		{"a panic", `{"stage":"Panic","verb":"get","user":{"username":"bob","groups":["devs"]},"requestURI":"/version"}`,
			"3:15 Request [Panic]"},
		{"a panic that is left out", `{"stage":"Panic","verb":"get","user":{"username":"bob"},"requestURI":"/api"}`,
			"4:17 Metadata []"},
		{"what stands in objects is nothing", `{"requestObject":{"verb":"watch","user":{"username":"system:kube-proxy"},"a":"\"}\\"},"verb":"get","user":{"username":"bob"},"requestURI":"/version"}`,
			"-1:0 None []"},
	} {
		got := ""
		total, err := Events(t.Context(), p, strings.NewReader(c.event+"\n"), func(_ Event, a Answer) error {
			got = fmt.Sprintf("%d:%d %s %s", a.Rule, a.Line, a.Level, a.Stages)
			return nil
		})
		if err != nil || total.Unreadable > 0 {
			t.Errorf("%s: %+v, %v", c.name, total, err)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestEventsUnreadable counts lines that are no event, and says which and why.
func TestEventsUnreadable(t *testing.T) {
	t.Parallel()
	const good = `{"kind":"Event","auditID":"a","verb":"get","user":{"username":"bob"},"requestURI":"/api"}`
	in := strings.Join([]string{
		good, "", good[:40], "  \t", `{"kind":"Pod","verb":"get"}`, "[]", `{"kind":"EventList","items":[]}`, good + good,
		`{"user":"bob","verb":"get"}`, `{"kind":"Event"}`, `2026-01-01T00:00:00Z AUDIT: id="x" stage="Panic"`,
		`{"verb":"get","requestURI":"%zz"}`, good + "\x00", good + "\r",
	}, "\n")
	var at []int
	total, err := Events(t.Context(), mustLoad(t, rulesForEvents), strings.NewReader(in), func(e Event, _ Answer) error {
		at = append(at, e.Line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 14}, at); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	want := Total{Events: 2, Bytes: int64(2*len(good) + 2), Unreadable: 10, First: []Unreadable{
		{3, "the line ends before the event does: one event stands in one line"},
		{5, "it is no audit event but of another kind"},
		{6, "it is a list: jq -c '.[]' makes one line of each event"},
		{7, "it is a list of events: jq -c '.items[]' makes one line of each"},
		{8, "text follows the event: one event stands in one line"},
		{9, "it is no JSON, or a field of it has another type than in an audit event"},
		{10, "it has neither verb nor requestURI: it is no audit event"},
		{11, "it is in the format legacy, which does not have all that decides: --audit-log-format=json"},
		{12, "requestURI is no URL"},
		{13, "text follows the event: one event stands in one line"},
	}}
	if diff := cmp.Diff(want, total); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEventsStops returns the first error of what is called for each event.
func TestEventsStops(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	in := strings.Repeat(`{"verb":"get","requestURI":"/"}`+"\n", 3)
	total, err := Events(t.Context(), mustLoad(t, rulesForEvents), strings.NewReader(in), func(e Event, _ Answer) error {
		if e.Line == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || total.Events != 2 {
		t.Errorf("%+v, %v", total, err)
	}
}

// TestEventsForgetLongTexts keeps nothing of what a sender can make as long as it likes.
func TestEventsForgetLongTexts(t *testing.T) {
	p := mustLoad(t, rulesForEvents)
	long := strings.Repeat("a", 900<<10)
	for name, format := range map[string]string{
		"path":  `{"kind":"Event","verb":"get","user":{"username":"bob","groups":["x"]},"requestURI":"/%d%s"}`,
		"user":  `{"kind":"Event","verb":"get","user":{"username":"%d%s","groups":["x"]},"requestURI":"/x"}`,
		"group": `{"kind":"Event","verb":"get","user":{"username":"bob","groups":["%d%s"]},"requestURI":"/x"}`,
	} {
		rebuild, decided := newRebuilder(), newDecisions(p)
		for i := range 100 {
			if reason := rebuild.read(fmt.Sprintf(format, i, long), &Event{}); reason != "" {
				t.Fatal(reason)
			}
			decided.of(rebuild)
		}
		if len(decided.known) > 0 || len(rebuild.people.known) > 1 {
			t.Errorf("%s: %d decisions and %d people are kept", name, len(decided.known), len(rebuild.people.known))
		}
	}
	rebuild, decided := newRebuilder(), newDecisions(p)
	for i := range 3 * mostKnown {
		if reason := rebuild.read(fmt.Sprintf(`{"verb":"get","user":{"username":"bob","groups":["x"]},"requestURI":"/%d%s"}`, i, long[:900]), &Event{}); reason != "" {
			t.Fatal(reason)
		}
		decided.of(rebuild)
	}
	size := 0
	for k := range decided.known {
		size += k.size()
	}
	if size != decided.size || size > mostText || size == 0 {
		t.Errorf("%d bytes are kept, %d are counted", size, decided.size)
	}
}

// TestEventsNothing tells what to do with a stream that has no event in any line.
func TestEventsNothing(t *testing.T) {
	t.Parallel()
	const good = `{"kind":"Event","auditID":"a","verb":"get","user":{"username":"bob"},"requestURI":"/api"}`
	for in, want := range map[string]string{
		"":                              "",
		"\n \n":                         "",
		"\ufeff" + good:                 "",
		"\ufeff\n" + good:               "",
		"x\n" + good:                    "",
		"\x1f\x8b\x08\x00\nab\nc":       "zcat a.gz | auditpatch policy explain --policy FILE --events -",
		"{\n  \"kind\": \"Event\"\n}\n": "jq -c . a.gz | auditpatch policy explain --policy FILE --events -",
		"[" + good + "]":                "jq -c '.[]' a.gz | auditpatch policy explain --policy FILE --events -",
		`{"kind":"EventList"}`:          "jq -c '.items[]' a.gz | auditpatch policy explain --policy FILE --events -",
		"\xff\xfe{\x00":                 "iconv -f UTF-16 -t UTF-8 a.gz | auditpatch policy explain --policy FILE --events -",
		"hello":                         "--events takes what --audit-log-format=json writes: one event a line",
	} {
		total, err := Events(t.Context(), mustLoad(t, rulesForEvents), strings.NewReader(in), func(Event, Answer) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := total.Nothing("a.gz"); err != nil {
			got = hint.Of(err).String()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s (%+v)", in, got, want, total)
		}
	}
}

// TestEventsTwoInALine notices a second event in a line, whatever the blanks.
func TestEventsTwoInALine(t *testing.T) {
	t.Parallel()
	const first = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"create","user":{"username":"bob"},"objectRef":{"resource":"pods"},"requestObject":{"a":`
	for _, second := range []string{
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","requestURI":"/"}`,
		`{ "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "get", "requestURI": "/" }`,
		`{"apiVersion" : "audit.k8s.io/v1", "kind":"Event","verb":"get","requestURI":"/"}`,
	} {
		for _, line := range []string{first + second, first + "{}}} " + second, first + "{}}}" + second} {
			total, err := Events(t.Context(), mustLoad(t, rulesForEvents), strings.NewReader(line), func(Event, Answer) error { return nil })
			if err != nil || total.Events != 0 || total.Unreadable != 1 {
				t.Errorf("%s: %+v, %v", line, total, err)
			}
		}
	}
	total, err := Events(t.Context(), mustLoad(t, rulesForEvents), strings.NewReader(first+`{"apiVersion":"audit.k8s.io/v1","kind":"Policy"}}}`), func(Event, Answer) error { return nil })
	if err != nil || total.Events != 1 || total.Unreadable != 0 {
		t.Errorf("an event about a policy: %+v, %v", total, err)
	}
}
