package changes

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/auditlog/event"
)

// logged is an event as it stands in a log.
type logged struct {
	verb, ref, uri, level string
	code                  int
	sent, answer          string
}

var count int

func (l logged) event(t testing.TB) *event.Event {
	t.Helper()
	if l.level == "" {
		l.level = "RequestResponse"
	}
	if l.code == 0 {
		l.code = 200
	}
	if l.ref == "" {
		l.ref = `"resource":"deployments","namespace":"shop","name":"web","apiGroup":"apps"`
	}
	bodies := ""
	if l.sent != "" {
		bodies += `,"requestObject":` + l.sent
	}
	if l.answer != "" {
		bodies += `,"responseObject":` + l.answer
	}
	count++
	text := fmt.Sprintf(`{"kind":"Event","level":%q,"auditID":"id","stage":"ResponseComplete","requestURI":%q,"verb":%q,"objectRef":{%s},"responseStatus":{"code":%d},"stageTimestamp":"2026-11-22T11:20:04.000001Z"%s}`,
		l.level, l.uri, l.verb, l.ref, l.code, bodies)
	var e event.Event
	if err := e.Parse([]byte(text), Fields); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return &e
}

func deployment(rv, spec string) string {
	return `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"shop","uid":"u1","resourceVersion":"` + rv +
		`","generation":` + rv + `,"managedFields":[{"manager":"` + rv + `"}]},"spec":` + spec + `,"status":{"replicas":` + rv + `}}`
}

func identity(s string) string { return s }

const (
	secretRef = `"resource":"secrets","namespace":"shop","name":"db"`
	since     = "  compared with 2026-11-22T11:20:04.000001Z"
	unknown   = "what was there before is not in the log; this is what the request set"
)

func secretObject(data string) string {
	return `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"db","uid":"s"},"data":` + data + `}`
}

