//go:build unix

package explain

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"auditpatch/internal/policy"
	"auditpatch/presets"
)

// BenchmarkEvents compares explaining 100,000 events, read as text, with the
// evaluator's own time for their requests, which are ready in memory, and with what a
// program takes that decodes the events with encoding/json and asks the evaluator.
func BenchmarkEvents(b *testing.B) {
	events := clusterEvents(100_000)
	text := strings.Join(events, "\n") + "\n"
	for name, p := range benchmarkPolicies(b) {
		b.Run(name, func(b *testing.B) {
			attrs := make([]authorizer.Attributes, 0, len(events))
			_, err := Events(p, strings.NewReader(text), func(e Event, _ Answer) error {
				attrs = append(attrs, e.Request.Attributes())
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			var explaining, evaluating, decoding time.Duration
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				start := cpuTime()
				if _, err := Events(p, strings.NewReader(text), func(Event, Answer) error { return nil }); err != nil {
					b.Fatal(err)
				}
				explaining += cpuTime() - start
				b.StopTimer()
				runtime.GC() // what explaining left behind is not for the evaluator to clear
				start = cpuTime()
				for _, a := range attrs {
					p.Evaluate(a)
				}
				evaluating += cpuTime() - start
				start = cpuTime()
				decodeAndEvaluate(b, p, events)
				decoding += cpuTime() - start
				b.StartTimer()
			}
			perEvent := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N) / float64(len(events)) }
			b.ReportMetric(perEvent(explaining), "ns/event")
			b.ReportMetric(perEvent(evaluating), "ns/evaluation")
			b.ReportMetric(float64(explaining)/float64(evaluating), "x-evaluator")
			b.ReportMetric(float64(explaining)/float64(decoding), "x-decoding")
		})
	}
}

// cpuTime is the time that this process has computed, on a machine that may do other
// work as well.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
