//go:build unix

package explain

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/policytest"
	"auditpatch/presets"
)

// BenchmarkEvents compares explaining 100,000 events, read as text, with the
// evaluator's own time for their requests on one goroutine, which are ready in memory.
// Of each it takes the best of some times, as a machine may do other work as well:
// x-evaluator is of the time that passes, x-evaluator-cpu of all goroutines' together.
func BenchmarkEvents(b *testing.B) {
	events := clusterEvents(100_000)
	text := strings.Join(events, "\n") + "\n"
	for name, p := range benchmarkPolicies(b) {
		b.Run(name, func(b *testing.B) {
			attrs := make([]authorizer.Attributes, 0, len(events))
			_, err := Events(b.Context(), p, strings.NewReader(text), func(e Event, _ Answer) error {
				attrs = append(attrs, e.Request.Attributes())
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			explaining, evaluating := best{}, best{}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				explaining.of(b, func() {
					_, err = Events(b.Context(), p, strings.NewReader(text), func(Event, Answer) error { return nil })
				})
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				runtime.GC() // what explaining left behind is not for the evaluator to clear
				evaluating.of(b, func() {
					for _, a := range attrs {
						p.Evaluate(a)
					}
				})
				b.StartTimer()
			}
			perEvent := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(len(events)) }
			b.ReportMetric(perEvent(explaining.wall), "ns/event")
			b.ReportMetric(perEvent(explaining.cpu), "cpu-ns/event")
			b.ReportMetric(perEvent(evaluating.wall), "ns/evaluation")
			b.ReportMetric(float64(explaining.wall)/float64(evaluating.wall), "x-evaluator")
			b.ReportMetric(float64(explaining.cpu)/float64(evaluating.cpu), "x-evaluator-cpu")
		})
	}
}

// BenchmarkDecoding is what comes to mind first: a program that decodes the events with
// encoding/json and asks the evaluator.
func BenchmarkDecoding(b *testing.B) {
	events := clusterEvents(10_000)
	p := benchmarkPolicies(b)["baseline"]
	for b.Loop() {
		decodeAndEvaluate(b, p, events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
}

// best is the least time that something took.
type best struct{ wall, cpu time.Duration }

func (t *best) of(b *testing.B, do func()) {
	start, cpu := time.Now(), policytest.CPUTime(b)
	do()
	wall, used := time.Since(start), policytest.CPUTime(b)-cpu
	if t.wall == 0 || wall < t.wall {
		t.wall = wall
	}
	if t.cpu == 0 || used < t.cpu {
		t.cpu = used
	}
}

// decodeAndEvaluate is what comes to mind first.
func decodeAndEvaluate(b *testing.B, p *policy.Policy, events []string) {
	b.Helper()
	for _, line := range events {
		var e auditv1.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			b.Fatal(err)
		}
		r := policy.Request{User: e.User.Username, Groups: e.User.Groups, Verb: e.Verb, Path: e.RequestURI}
		if ref := e.ObjectRef; ref != nil {
			r.Group, r.Resource, r.Subresource, r.Namespace, r.Name = ref.APIGroup, ref.Resource, ref.Subresource, ref.Namespace, ref.Name
		}
		p.Evaluate(r.Attributes())
	}
}

func benchmarkPolicies(b *testing.B) map[string]*policy.Policy {
	b.Helper()
	out := map[string]*policy.Policy{}
	for _, pre := range presets.All() {
		text, err := pre.Policy(nil)
		if err != nil {
			b.Fatal(err)
		}
		if out[pre.Name], err = policy.Load(pre.Name, text); err != nil {
			b.Fatal(err)
		}
	}
	var many strings.Builder
	many.WriteString(head + "rules:\n")
	for i := range 999 {
		fmt.Fprintf(&many, "- level: Metadata\n  users: [user-%d]\n  verbs: [get, create]\n  resources:\n  - group: group-%d.example\n    resources: [things]\n", i, i%50)
	}
	many.WriteString("- level: Metadata\n")
	var err error
	if out["1000-rules"], err = policy.Load("p.yaml", []byte(many.String())); err != nil {
		b.Fatal(err)
	}
	if name := os.Getenv("BENCHMARK_POLICY"); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if out["own"], err = policy.Load(name, text); err != nil {
			b.Fatal(err)
		}
	}
	return out
}