// TestText wants what people read of the last of some events.
func TestText(t *testing.T) {
	two, five := deployment("2", `{"replicas":2}`), deployment("5", `{"replicas":5}`)
	pods := func(containers string) string {
		return deployment("7", `{"template":{"spec":{"containers":`+containers+`}}}`)
	}
	for name, tc := range map[string]struct {
		events []logged
		want   []string
	}{
		"update after update": {[]logged{{verb: "update", sent: two, answer: two}, {verb: "update", sent: five, answer: five}}, []string{since, "    spec.replicas: 2 -> 5"}},
		"the state that it names": {[]logged{{verb: "get", answer: two}, {verb: "update", sent: deployment("2", `{"replicas":5}`), answer: five}},
			[]string{since + ", the state that it replaced", "    spec.replicas: 2 -> 5"}},
		"update alone": {[]logged{{verb: "update", sent: five, answer: five}}, []string{"  " + unknown, "  = spec.replicas: 5"}},
		"update at level Request": {[]logged{{verb: "update", level: "Request", sent: two}, {verb: "update", level: "Request", sent: five}},
			[]string{since + "; the log has what was sent and not what was stored: what the API server filled in shows as removed", "    spec.replicas: 2 -> 5"}},
		"a dry run of a deletion, in its body": {[]logged{{verb: "delete", sent: `{"kind":"DeleteOptions","dryRun":["All"]}`, answer: two}}, []string{"  a dry run: nothing was stored", "  = dryRun[0]: All"}},
		"a dry run of an eviction":             {[]logged{{verb: "create", ref: `"resource":"pods","name":"p","subresource":"eviction"`, code: 201, sent: `{"kind":"Eviction","deleteOptions":{"dryRun":["All"]}}`}}, []string{"  a dry run: nothing was stored", "  = deleteOptions.dryRun[0]: All"}},
		"a dry run that only the URL claims":   {[]logged{{verb: "delete", uri: "/x?dryRun=All", sent: `{"kind":"DeleteOptions","gracePeriodSeconds":1}`, answer: two}}, []string{"  = gracePeriodSeconds: 1"}},
		"an exec":                              {[]logged{{verb: "create", ref: `"resource":"pods","name":"p","subresource":"exec"`, level: "RequestResponse", code: 101}}, []string{"  a connection was opened: what was done over it is not in the log"}},
		"a timeout":                            {[]logged{{verb: "update", code: 504, sent: two}}, []string{"  answered with 504: what of it was done is not in the log", "  = spec.replicas: 2"}},
		"an older state after a younger":       {[]logged{{verb: "update", answer: five}, {verb: "update", sent: two, answer: two}}, []string{"  the object seen before is a later state: these requests ran at the same time; this is what the request set", "  = spec.replicas: 2"}},
		"a get from an old cache":              {[]logged{{verb: "update", answer: five}, {verb: "get", answer: two}, {verb: "update", sent: five, answer: deployment("6", `{"replicas":6}`)}}, []string{since + ", the state that it replaced", "    spec.replicas: 5 -> 6"}},
		"spec in a status":                     {[]logged{{verb: "get", answer: two}, {verb: "update", ref: `"resource":"deployments","namespace":"shop","name":"web","apiGroup":"apps","subresource":"status"`, sent: five}}, []string{"  " + unknown, "  = status.replicas: 5"}},
		"nothing": {[]logged{{verb: "get", answer: two}, {verb: "patch", sent: `{"spec":{"replicas":2}}`, answer: two}},
			[]string{"  merge patch or strategic merge patch; compared with 2026-11-22T11:20:04.000001Z; nothing that is shown here was changed"}},
		"changes between": {[]logged{{verb: "get", answer: two}, {verb: "patch", level: "Metadata"}, {verb: "update", sent: five, answer: five}},
			[]string{since + "; a change in between is in the log without the object", "    spec.replicas: 2 -> 5"}},
		"made anew": {[]logged{{verb: "get", answer: strings.ReplaceAll(two, "u1", "u0")}, {verb: "update", sent: five, answer: five}},
			[]string{"  the object seen before was another one of this name, or version; this is what the request set", "  = spec.replicas: 5"}},
		"metadata": {[]logged{{verb: "update", level: "Metadata"}}, []string{"  recorded at level Metadata: what changed is not in the log"}},
		"refused":  {[]logged{{verb: "update", code: 409, sent: five, answer: `{"kind":"Status","apiVersion":"v1"}`}}, []string{"  answered with 409: nothing was changed", "  = spec.replicas: 5"}},
		"dry run":  {[]logged{{verb: "update", uri: "/x?dryRun=All", sent: five, answer: five}, {verb: "update", sent: two, answer: two}}, []string{"  " + unknown, "  = spec.replicas: 2"}},
		"merge patch of two kinds": {[]logged{{verb: "patch", sent: `{"spec":{"replicas":5,"paused":null}}`}},
			[]string{"  merge patch or strategic merge patch; " + unknown, "  - spec.paused", "  = spec.replicas: 5"}},
		"strategic merge patch": {[]logged{{verb: "patch", sent: `{"metadata":{"$deleteFromPrimitiveList/finalizers":["f"],"annotations":{"a/b":"1"}},"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"a","image":"i:2"},{"name":"b","$patch":"delete"}]}}}}`}},
			[]string{"  strategic merge patch; " + unknown, "  - metadata.finalizers: f", `  = metadata.annotations["a/b"]: "1"`, "  = spec.template.spec.containers[a].image: i:2", "  - spec.template.spec.containers[b]"}},
		"JSON patch": {[]logged{{verb: "patch", sent: `[{"op":"test","path":"/spec/replicas","value":2},{"op":"replace","path":"/spec/replicas","value":5},{"op":"add","path":"/metadata/annotations/a~1b","value":"x y"},{"op":"remove","path":"/spec/list/0"},{"op":"move","from":"/spec/a","path":"/spec/b"}]`}},
			[]string{"  JSON patch; " + unknown, "  test spec.replicas: 2", "  = spec.replicas: 5", `  + metadata.annotations["a/b"]: x y`, "  - spec.list[0]", "  move spec.a to spec.b"}},
		"apply": {[]logged{{verb: "patch", code: 201, uri: "/x?fieldManager=kubectl&force=true", sent: `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web"},"spec":{"replicas":1}}`}},
			[]string{"  created; apply configuration", "  + spec.replicas: 1"}},
		"merge patch of a custom resource": {[]logged{{verb: "patch", ref: `"resource":"things","apiGroup":"example.com","name":"a"`, sent: `{"spec":{"a":[1,2]}}`}},
			[]string{"  merge patch; " + unknown, "  = spec.a[0]: 1", "  = spec.a[1]: 2"}},
		"create": {[]logged{{verb: "create", code: 201, ref: `"resource":"pods","namespace":"shop"`, sent: `{"kind":"Pod","apiVersion":"v1","metadata":{"generateName":"web-","namespace":"shop","creationTimestamp":null},"spec":{"containers":[{"name":"web","image":"nginx:1.27"}]},"status":{}}`, answer: `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-x1"}}`}},
			[]string{"  created", "  + metadata.generateName: web-", "  + spec.containers[web].image: nginx:1.27", "  + metadata.name: web-x1"}},
		"eviction": {[]logged{{verb: "create", code: 201, ref: `"resource":"pods","subresource":"eviction","name":"a"`, sent: `{"kind":"Eviction","deleteOptions":{"gracePeriodSeconds":5}}`}},
			[]string{"  = deleteOptions.gracePeriodSeconds: 5"}},
		"containers": {[]logged{{verb: "get", answer: pods(`[{"name":"a","image":"a:1"},{"name":"b","image":"b:1"},{"name":"c"}]`)}, {verb: "update", answer: pods(`[{"name":"d","image":"d:1","args":["x"]},{"name":"b","image":"b:2"},{"name":"a","image":"a:1"}]`)}},
			[]string{since, `  + spec.template.spec.containers[d].args[0]: x`, "  + spec.template.spec.containers[d].image: d:1", "    spec.template.spec.containers[b].image: b:1 -> b:2",
				"  - spec.template.spec.containers[c].name: c", `    spec.template.spec.containers: order is now ["d","b","a"]`}},
		"scale": {[]logged{{verb: "get", answer: two}, {verb: "patch", ref: `"resource":"deployments","namespace":"shop","name":"web","apiGroup":"apps","subresource":"scale"`, sent: `{"spec":{"replicas":4}}`,
			answer: `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"web"},"spec":{"replicas":4}}`}, {verb: "update", answer: five}},
			[]string{since + "; a change in between is in the log without the object", "    spec.replicas: 2 -> 5"}},
		"status": {[]logged{{verb: "get", answer: two}, {verb: "update", ref: `"resource":"deployments","namespace":"shop","name":"web","apiGroup":"apps","subresource":"status"`, answer: five}},
			[]string{since, "    spec.replicas: 2 -> 5", "    status.replicas: 2 -> 5"}},
		"delete": {[]logged{{verb: "get", answer: two}, {verb: "delete", sent: `{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Orphan"}`, answer: `{"kind":"Status","apiVersion":"v1"}`}},
			[]string{"  last seen in the log at 2026-11-22T11:20:04.000001Z, event id", "  = propagationPolicy: Orphan"}},
		"marked for deletion": {[]logged{{verb: "delete", answer: `{"kind":"Pod","metadata":{"deletionTimestamp":"x","finalizers":["a/b"]}}`}},
			[]string{`  marked for deletion, which waits for the finalizers ["a/b"]`}},
		"deletecollection": {[]logged{{verb: "deletecollection", answer: `{"kind":"PodList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}`}},
			[]string{`  deleted 2 objects: ["a","b"]`}},
		"secret": {[]logged{{verb: "get", ref: secretRef, answer: secretObject(`{"a":"b2xk","gone":"b2xk"}`)}, {verb: "update", ref: secretRef, answer: secretObject(`{"a":"bmV3","new":"bmV3"}`)}},
			[]string{since, "    data.a: changed (not shown)", "  - data.gone: (not shown)", "  + data.new: (not shown)"}},
		"secret, JSON patch": {[]logged{{verb: "patch", ref: secretRef, sent: `[{"op":"add","path":"/data/a","value":"bmV3"},{"op":"replace","path":"/data","value":{"b":"bmV3"}},{"op":"test","path":"","value":{"data":{"c":"bmV3"}}},{"op":"add","path":"/metadata/annotations","value":{"kubectl.kubernetes.io/last-applied-configuration":"bmV3"}}]`}},
			[]string{"  JSON patch; " + unknown, "  + data.a: (not shown)", "  = data.b: (not shown)", "  test data.c: (not shown)", `  + metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]: (not shown)`}},
		"secret, misspelt": {[]logged{{verb: "patch", ref: secretRef, sent: `{"stringdata":{"a":"bmV3"},"DATA":"bmV3"}`}},
			[]string{"  merge patch or strategic merge patch; " + unknown, "  = DATA: (not shown)", "  = stringdata.a: (not shown)"}},
		"token": {[]logged{{verb: "create", code: 201, ref: `"resource":"tokenreviews","apiGroup":"authentication.k8s.io"`, sent: `{"kind":"TokenReview","spec":{"token":"bmV3"}}`}},
			[]string{"  created", "  + spec.token: (not shown)"}},
		"values": {[]logged{{verb: "patch", sent: `{"a":"2","b":true,"c":"true","d":"two\nlines","e":"\u001b[31m","f":"","g":{},"h":[],"i":"` + strings.Repeat("x", 300) + `"}`}},
			[]string{"  merge patch or strategic merge patch; " + unknown, `  = a: "2"`, "  = b: true", `  = c: "true"`, `  = d: "two\nlines"`, `  = e: "\u001b[31m"`, `  = f: ""`, "  = g: {}", "  = h: []", "  = i: " + strings.Repeat("x", 160) + "... (300 bytes)"}},
	} {
		s := New(1 << 20)
		var got []string
		for _, l := range tc.events {
			c, _ := s.Of(l.event(t))
			got = c.Text(identity)
			if all := fmt.Sprint(c); strings.Contains(all, "bmV3") || strings.Contains(all, "b2xk") {
				t.Errorf("%s: a secret is shown: %s", name, all)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
	}
}

// TestNone wants nothing of events that change nothing.
func TestNone(t *testing.T) {
	for _, verb := range []string{"get", "list", "watch", "proxy", ""} {
		if c, ok := New(100).Of(logged{verb: verb}.event(t)); ok {
			t.Errorf("%s: %+v", verb, c)
		}
	}
}

// TestMemory holds the objects to the memory that they are given.
func TestMemory(t *testing.T) {
	s := New(20_000)
	for n := range 500 {
		spec := fmt.Sprintf(`{"x":%q}`, strings.Repeat("x", n))
		s.Of(logged{verb: "update", ref: fmt.Sprintf(`"resource":"things","name":"n%d"`, n%100), answer: deployment("1", spec)}.event(t))
		var sum int64
		for e := s.objects.byUse.Front(); e != nil; e = e.Next() {
			sum += e.Value.(*state).size()
		}
		if sum != s.objects.bytes || sum > 20_000 || s.objects.byUse.Len() != len(s.objects.byName) || sum == 0 {
			t.Fatalf("%d bytes, counted %d, of %d objects", sum, s.objects.bytes, len(s.objects.byName))
		}
	}
	s.Of(logged{verb: "update", answer: deployment("1", `"`+strings.Repeat("x", 20_000)+`"`)}.event(t))
	if s.objects.byUse.Len() == 0 {
		t.Error("a large object takes the place of all others")
	}
}

// TestJSON is what programs read.
func TestJSON(t *testing.T) {
	s := New(1 << 20)
	s.Of(logged{verb: "get", answer: deployment("2", `{"replicas":2}`)}.event(t))
	c, _ := s.Of(logged{verb: "patch", sent: `{"spec":{"replicas":5}}`, answer: deployment("5", `{"replicas":5}`)}.event(t))
	got, err := json.Marshal(c)
	want := `{"known":"difference","patch":"merge patch or strategic merge patch","since":{"time":"2026-11-22T11:20:04.000001Z","auditID":"id"},"lines":[{"op":"change","path":"spec.replicas","from":2,"to":5}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// apply makes the changes in a value.
func apply(v any, lines []Line) any {
	groups := map[string][]Line{}
	var order []string
	var ordered []any
	for _, l := range lines {
		if len(l.Path) == 0 {
			if l.Op != Ordered {
				return l.To
			}
			ordered, _ = l.To.([]any)
			continue
		}
		key := fmt.Sprintf("%#v %T", l.Path[0], l.Path[0].Is) // 0 and "0" are two names
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], l)
	}
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for _, key := range order {
			name := groups[key][0].Path[0].Field
			if is, there := step(out[name], groups[key]); there {
				out[name] = is
			} else {
				delete(out, name)
			}
		}
		return out
	case []any:
		if by := byOf(lines, ordered, v); by != "" {
			return applyNamed(v, by, order, groups, ordered)
		}
		return applyPositions(v, order, groups)
	}
	return v
}

// step makes the changes that begin with one step.
func step(v any, lines []Line) (any, bool) {
	var rest []Line
	there := true
	for _, l := range lines {
		switch {
		case len(l.Path) > 1 || l.Op == Changed || l.Op == Ordered:
			l.Path = l.Path[1:]
			rest = append(rest, l)
		case l.Op == Added:
			return l.To, true
		default:
			there = false
		}
	}
	if len(rest) == 0 {
		return v, there
	}
	return apply(v, rest), true
}

func byOf(lines []Line, ordered, list []any) string {
	for _, l := range lines {
		if len(l.Path) > 0 {
			return l.Path[0].By
		}
	}
	if ordered != nil {
		return keyOf(list)
	}
	return ""
}

func applyNamed(list []any, by string, order []string, groups map[string][]Line, ordered []any) any {
	var names []any
	named := map[any]any{}
	for _, e := range list {
		names = append(names, nameIn(e, by))
		named[nameIn(e, by)] = e
	}
	for _, key := range order {
		name := groups[key][0].Path[0].Is
		is, there := step(named[name], groups[key])
		if _, old := named[name]; !old {
			names = append(names, name)
		}
		if named[name] = is; !there {
			names = slices.DeleteFunc(names, func(n any) bool { return n == name })
		}
	}
	if ordered != nil {
		names = ordered
	}
	out := []any{}
	for _, n := range names {
		out = append(out, named[n])
	}
	return out
}

func applyPositions(list []any, order []string, groups map[string][]Line) any {
	out := slices.Clone(list)
	gone := map[int]bool{}
	var added []Line
	for _, key := range order {
		for _, l := range groups[key] {
			at := l.Path[0].Index
			switch {
			case len(l.Path) == 1 && l.Op == Removed:
				gone[at] = true
			case len(l.Path) == 1 && l.Op == Added:
				added = append(added, l)
			default:
				out[at], _ = step(out[at], []Line{l})
			}
		}
	}
	kept := []any{}
	for i, e := range out {
		if !gone[i] {
			kept = append(kept, e)
		}
	}
	for _, l := range added {
		kept = slices.Insert(kept, l.Path[0].Index, l.To)
	}
	return kept
}

// FuzzDifference wants the changes, made in the old value, to give the new one.
func FuzzDifference(f *testing.F) {
	for _, pair := range [][2]string{
		{`{"a":1,"b":[1,2,3]}`, `{"a":2,"b":[1,3]}`}, {`[{"name":"a"},{"name":"b","x":1}]`, `[{"name":"b","x":2},{"name":"c"},{"name":"a"}]`},
		{`{"a":{"b":null}}`, `{"a":{}}`}, {`[[1],[2]]`, `[[1,2],[2]]`}, {`[]`, `[{"name":"x"}]`}, {`[{"name":"x"}]`, `[]`}, {`{"a":[]}`, `{"a":null}`},
		{`[{"port":80,"name":"a"},{"port":81,"name":"a"}]`, `[{"port":81,"name":"a"}]`}, {`{"":{"[]":1}}`, `{"":{"[]":[1]}}`}, {`1`, `1.0`},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, old, now string) {
		a, errA := decode([]byte(old))
		b, errB := decode([]byte(now))
		if errA != nil || errB != nil {
			t.Skip()
		}
		lines := difference(nil, a, b)
		if got := apply(a, lines); !reflect.DeepEqual(got, b) {
			t.Errorf("%s to %s: %v gives %v", old, now, lines, got)
		}
		for _, text := range (Change{Lines: lines}).Text(identity) {
			if strings.ContainsAny(text, "\n\x1b\x00") {
				t.Errorf("%q", text)
			}
		}
	})
}

// FuzzOf wants nothing of a Secret in whatever becomes of its bodies, and no panic.
func FuzzOf(f *testing.F) {
	f.Add("patch", `{"data":{"a":"CANARY"}}`, `{"kind":"Secret","data":{"a":"CANARY"},"metadata":{"name":"db"}}`)
	f.Add("patch", `[{"op":"add","path":"/stringData/a","value":"CANARY"}]`, ``)
	f.Add("update", `{"stringData":"CANARY","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"CANARY"}}}`, `{"kind":"Status"}`)
	f.Add("delete", `{"kind":"DeleteOptions"}`, `{"kind":"List","items":[{"data":{"a":"CANARY"}}]}`)
	f.Fuzz(func(t *testing.T, verb, sent, answer string) {
		bodies := func(text string) []byte {
			if !json.Valid([]byte(text)) {
				return nil
			}
			return []byte(text)
		}
		e := logged{verb: "get", ref: secretRef}.event(t)
		e.Verb, e.RequestObject, e.ResponseObject = []byte(verb), bodies(sent), bodies(answer)
		s := New(1 << 16)
		for range 2 {
			c, _ := s.Of(e)
			out, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			inData := `{"data":{"a":"CANARY"}}`
			if (sent == inData || answer == inData) && strings.Contains(string(out)+fmt.Sprint(c.Text(identity)), "CANARY") {
				t.Errorf("%s", out)
			}
		}
	})
}

// TestSecretsAnywhere puts a secret wherever a client may write one in a Secret.
func TestSecretsAnywhere(t *testing.T) {
	for _, sent := range []string{
		`{"kind":"Secret","metadata":{"annotations":{"kapp.k14s.io/original":"hunter2"}}}`,
		`{"kind":"Secret","strngData":{"a":"hunter2"}}`,
		`{"kind":"Secret","data":[{"name":"hunter2","value":1}]}`,
		`{"kind":"Secret","data":"hunter2"}`,
		`{"metadata":"hunter2"}`,
		`{"kind":"Secret","metadata":{"labels":{"a":"hunter2"},"finalizers":["hunter2"],"ownerReferences":[{"uid":"u","name":"hunter2"}]}}`,
		`[{"op":"add","path":"/metadata/labels/a","value":"hunter2"},{"op":"add","path":"/metadata/finalizers/0","value":"hunter2"}]`,
		`{"metadata":{"annotations":["hunter2"]}}`,
		`{"metadata":{"name":"db","stringData":{"a":"hunter2"},"annotation":{"a":"hunter2"},"generateName":"hunter2"}}`,
		`[{"op":"add","path":"/metadata/data/a","value":"hunter2"},{"op":"add","path":"/metadata","value":{"data":{"a":["hunter2"]}}}]`,
		`[{"op":"replace","path":"","value":"hunter2"}]`,
		`{"$deleteFromPrimitiveList/data":["hunter2"]}`,
		`[{"op":"add","path":"/metadata/annotations","value":"hunter2"}]`,
		`[{"op":"test","path":"/data/0","value":"hunter2"}]`,
		`[{"op":"replace","path":"","value":{"stringdata":{"a":"hunter2"}}}]`,
	} {
		for _, verb := range []string{"create", "update", "patch", "delete"} {
			for _, code := range []int{200, 201, 422, 504} {
				s := New(1 << 20)
				s.Of(logged{verb: "get", ref: secretRef, answer: secretObject(`{"a":"hunter2"}`)}.event(t))
				c, _ := s.Of(logged{verb: verb, ref: secretRef, code: code, sent: sent, answer: `{"kind":"Secret","metadata":{"deletionTimestamp":"x","finalizers":["a/hunter2"]}}`}.event(t))
				text, err := json.Marshal(c)
				if all := string(text) + strings.Join(c.Text(identity), "\n"); err != nil || strings.Contains(all, "hunter2") {
					t.Errorf("%v: %s %d of %s shows %s", err, verb, code, sent, all)
				}
			}
		}
	}
}

// TestNotShownIsNoText wants a text that looks like a hidden value told from one.
func TestNotShownIsNoText(t *testing.T) {
	if got := value(NotShown); got != `"(not shown)"` {
		t.Errorf("a text is shown as %s", got)
	}
}
