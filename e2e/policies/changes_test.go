//go:build e2e

package policies

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"auditpatch/e2e/apiserver"
	"auditpatch/internal/answer/changes"
	logged "auditpatch/internal/auditlog/event"
)

// everyBody records both bodies of all that is about deployments.
const everyBody = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  resources: [{group: apps, resources: [deployments, deployments/scale]}]
- level: None
`

const deployments = "/apis/apps/v1/namespaces/default/deployments"

// done is a request, and the last lines of what must be said of it.
type done struct {
	method, target, media string
	body                  string
	want                  []string
}

const web = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"nginx","image":"nginx:1.26"}]}}}}`

func changesDone() []done {
	const image = "spec.template.spec.containers[nginx].image: "
	patch := func(media, body string, want ...string) done {
		return done{http.MethodPatch, deployments + "/web", "application/" + media, body, want}
	}
	return []done{
		{http.MethodPost, deployments, "application/json", web, []string{"+ spec.replicas: 2", "+ spec.selector.matchLabels.a: b", "+ spec.template.metadata.labels.a: b", "+ " + image + "nginx:1.26"}},
		{http.MethodPut, deployments + "/web", "application/json", strings.Replace(web, "1.26", "1.27", 1), []string{image + "nginx:1.26 -> nginx:1.27"}},
		patch("merge-patch+json", `{"spec":{"replicas":3}}`, "spec.replicas: 2 -> 3"),
		patch("strategic-merge-patch+json", `{"spec":{"template":{"spec":{"containers":[{"name":"nginx","image":"nginx:1.28"}]}}}}`, image+"nginx:1.27 -> nginx:1.28"),
		patch("json-patch+json", `[{"op":"replace","path":"/spec/replicas","value":4}]`, "spec.replicas: 3 -> 4"),
		{http.MethodPatch, deployments + "/web?fieldManager=test&force=true", "application/apply-patch+yaml",
			`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"c":"d"}}}`, []string{"+ metadata.labels.c: d"}},
		{http.MethodPatch, deployments + "/web/scale", "application/merge-patch+json", `{"spec":{"replicas":6}}`, []string{"= spec.replicas: 6"}},
		patch("merge-patch+json", `{"metadata":{"labels":{"c":null}}}`, "- metadata.labels.c: d", "spec.replicas: 4 -> 6"),
		{http.MethodDelete, deployments + "/web", "application/json", `{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}`, []string{"= propagationPolicy: Background"}},
	}
}

// TestChanges does what people do to an object, and wants events --diff to say that.
func TestChanges(t *testing.T) {
	server := serve(t, start(t), []byte(everyBody))
	client := server.Client()
	defer client.Close()
	all := changesDone()
	for _, d := range all {
		answer, err := client.Do(apiserver.Request{As: apiserver.Admin, Method: d.method, Target: d.target, Header: map[string]string{"Content-Type": d.media}, Body: []byte(d.body)})
		if err != nil || answer.Status/100 != 2 {
			t.Fatalf("%s %s: %d %s (%v)", d.method, d.target, answer.Status, answer.Body, err)
		}
	}
	seen := changes.New(1 << 20)
	n := 0
	for line := range bytes.Lines(end(t, server)) {
		var e logged.Event
		if err := e.Parse(line, changes.Fields); err != nil {
			t.Fatal(err)
		}
		c, ok := seen.Of(&e)
		if !ok {
			continue
		}
		var got []string
		for i, text := range c.Text(func(text string) string { return text }) {
			if i == 0 {
				t.Logf("%s %s: %s", e.Verb, e.RequestURI, text)
			}
			if text = strings.TrimSpace(text); strings.HasPrefix(text, "+ ") || strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "= ") || strings.Contains(text, " -> ") {
				got = append(got, text)
			}
		}
		if string(e.Verb) == "create" && n < len(all) {
			// The API server puts its defaults into the object before it is recorded.
			got = slices.DeleteFunc(got, func(text string) bool { return !slices.Contains(all[n].want, text) })
		}
		if n == len(all) || !slices.Equal(got, all[n].want) {
			t.Errorf("%s %s: %q, want %q", e.Verb, e.RequestURI, got, all[min(n, len(all)-1)].want)
		}
		n++
	}
	if n != len(all) {
		t.Errorf("%d changes, want %d", n, len(all))
	}
}
