package main

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPackageOf(t *testing.T) {
	t.Parallel()
	for symbol, want := range map[string]string{
		"main.main": "main",
		"k8s.io/api/core/v1.(*PodSpec).Unmarshal":          "k8s.io/api/core/v1",
		"k8s.io/api/core/v1.init":                          "k8s.io/api/core/v1",
		"go.yaml.in/yaml/v3.resolve.func1":                 "go.yaml.in/yaml/v3",
		"gopkg.in/natefinch/lumberjack%2ev2.(*Logger).Log": "gopkg.in/natefinch/lumberjack.v2",
		"slices.SortFunc[go.shape.[]k8s.io/api.X]":         "slices",
		"type:.eq.net/netip.Prefix":                        "symbols type:",
		"go:func.*":                                        "symbols go:",
		"_cgo_init":                                        "symbols without a package",
	} {
		if got := packageOf(symbol); got != want {
			t.Errorf("%s: %q, want %q", symbol, got, want)
		}
	}
}

// built is this program with its symbols.
func built(t *testing.T) *elf.File {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "size")
	build := exec.Command("go", "build", "-ldflags=-w", "-o", binary, ".")
	build.Env = append(build.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestMeasure adds up a binary of its own: the sum is that of the sections, and
// what is known to be in it has a line.
func TestMeasure(t *testing.T) {
	t.Parallel()
	f := built(t)
	sizes, err := measure(f)
	if err != nil {
		t.Fatal(err)
	}
	var sum, want uint64
	for _, size := range sizes {
		sum += size
	}
	for _, s := range f.Sections {
		if inProgram(s) {
			want += s.Size
		}
	}
	// Alignment and symbols that share bytes leave a little room for error.
	if diff := int64(sum) - int64(want); diff < 0 || diff > int64(want)/50 {
		t.Errorf("%d bytes by package, %d in the sections", sum, want)
	}
	for _, name := range []string{"main", "debug/elf", "runtime", "section .gopclntab"} {
		if sizes[name] == 0 {
			t.Errorf("%s has no line", name)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := list(&out, map[string]uint64{"a": 1, "b": 3, "c": 1}); err != nil {
		t.Fatal(err)
	}
	const text = "        3  60.0 %  b\n        1  20.0 %  a\n        1  20.0 %  c\n        5         in all\n"
	if out.String() != text {
		t.Errorf("got\n%swant\n%s", out.String(), text)
	}
}
