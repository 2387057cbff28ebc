package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	corev1 "k8s.io/api/core/v1"
)

// form is a way to write a collection: what follows its key, or nothing where
// the key is missing too. @ stands for the key's indentation.
type form struct {
	name, text string
	missing    bool
}

var listForms = []form{
	{"missing", "", true},
	{"no value", "", false},
	{"no value, comment", "   # none", false},
	{"no value, comments below", "\n@# none\n@    # deeper\n", false},
	{"null", " null", false},
	{"tilde", " ~ # none", false},
	{"brackets", " []", false},
	{"blank in brackets", " [ ]", false},
	{"blanks in brackets", " [   ] # none", false},
	{"brackets on two lines", " [\n@  ]", false},
	{"comment in brackets", " [ # none\n@ ]", false},
	{"one, unindented", "\n@- %s", false},
	{"one, indented", "\n@  - %s", false},
	{"one, far indented", "\n@      - %s # c", false},
	{"one, dash alone", "\n@-\n@  %s", false},
	{"one, comment above", "\n@  # c\n@  - %s\n@  # d\n\n", false},
	{"one, deeper comment below", "\n@- %s\n@  # d", false},
	{"one in flow", " [%s]", false},
	{"one in flow, blanks", " [ %s ]", false},
	{"one in flow, blank left", " [ %s]", false},
	{"one in flow, blanks left", " [  %s]", false},
	{"one in flow, comma", " [%s,]", false},
	{"one in flow, line", " [\n@  %s\n@]", false},
	{"one in flow, line and comma", " [\n@  %s,\n@]", false},
	{"one in flow, line and comment", " [\n@  %s # c   \n@]", false},
	{"one in flow, line, comma and comment", " [\n@  %s, # c\t\n@  # d\n@]", false},
	{"one in flow, closed on its line", " [\n@  %s ] # c", false},
	{"two in flow, comma first", " [ %s\n@ , %s ]", false},
}

// mapForms are the same for a mapping.
func mapForms() []form {
	var forms []form
	for _, f := range listForms {
		if !strings.Contains(f.text, "- %s") && !strings.Contains(f.text, "-\n") {
			f.text = strings.NewReplacer("[", "{", "]", "}").Replace(f.text)
			forms = append(forms, f)
		}
	}
	return append(forms, form{"block", "\n@  %s", false}, form{"block, far", "\n@      %s # c\n@      # d", false},
		form{"block, deeper comment", "\n@  %s\n@    # d", false})
}

// write puts the form behind its key; entry is what it holds.
func (f form) write(key, indent, entry string) string {
	if f.missing {
		return ""
	}
	text := strings.ReplaceAll(f.text, "@", indent)
	for i := 1; strings.Contains(text, "%s"); i++ {
		text = strings.Replace(text, "%s", strings.ReplaceAll(entry, "#", fmt.Sprint(i)), 1)
	}
	return indent + key + ":" + strings.TrimSuffix(text, "\n") + "\n"
}

// layout is where the collections stand: first, among or last of their
// mapping's keys, in a file that indents its lists by deep.
type layout struct {
	first bool
	deep  int
	end   string
}

// build writes a Pod with that form of volumes, mounts or annotations.
func (l layout) build(list, notes form) []byte {
	sp := strings.Repeat(" ", l.deep)
	place := func(keys, extra string) string {
		if l.first {
			return extra + keys
		}
		return keys + extra
	}
	mounts := list.write("volumeMounts", "    "+sp, "{name: v#, mountPath: /m#}")
	container := place("    "+sp+"name: kube-apiserver\n    "+sp+"image: x:1\n    "+sp+"command: [kube-apiserver]\n", mounts)
	container = "  " + sp + "-" + container[3+l.deep:]
	used := ""
	if list.missing || !strings.Contains(list.text, "%s") {
		used = list.write("volumes", "  ", "")
	} else {
		used = list.write("volumes", "  ", "{name: v#}")
	}
	s := "apiVersion: v1\nkind: Pod\nmetadata:\n" + place("  name: x\n", notes.write("annotations", "  ", "n#: x")) +
		"spec:\n" + place("  hostNetwork: true\n  containers:\n"+container, used)
	switch l.end {
	case "crlf":
		s = strings.ReplaceAll(s, "\n", "\r\n")
	case "none":
		s = strings.TrimRight(s, "\n")
	}
	return []byte(s)
}

func matrixEdits() [][2]Edit {
	return [][2]Edit{
		{AddVolume{hostPath("z", "/z", "")}, DropVolume{"z"}},
		{AddVolume{hostPath("zz", "/zz", "File")}, DropVolume{"zz"}},
		{AddMount{corev1.VolumeMount{Name: "z", MountPath: "/z"}}, DropMount{"/z"}},
		{AddMount{corev1.VolumeMount{Name: "zz", MountPath: "/zz", ReadOnly: true}}, DropMount{"/zz"}},
		{SetAnnotation{"z", "x"}, DropAnnotation{"z"}},
		{SetAnnotation{"zz", "1"}, DropAnnotation{"zz"}},
	}
}

