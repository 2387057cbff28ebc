package simulate

import (
	"fmt"
	"os"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
	"auditpatch/presets"
)

// BenchmarkRun replays the log that SIMULATE_LOG names, or one of 60,000 events that it makes.
func BenchmarkRun(b *testing.B) {
	logs := benchmarkLog(b)
	preset, err := presets.Get("metadata")
	if err != nil {
		b.Fatal(err)
	}
	text, err := preset.Policy(nil)
	if err != nil {
		b.Fatal(err)
	}
	p, err := policy.Load("preset metadata", text)
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for b.Loop() {
		r, err := Run(b.Context(), Request{Logs: logs, New: p})
		if err != nil {
			b.Fatal(err)
		}
		size = r.Log.All.Bytes
	}
	b.SetBytes(size)
}

func benchmarkLog(b *testing.B) []read.Log {
	if name := os.Getenv("SIMULATE_LOG"); name != "" {
		logs, err := read.Find([]string{name}, nil)
		if err != nil {
			b.Fatal(err)
		}
		return logs
	}
	d := newDice(1)
	var lines []string
	for i := range 60_000 {
		at := began.Add(time.Duration(i) * time.Second)
		lines = append(lines, text(b, made(d.request(), audit.StageResponseComplete, audit.LevelMetadata, fmt.Sprint(i), at)))
	}
	return logOf(b, lines...)
}
