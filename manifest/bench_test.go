package manifest

import (
	"os"
	"path/filepath"
	"testing"
)

func kubeadm(b *testing.B) []byte {
	b.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", "kubeadm-1.36.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	return src
}

func BenchmarkParse(b *testing.B) {
	src := kubeadm(b)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		parse(b, src)
	}
}

// BenchmarkParse100000 reads a command line of 100,000 flags.
func BenchmarkParse100000(b *testing.B) {
	src := []byte(pod("    command:\n    - kube-apiserver\n"+parts(100_000, "    - --flag-%d=v\n"), "", ""))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		parse(b, src)
	}
}

func BenchmarkApply(b *testing.B) {
	f := parse(b, kubeadm(b))
	edits := usual()
	for b.Loop() {
		if _, err := f.Apply(edits...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyNothing(b *testing.B) {
	edits := usual()
	f := parse(b, apply(b, kubeadm(b), edits...))
	for b.Loop() {
		if _, err := f.Apply(edits...); err != nil {
			b.Fatal(err)
		}
	}
}
