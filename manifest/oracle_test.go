package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// The oracle makes the edits a third time, on the typed Pod, with nothing of
// the package but the edits' own data. What it says is compared with what the
// text means after an edit.

// decodePod reads a manifest into the typed Pod as the kubelet does.
func decodePod(src []byte) (pod *corev1.Pod, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	j := src
	if !strings.HasPrefix(strings.TrimSpace(string(src)), "{") {
		if j, err = sigsyaml.YAMLToJSON(src); err != nil {
			return nil, err
		}
	}
	pod = &corev1.Pod{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(j, pod); err != nil {
		return nil, err
	}
	if pod.Kind != "Pod" || pod.APIVersion != "v1" {
		return nil, fmt.Errorf("%s %s", pod.APIVersion, pod.Kind)
	}
	return pod, nil
}

// read is a flag as an independent reader of the command line sees it.
type read struct {
	name, value string
	alone       bool
	from, to    int // its items in the vector
}

// readVector reads flags from a whole command line, the program included.
func readVector(v []string, from int) []read {
	var flags []read
	for i := from; i < len(v); {
		word, isFlag := strings.CutPrefix(v[i], "--")
		if !isFlag {
			i++
			continue
		}
		r := read{name: word, from: i, to: i + 1, alone: true}
		if at := strings.Index(word, "="); at >= 0 {
			r.name, r.value, r.alone = word[:at], word[at+1:], false
		} else if i+1 < len(v) && isValue(v[i+1]) {
			r.value, r.to, r.alone = v[i+1], i+2, false
		}
		r.name = strings.Join(strings.Split(r.name, "_"), "-")
		flags = append(flags, r)
		i = r.to
	}
	return flags
}

// isValue tells a value from a flag: a word, "-" or a negative number.
func isValue(s string) bool {
	if !strings.HasPrefix(s, "-") || s == "-" {
		return true
	}
	return strings.ContainsAny(s[1:2], "0123456789")
}

// applyTyped makes the edits on the Pod. server is the container's name, skip
// what its program takes of the command line.
func applyTyped(pod *corev1.Pod, server string, skip int, edits []Edit) {
	var c *corev1.Container
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == server {
			c = &pod.Spec.Containers[i]
		}
	}
	for _, e := range edits {
		switch e := e.(type) {
		case SetFlag:
			setTyped(c, skip, e)
		case DropFlag:
			dropTyped(c, skip, e)
		case AddMount:
			if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == e.Mount.MountPath }) {
				c.VolumeMounts = append(c.VolumeMounts, e.Mount)
			}
		case DropMount:
			c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == e.MountPath })
		case AddVolume:
			if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == e.Volume.Name }) {
				pod.Spec.Volumes = append(pod.Spec.Volumes, e.Volume)
			}
		case DropVolume:
			pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == e.Name })
		case SetMountReadOnly:
			for i := range c.VolumeMounts {
				if v := &c.VolumeMounts[i]; v.MountPath == e.MountPath {
					v.ReadOnly = e.ReadOnly
				}
			}
		case SetVolumeType:
			for i := range pod.Spec.Volumes {
				if v := &pod.Spec.Volumes[i]; v.Name == e.Name && (v.HostPath.Type != nil || e.Type != "") {
					v.HostPath.Type = &e.Type
				}
			}
		case SetAnnotation:
			if pod.Annotations == nil {
				pod.Annotations = map[string]string{}
			}
			pod.Annotations[e.Key] = e.Value
		case DropAnnotation:
			delete(pod.Annotations, e.Key)
		}
	}
}

func setTyped(c *corev1.Container, skip int, e SetFlag) {
	v := slices.Concat(c.Command, c.Args)
	var last *read
	for _, r := range readVector(v, skip) {
		if r.name == strings.ReplaceAll(e.Name, "_", "-") {
			last = &r
		}
	}
	put := func(i int, s string) {
		if i < len(c.Command) {
			c.Command[i] = s
		} else {
			c.Args[i-len(c.Command)] = s
		}
	}
	switch {
	case last == nil && len(c.Args) > 0:
		c.Args = append(c.Args, "--"+e.Name+"="+e.Value)
	case last == nil:
		c.Command = append(c.Command, "--"+e.Name+"="+e.Value)
	case last.alone && e.Value == "true":
	case last.to-last.from == 2 && isValue(e.Value):
		put(last.from+1, e.Value)
	default:
		name := v[last.from]
		if at := strings.Index(name, "="); at >= 0 {
			name = name[:at]
		}
		put(last.from, name+"="+e.Value)
		if last.to-last.from == 2 {
			deleteItem(c, last.from+1)
		}
	}
}

func dropTyped(c *corev1.Container, skip int, e DropFlag) {
	flags := readVector(slices.Concat(c.Command, c.Args), skip)
	for i := len(flags) - 1; i >= 0; i-- {
		for n := flags[i].to; n > flags[i].from && flags[i].name == e.Name; n-- {
			deleteItem(c, n-1)
		}
	}
}

func deleteItem(c *corev1.Container, i int) {
	if i < len(c.Command) {
		c.Command = slices.Delete(c.Command, i, i+1)
		return
	}
	i -= len(c.Command)
	c.Args = slices.Delete(c.Args, i, i+1)
}

// meaning is a Pod as JSON, without empty collections.
func meaning(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; len(c.VolumeMounts) == 0 {
			c.VolumeMounts = nil
		}
	}
	j, err := json.MarshalIndent(pod, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(j)
}

// wrong says how out differs from what src and the edits mean, "" when it does
// not.
func wrong(src, out []byte, edits []Edit) string {
	f, err := Parse("f.yaml", src)
	if err != nil {
		return err.Error()
	}
	want, err := decodePod(src)
	if err != nil {
		return "the source: " + err.Error()
	}
	got, err := decodePod(out)
	if err != nil {
		return "the result: " + err.Error()
	}
	applyTyped(want, f.Container().Name, f.program, edits)
	return cmp.Diff(meaning(want), meaning(got))
}

// checkResult checks what holds for every accepted edit: the meaning, and that
// making it again changes nothing.
func checkResult(t *testing.T, src, out []byte, edits []Edit) {
	t.Helper()
	if d := wrong(src, out, edits); d != "" {
		t.Errorf("the result means something else (-want +got):\n%s\n%s", d, out)
	}
	again, err := parse(t, out).Apply(edits...)
	if err != nil {
		t.Errorf("apply again: %v", err)
	} else if !bytes.Equal(again, out) {
		t.Errorf("apply again: changed:\n%s", again)
	}
}

// cutsBack tells whether src is out without some of its bytes: whether the
// edit has only inserted.
func cutsBack(src, out []byte) bool {
	i := 0
	for _, c := range out {
		if i < len(src) && src[i] == c {
			i++
		}
	}
	return i == len(src)
}

// removedLines counts the lines of src that out does not have, in order.
func removedLines(src, out []byte) int {
	a, b := bytes.SplitAfter(src, []byte("\n")), bytes.SplitAfter(out, []byte("\n"))
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			up := row[j+1]
			if bytes.Equal(x, y) {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(up, row[j])
			}
			diagonal = up
		}
	}
	return len(a) - row[len(b)]
}
