package manifest

import (
	"bytes"
	"fmt"
	oldrand "math/rand"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestTogetherIsOneByOne holds edits that are made at once against the same edits
// made one after the other: the bytes have to be the same.
func TestTogetherIsOneByOne(t *testing.T) {
	batched := 0
	texts := fixtures(t)
	for i := range mutants(t) / 25 {
		texts[fmt.Sprintf("generated %d", i)] = []byte((&generator{Rand: oldrand.New(oldrand.NewSource(int64(i)))}).text())
	}
	for name, src := range texts {
		f, err := Parse(name, src)
		if err != nil {
			continue
		}
		rng := rand.New(rand.NewPCG(1, uint64(len(src))))
		for range 4 {
			edits := someEdits(rng, f)
			want, err1 := f.apply(edits, oneByOne)
			got, err2 := f.apply(edits, together)
			if err1 != nil || err2 != nil {
				if err1 == nil != (err2 == nil) {
					t.Errorf("%s: %v: one by one %v, together %v", name, edits, err1, err2)
				}
				continue
			}
			batched++
			if !bytes.Equal(got.src, want.src) {
				t.Errorf("%s: %v\none by one:\n%s\ntogether:\n%s", name, edits, want.src, got.src)
			}
		}
	}
	if batched < 50 {
		t.Errorf("only %d comparisons", batched)
	}
	t.Logf("%d comparisons", batched)
}

// TestTogetherQuotes: in a flow list over several lines a new item is quoted like the one
// before it, which may be new itself.
func TestTogetherQuotes(t *testing.T) {
	f, err := Parse("m.yaml", []byte(`apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver}
spec:
  containers:
  - name: kube-apiserver
    image: registry.k8s.io/kube-apiserver:v1.36.3
    command: [
      kube-apiserver,
      --v=2,
    ]
`))
	if err != nil {
		t.Fatal(err)
	}
	edits := []Edit{SetFlag{"three", "a b"}, SetFlag{"four", "4"}}
	want, err1 := f.apply(edits, oneByOne)
	got, err2 := f.apply(edits, together)
	if err1 != nil || err2 != nil || !bytes.Equal(got.src, want.src) {
		t.Errorf("%v %v\none by one:\n%s\ntogether:\n%s", err1, err2, want.src, got.src)
	}
}

// someEdits are edits of new and of present things, in any order.
func someEdits(rng *rand.Rand, f *File) []Edit {
	file := corev1.HostPathFile
	edits := append(usual()[:3],
		SetFlag{"one", "1"}, SetFlag{"two", "-2"}, SetFlag{"v", "--x"}, SetFlag{"three", "a b"}, DropFlag{"two"}, DropFlag{"one"},
		SetAnnotation{"a/b", "c"}, DropAnnotation{"a/b"}, DropVolume{"w"},
		SetFlag{"four", "4"}, SetFlag{"five", "5"},
		AddVolume{corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/x", Type: &file}}}},
		AddVolume{corev1.Volume{Name: "w", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/w"}}}},
	)
	for i, fl := range f.Flags() {
		if i < 3 || i > len(f.Flags())-3 {
			edits = append(edits, DropFlag{fl.Name}, SetFlag{fl.Name, "changed"}, SetFlag{fl.Name, "-changed"})
		}
	}
	for i, m := range f.Container().VolumeMounts {
		if i < 2 || i > len(f.Container().VolumeMounts)-3 {
			edits = append(edits, DropMount{m.MountPath})
		}
	}
	for k := range f.Pod().Annotations {
		edits = append(edits, DropAnnotation{k}, SetAnnotation{k, "other"})
	}
	if c := f.Pod().Spec.Volumes; len(c) > 0 {
		edits = append(edits, AddMount{corev1.VolumeMount{Name: c[0].Name, MountPath: "/y"}}, DropMount{"/y"})
	}
	rng.Shuffle(len(edits), func(i, j int) { edits[i], edits[j] = edits[j], edits[i] })
	return edits[:1+rng.IntN(min(len(edits), 14))]
}
