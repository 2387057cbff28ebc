package manifest

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestAllOrNothing leaves the file as it was when one edit is refused.
func TestAllOrNothing(t *testing.T) {
	src := fixtures(t)["kubeadm-1.36.yaml"]
	f := parse(t, src)
	before := f.Pod().DeepCopy()
	out, err := f.Apply(append(usual(), AddMount{corev1.VolumeMount{Name: "none", MountPath: "/none"}})...)
	if err == nil || out != nil {
		t.Errorf("a mount without a volume: %v\n%s", err, out)
	}
	if _, err := f.Apply(usual()...); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
	if !bytes.Equal(f.Bytes(), src) || cmp.Diff(before, f.Pod()) != "" {
		t.Error("the file has changed")
	}
}

// TestOrder makes edits one by one and together, with the same result.
func TestOrder(t *testing.T) {
	src := fixtures(t)["indented.yaml"]
	together := apply(t, src, usual()...)
	edits := usual()
	slices.SortStableFunc(edits, func(a, b Edit) int { // a volume before its mount
		_, x := a.(AddVolume)
		_, y := b.(AddVolume)
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	single := src
	for _, e := range edits {
		single = apply(t, single, e)
	}
	if d := cmp.Diff(string(together), string(single)); d != "" {
		t.Errorf("-together +one by one:\n%s", d)
	}
}

// TestContradiction takes the last word, and ends where it began.
func TestContradiction(t *testing.T) {
	src := []byte(pod("    command:\n    - kube-apiserver\n    - --a=1\n", "", ""))
	for _, c := range []struct {
		edits []Edit
		want  string
	}{
		{[]Edit{SetFlag{"a", "2"}, SetFlag{"a", "3"}}, "    - --a=3\n"},
		{[]Edit{SetFlag{"a", "2"}, SetFlag{"a", "1"}}, "    - --a=1\n"},
		{[]Edit{DropFlag{"a"}, SetFlag{"a", "2"}}, "    - --a=2\n"},
		{[]Edit{SetFlag{"b", "2"}, DropFlag{"b"}}, "    - --a=1\n"},
		{[]Edit{AddVolume{hostPath("v", "/v", "")}, DropVolume{"v"}}, "    - --a=1\n"},
		{[]Edit{SetAnnotation{"v", "1"}, SetAnnotation{"v", "2"}, DropAnnotation{"v"}}, "    - --a=1\n"},
	} {
		got := string(apply(t, src, c.edits...))
		if want := strings.Replace(string(src), "    - --a=1\n", c.want, 1); got != want {
			t.Errorf("%v:\n%s", c.edits, cmp.Diff(want, got))
		}
	}
}

// TestMountBecomesWritable drops a mount and adds it again in one go.
func TestMountBecomesWritable(t *testing.T) {
	src := []byte(pod("    command: [kube-apiserver]\n    volumeMounts:\n    - {mountPath: /a, name: v, readOnly: true}\n    - {mountPath: /b, name: v}\n", "  volumes: [{name: v}]\n", ""))
	edits := []Edit{DropMount{"/a"}, AddMount{corev1.VolumeMount{Name: "v", MountPath: "/a"}}}
	want := strings.Replace(string(src), "    - {mountPath: /a, name: v, readOnly: true}\n", "", 1)
	want = strings.Replace(want, "/b, name: v}\n", "/b, name: v}\n    - mountPath: /a\n      name: v\n      readOnly: false\n", 1)
	if d := cmp.Diff(want, string(apply(t, src, edits...))); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestConcurrent applies to one File from many goroutines.
func TestConcurrent(t *testing.T) {
	f := parse(t, fixtures(t)["anchors.yaml"])
	want, err := f.Apply(usual()...)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := f.Apply(usual()...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
	wg.Wait()
}

// TestNullWords keeps items that are null, which the kubelet reads as "".
func TestNullWords(t *testing.T) {
	src := pod("    command:\n    - kube-apiserver\n    - --a\n    - ~\n    -\n    - --b\n", "", "")
	f := parse(t, []byte(src))
	if a, _ := f.Flag("a"); a.Value != "" || a.Alone {
		t.Errorf("--a is %+v", a)
	}
	if got := string(apply(t, []byte(src), SetFlag{"c", "1"})); got != src+"    - --c=1\n" {
		t.Errorf("set:\n%s", got)
	}
	if got, want := string(apply(t, []byte(src), DropFlag{"b"})), strings.Replace(src, "    - --b\n", "", 1); got != want {
		t.Errorf("drop:\n%s", got)
	}
}

// TestFileForErrors names the file as Parse was told to.
func TestFileForErrors(t *testing.T) {
	_, err := Parse("/etc/kubernetes/manifests/x.yaml", []byte("kind: List\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "/etc/kubernetes/manifests/x.yaml:1:7: ") {
		t.Errorf("%v", err)
	}
	f, err := Parse("-", []byte(pod("    command: [kube-apiserver]\n", "", "")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Apply(SetFlag{"", ""}); err == nil || err.Error() != `-: "" is not the name of a flag` {
		t.Errorf("%v", err)
	}
}
