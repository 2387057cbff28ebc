package manifest

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// long are manifests of n parts, of all sorts.
var long = []struct {
	name string
	n    int
	text func(n int) string
}{
	{"command", 1000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "    - --flag-%d=v\n"), "", "")
	}},
	{"args", 1000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n    args:\n"+parts(n, "    - --flag-%d=v\n"), "", "")
	}},
	{"two items", 1000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "    - --flag-%d\n    - v\n"), "", "")
	}},
	{"quoted", 1000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "    - \"--flag-%d=v\"\n"), "", "")
	}},
	{"comments", 1000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "    # %d\n    - --f=v # c\n"), "", "")
	}},
	{"flow", 1000, func(n int) string { return pod("    command: [kube-apiserver"+parts(n, ", --flag-%d=v")+"]\n", "", "") }},
	{"flow lines", 1000, func(n int) string {
		return pod("    command: [\n      kube-apiserver,\n"+parts(n, "      --flag-%d=v,\n")+"    ]\n", "", "")
	}},
	{"JSON", 1000, func(n int) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"kube-apiserver"},"spec":{"containers":[{"name":"kube-apiserver","image":"registry.k8s.io/kube-apiserver:v1.36.0","command":["kube-apiserver"` + parts(n, `,"--flag-%d=v"`) + `]}]}}`
	}},
	{"mounts", 500, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n    volumeMounts:\n"+parts(n, "    - {name: v%[1]d, mountPath: /m/%[1]d}\n"), "  volumes:\n"+parts(n, "  - {name: v%[1]d, hostPath: {path: /m/%[1]d}}\n"), "")
	}},
	{"keys and mounts", 500, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "    k%d: v\n")+"    volumeMounts:\n"+parts(n, "    - {name: v%[1]d, mountPath: /m/%[1]d}\n"), parts(n, "  k%d: v\n")+"  volumes:\n"+parts(n, "  - {name: v%[1]d, hostPath: {path: /m/%[1]d}}\n"), "")
	}},
	{"annotations", 500, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n", "", "  annotations:\n"+parts(n, "    a%d: v\n"))
	}},
	{"containers", 500, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "  - name: c%d\n    image: x\n"), "", "")
	}},
	{"long value", 50000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n    - --x="+strings.Repeat("v", n)+"\n", "", "")
	}},
	{"quotes in a plain word", 20000, func(n int) string {
		return pod("    command: [kube-apiserver, --x=a"+strings.Repeat("'", n)+"b]\n", "", "")
	}},
	{"blank lines", 20000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+strings.Repeat("\n", n)+"    - --x=y\n", "", "")
	}},
	{"comment lines", 10000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "    # %d\n")+"    - --x=y\n", "", "")
	}},
	{"literal", 10000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n    x: |\n"+parts(n, "      %d\n"), "", "")
	}},
	{"nested", 400, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n    x: "+strings.Repeat("[", n)+strings.Repeat("]", n)+"\n", "", "")
	}},
	{"anchors", 1000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n    x:\n"+parts(n, "    - &a%[1]d v\n    - *a%[1]d\n"), "", "")
	}},
	{"broken at its end", 4000, func(n int) string {
		return pod("    command: [kube-apiserver,\n"+parts(n, "    --flag-%d=v,\n"), "", "")
	}},
	{"no string at its end", 1000, func(n int) string {
		return pod("    command:\n    - kube-apiserver\n"+parts(n, "    - a%d\n")+"    - 5\n", "", "")
	}},
}

// TestLinear holds the processor time of eight times the input against that of
// the input: it grows eightfold, and with the square sixty-four times.
func TestLinear(t *testing.T) {
	for _, l := range long {
		t.Run(l.name, func(t *testing.T) {
			small, large := []byte(l.text(l.n)), []byte(l.text(8*l.n))
			ratio := 99.0
			for try := 0; try < 3 && ratio >= 24; try++ {
				ratio = min(ratio, float64(cost(large))/float64(cost(small)+time.Millisecond))
			}
			t.Logf("%d bytes to %d: %.1f times the work", len(small), len(large), ratio)
			if ratio >= 24 {
				t.Errorf("eight times the input takes %.1f times the work", ratio)
			}
		})
	}
}

// cost is the processor time to read and edit a manifest, or to refuse it.
func cost(src []byte) time.Duration {
	began := processorTime()
	if f, err := Parse("m.yaml", src); err == nil {
		_, _ = f.Apply(usual()...)
	}
	return processorTime() - began
}

func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
