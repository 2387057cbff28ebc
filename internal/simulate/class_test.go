package simulate

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/policy/explain"
)

// FuzzClasses holds what is read once and remembered against explain, which reads each event
// for itself, for events and policies of all kinds.
func FuzzClasses(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed, false, "")
		f.Add(seed, true, `"verb":5`)
	}
	f.Add(uint64(1), true, `"user":{"username":7}`)
	f.Add(uint64(2), true, `"user":{"username":"a","groups":["x",null,5]}`)
	f.Add(uint64(3), true, `"user":{"groups":null}`)
	f.Add(uint64(4), false, `"objectRef":[]`)
	f.Add(uint64(5), false, `"objectRef":null`)
	f.Add(uint64(6), false, `"requestURI":"/api/%zz"`)
	f.Add(uint64(7), true, `"requestURI":"/api/v1/namespaces/prod/p%6fds/a"`)
	f.Add(uint64(8), true, `"stage":"Another"`)
	f.Fuzz(func(t *testing.T, seed uint64, whole bool, odd string) {
		d := newDice(seed)
		first, second := load(t, "first", d.rules()+names(d)), load(t, "second", d.rules())
		all := newClasses(whole, first, second)
		for i := range 150 {
			line := d.line(t, i)
			if name, _, ok := strings.Cut(odd, ":"); ok && d.IntN(3) == 0 && strings.Count(line, name+":") == 1 {
				line = changed(line, name, odd)
			}
			var e event.Event
			if e.Parse([]byte(line), judgedFields) != nil {
				continue
			}
			got := all.of(&e)
			for p, policy := range []interface {
				Name() string
			}{first, second} {
				var want *explain.Answer
				var of explain.Event
				on := first
				if policy.Name() == "second" {
					on = second
				}
				if _, err := explain.Events(t.Context(), on, strings.NewReader(line+"\n"), func(e explain.Event, a explain.Answer) error {
					of, want = e, &a
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if (want == nil) != (got == nil) {
					t.Fatalf("explain: %v, classes: %v, of\n%s", want, got, line)
				}
				if want == nil {
					continue
				}
				if !reflect.DeepEqual(got.judged[p].Answer, *want) {
					t.Fatalf("%s: %+v, not %+v, of\n%s", policy.Name(), got.judged[p].Answer, *want, line)
				}
				if string(got.Stage) != string(of.Stage) && got.Stage != "another" {
					t.Fatalf("stage %s, not %s", got.Stage, of.Stage)
				}
				if q := got.Request; whole && (q.User != of.Request.User || q.Namespace != of.Request.Namespace || q.Path != of.Request.Path || !reflect.DeepEqual(q.Groups, of.Request.Groups)) {
					t.Fatalf("%+v, not %+v", q, of.Request)
				}
			}
		}
	})
}

// names is a rule that looks at the names of objects, or none.
func names(d dice) string {
	return pick(d, "", "- {level: Request, resources: [{group: \"\", resources: [pods], resourceNames: [a]}]}\n- {level: Metadata}\n")
}

// line is a random event.
func (d dice) line(t *testing.T, i int) string {
	r := d.request()
	if d.IntN(5) == 0 {
		r.Groups = append(r.Groups, pick(d, "system:nodes", "x\xff", "é,\"]"))
	}
	stage := pick(d, audit.StageRequestReceived, audit.StageResponseStarted, audit.StageResponseComplete, audit.StagePanic)
	e := made(r, stage, pick(d, audit.LevelMetadata, audit.LevelRequest, audit.LevelRequestResponse), fmt.Sprint(i), began.Add(time.Duration(i)*time.Second))
	if d.IntN(6) == 0 {
		e.RequestURI += pick(d, "?x=1", "%41", "/", "x")
	}
	return text(t, e)
}

// changed puts another value in the place of that of a field of an event.
func changed(line, name, with string) string {
	at := strings.Index(line, name+":") + len(name) + 1
	end := at
	members(line, func(n, value string) {
		if n == name {
			end = at + len(value)
		}
	})
	return line[:at-len(name)-1] + with + line[end:]
}

// TestManyClasses asks for more classes than are remembered.
func TestManyClasses(t *testing.T) {
	p := load(t, "p", "rules: [{level: Metadata, verbs: [get]}]\n")
	all := newClasses(true, p)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 * mostClasses {
		user := fmt.Sprint("u", rng.IntN(2*mostClasses))
		line := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":"ResponseComplete","requestURI":"/x","verb":"get","user":{"username":"` + user + `"}}`
		var e event.Event
		if err := e.Parse([]byte(line), judgedFields); err != nil {
			t.Fatal(err)
		}
		if c := all.of(&e); c.Request.User != user || c.judged[0].Rule != 0 {
			t.Fatalf("%+v of %s", c, user)
		}
		if len(all.known) > mostClasses || all.size > mostKeys+longKey {
			t.Fatalf("%d classes, %d bytes", len(all.known), all.size)
		}
	}
}

// TestHours puts events of all times in their hours, and those without a time in none.
func TestHours(t *testing.T) {
	c := newCounts([sides]int{})
	for _, at := range []struct {
		time event.Time
		hour int64
	}{{1, 0}, {hour, 1}, {-1, -1}, {-hour, -1}, {-hour - 1, -2}} {
		if c.inHour(at.time) != c.hours[at.hour] || c.hours[at.hour] == nil {
			t.Errorf("%d is not in hour %d: %v", at.time, at.hour, c.hours)
		}
	}
	if n := len(c.hours); c.inHour(0) != &c.untimed || len(c.hours) != n {
		t.Error("no time has an hour")
	}
}

// TestGaps has an event whose clock was wrong.
func TestGaps(t *testing.T) {
	d := newDice(1)
	r := d.request()
	log := []string{
		text(t, made(r, audit.StageResponseComplete, audit.LevelMetadata, "1", time.Date(1970, 1, 1, 0, 30, 0, 0, time.UTC))),
		text(t, made(r, audit.StageResponseComplete, audit.LevelMetadata, "2", began)),
	}
	out := run(t, Request{Logs: logOf(t, log...), New: load(t, "p", "rules: [{level: Metadata}]\n")})
	if !strings.Contains(strings.Join(out.Unknown, "\n"), "2 hours of the") {
		t.Errorf("%q", out.Unknown)
	}
	out = run(t, Request{Logs: logOf(t, log[1]), New: load(t, "p", "rules: [{level: Metadata}]\n")})
	if !strings.Contains(out.Unknown[0], "no two events at different times") {
		t.Errorf("%q", out.Unknown)
	}
}