// TestMatrix adds to every form of every collection and takes out again, in
// both orders.
func TestMatrix(t *testing.T) {
	var adds, drops []Edit
	for _, pair := range matrixEdits() {
		adds, drops = append(adds, pair[0]), append(drops, pair[1])
	}
	check := func(name string, src []byte) {
		f, err := Parse("f.yaml", src)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, src)
			return
		}
		out, err := f.Apply(adds...)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, src)
			return
		}
		checkResult(t, src, out, adds)
		back := apply(t, out, drops...)
		backwards := slices.Clone(drops)
		slices.Reverse(backwards)
		for _, back := range [][]byte{back, apply(t, out, backwards...)} {
			if !bytes.Equal(back, src) {
				t.Errorf("%s: not reversed:\n%s", name, diff.Diff("want", src, "got", back))
			}
		}
	}
	maps := mapForms()
	for _, l := range []layout{{false, 0, ""}, {true, 0, "crlf"}, {false, 2, "none"}, {true, 2, ""}, {false, 4, "crlf"}, {true, 1, "none"}} {
		for i, list := range listForms {
			notes := maps[i%len(maps)]
			check(fmt.Sprintf("%+v, list %s, mapping %s", l, list.name, notes.name), l.build(list, notes))
		}
	}
}

// TestMatrixJSON is the same in JSON, which it has to remain.
func TestMatrixJSON(t *testing.T) {
	forms := []string{"", `%s: null,`, `%s:null,`, `%s: [],`, `%s: [ ],`, "%s: [\n\t],", `%s:[E],`, `%s: [ E ],`, "%s: [\n\t\tE\n\t],", `%s: [E , E2 ],`}
	for _, form := range forms {
		fill := func(key, entry, brackets string) string {
			text := strings.NewReplacer("%s", `"`+key+`"`, "E2", strings.ReplaceAll(entry, "#", "2"), "E", strings.ReplaceAll(entry, "#", "1")).Replace(form)
			return strings.NewReplacer("[", brackets[:1], "]", brackets[1:]).Replace(text)
		}
		src := []byte(`{"metadata":{` + fill("annotations", `"n#":"x"`, "{}") + `"name":"x"}, "apiVersion":"v1","kind":"Pod",` + "\n" +
			`"spec":{` + fill("volumes", `{"name":"v#"}`, "[]") + `"containers": [ {` + fill("volumeMounts", `{"name":"v#","mountPath":"/m#"}`, "[]") +
			`"name":"x","image":"x","command":["kube-apiserver"]}]}}`)
		var adds, drops []Edit
		for _, pair := range append(matrixEdits(), [2]Edit{SetFlag{"z", "a\u0085b"}, DropFlag{"z"}}) {
			adds, drops = append(adds, pair[0]), append(drops, pair[1])
		}
		for _, src := range [][]byte{src, slices.Concat(bom, src)} {
			out := apply(t, src, adds...)
			checkResult(t, src, out, adds)
			if !json.Valid(bytes.TrimPrefix(out, bom)) {
				t.Errorf("no JSON any more:\n%s", out)
			}
			if back := apply(t, out, drops...); !bytes.Equal(back, src) {
				t.Errorf("not reversed:\n%s", diff.Diff("want", src, "got", back))
			}
		}
	}
}

// TestMatrixOneByOne takes out what stands alone in its collection, and fills
// the collection again.
func TestMatrixOneByOne(t *testing.T) {
	for i, list := range listForms {
		l := layout{deep: 2 * (i % 2)}
		src := l.build(list, mapForms()[i%len(mapForms())])
		out := src
		var applied []Edit
		for _, name := range []string{"1", "2"} {
			applied = append(applied, DropMount{"/m" + name}, DropVolume{"v" + name}, DropAnnotation{"n" + name})
		}
		out = apply(t, out, applied...)
		if d := wrong(src, out, applied); d != "" {
			t.Errorf("%s: emptied (-want +got):\n%s", list.name, d)
		}
		f := parse(t, out)
		if len(f.Pod().Spec.Volumes)+len(f.Container().VolumeMounts)+len(f.Pod().Annotations) > 0 {
			t.Errorf("%s: not empty:\n%s", list.name, out)
		}
		if full := apply(t, out, matrixEdits()[0][0], matrixEdits()[2][0], matrixEdits()[4][0]); len(parse(t, full).Pod().Spec.Volumes) != 1 {
			t.Errorf("%s: not filled:\n%s", list.name, full)
		}
	}
}
