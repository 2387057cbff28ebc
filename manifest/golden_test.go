package manifest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/diff"
	corev1 "k8s.io/api/core/v1"
)

var update = flag.Bool("update", false, "write the golden diffs anew")

// usual is what turns the feature on that this package was written for: five
// flags, two mounts, two volumes, one annotation.
func usual() []Edit {
	return []Edit{
		SetFlag{"audit-policy-file", "/etc/kubernetes/audit-policy.yaml"},
		SetFlag{"audit-log-path", "/var/log/kubernetes/audit/audit.log"},
		SetFlag{"audit-log-maxage", "30"},
		SetFlag{"audit-log-maxbackup", "10"},
		SetFlag{"audit-log-maxsize", "100"},
		AddMount{corev1.VolumeMount{Name: "audit", MountPath: "/etc/kubernetes/audit-policy.yaml", ReadOnly: true}},
		AddMount{corev1.VolumeMount{Name: "audit-log", MountPath: "/var/log/kubernetes/audit"}},
		AddVolume{hostPath("audit", "/etc/kubernetes/audit-policy.yaml", corev1.HostPathFile)},
		AddVolume{hostPath("audit-log", "/var/log/kubernetes/audit", corev1.HostPathDirectoryOrCreate)},
		SetAnnotation{"auditpatch/policy-sha256", "0123456789abcdef"},
	}
}

func hostPath(name, path string, kind corev1.HostPathType) corev1.Volume {
	if kind == "" {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}}
	}
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &kind}}}
}

// inverse drops what edits add or set.
func inverse(edits []Edit) []Edit {
	var drops []Edit
	for _, e := range edits {
		switch e := e.(type) {
		case SetFlag:
			drops = append(drops, DropFlag{e.Name})
		case AddMount:
			drops = append(drops, DropMount{e.Mount.MountPath})
		case AddVolume:
			drops = append(drops, DropVolume{e.Volume.Name})
		case SetAnnotation:
			drops = append(drops, DropAnnotation{e.Key})
		}
	}
	return drops
}

// fixtures are the manifests of testdata by name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, pattern := range []string{"*.yaml", "*.json"} {
		names, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no fixtures %s: %v", pattern, err)
		}
		for _, name := range names {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.Base(name)] = src
		}
	}
	return all
}

func parse(t testing.TB, src []byte) *File {
	t.Helper()
	f, err := Parse("f.yaml", src)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return f
}

func apply(t testing.TB, src []byte, edits ...Edit) []byte {
	t.Helper()
	out, err := parse(t, src).Apply(edits...)
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, src)
	}
	return out
}

// TestGolden applies the usual edits to each fixture. The diffs beside the
// fixtures are reviewed by eye: no line in them may change that need not.
func TestGolden(t *testing.T) {
	for name, src := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			out := apply(t, src, usual()...)
			golden := filepath.Join("testdata", name+".diff")
			got := diff.Diff(name, src, name, out)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("not as in %s (-want +got):\n%s", golden, d)
			}
			checkResult(t, src, out, usual())
		})
	}
}

// TestGoldenReverse takes the usual edits out again, in the same order, the
// other way round, and one after the other.
func TestGoldenReverse(t *testing.T) {
	for name, src := range fixtures(t) {
		if bytes.Contains(src, []byte("audit_log")) || bytes.Contains(src, []byte("audit-log")) {
			continue // these set flags that are there already
		}
		t.Run(name, func(t *testing.T) {
			out := apply(t, src, usual()...)
			drops := inverse(usual())
			back := apply(t, out, drops...)
			if !bytes.Equal(back, src) {
				t.Errorf("dropped together:\n%s", diff.Diff("want", src, "got", back))
			}
			for i := range drops {
				out = apply(t, out, drops[len(drops)-1-i])
				if i == 0 {
					// The volumes cannot go while they are mounted.
					drops = append(drops[7:9:9], append(drops[:7:7], drops[9])...)
				}
			}
			if !bytes.Equal(out, src) {
				t.Errorf("dropped one by one:\n%s", diff.Diff("want", src, "got", out))
			}
		})
	}
}

// TestIdentity applies nothing.
func TestIdentity(t *testing.T) {
	for name, src := range fixtures(t) {
		f := parse(t, src)
		if out := apply(t, src); !bytes.Equal(out, src) || !bytes.Equal(f.Bytes(), src) {
			t.Errorf("%s: changed", name)
		}
		if f.Name() != "f.yaml" || f.Pod().Name != "kube-apiserver" || !strings.Contains(f.Container().Name, "apiserver") {
			t.Errorf("%s: %s, pod %s, container %s", name, f.Name(), f.Pod().Name, f.Container().Name)
		}
	}
}
