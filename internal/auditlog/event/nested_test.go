package event

import (
	"bytes"
	"os"
	"testing"
)

func BenchmarkNested(b *testing.B) {
	text, _ := os.ReadFile("/tmp/engine-log/big.log")
	var bodies [][]byte
	n := 0
	for line := range bytes.Lines(text[:100<<20]) {
		if len(line) > 5000 {
			var e Event
			if e.Parse(line, WantBodies) == nil && e.RequestObject != nil {
				bodies = append(bodies, e.RequestObject)
				n += len(e.RequestObject)
			}
		}
	}
	b.SetBytes(int64(n))
	for b.Loop() {
		for _, x := range bodies {
			if nested(x, 0) != len(x) {
				b.Fatal(1)
			}
		}
	}
}
