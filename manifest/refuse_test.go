package manifest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// refusal is a manifest that Parse refuses, or Apply when there are edits.
type refusal struct {
	name, src  string
	edits      []Edit
	want, hint string
}

func checkRefusals(t *testing.T, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse("f.yaml", []byte(c.src))
			if len(c.edits) > 0 {
				if err != nil {
					t.Fatalf("parse: %v\n%s", err, c.src)
				}
				_, err = f.Apply(c.edits...)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not refused: %v\n%s", err, c.src)
			}
			if d := cmp.Diff([]string{c.want, c.hint}, []string{err.Error(), e.Hint.String()}); d != "" {
				t.Errorf("-want +got:\n%s\nin\n%.2000s", d, c.src)
			}
		})
	}
}

const (
	hintFile   = "name the static pod manifest, usually /etc/kubernetes/manifests/kube-apiserver.yaml"
	hintItems  = "write the program and each flag as an item of command"
	hintRender = "render the template first"
)

func TestRefuseText(t *testing.T) {
	checkRefusals(t, []refusal{
		{"empty", "", nil, "f.yaml: the file is empty", ""},
		{"blank", "\ufeff \n\t\r\n", nil, "f.yaml: the file is empty", ""},
		{"large", "# " + strings.Repeat("x", 10<<20), nil, "f.yaml: the file is larger than 10 MiB: the kubelet does not read it", ""},
		{"not UTF-8", "a: b\nž: \xe9\n", nil, "f.yaml:2:4: this byte is not valid UTF-8: 0xe9", "save the file as UTF-8"},
		{"NUL", "a: b\r\nc: \x00\n", nil, "f.yaml:2:4: there is a NUL byte here: this is not a text file", ""},
		{"UTF-16", "\xff\xfea\x00:\x00", nil, "f.yaml:1:1: this is UTF-16", "save the file as UTF-8"},
		{"comments only", "# nothing\n", nil, "f.yaml:1:1: this is not a mapping, so not a Pod", ""},
		{"a list", "- a\n", nil, "f.yaml:1:1: this is not a mapping, so not a Pod", ""},
		{"no kind", "a: b\n", nil, "f.yaml:1:1: this is an object without a kind, not a v1 Pod", hintFile},
		{"a List", "apiVersion: v1\nkind: List\nitems: []\n", nil, `f.yaml:2:7: this is "List" of "v1", not a v1 Pod`, hintFile},
		{"a Deployment", "apiVersion: apps/v1\nkind: \"Deployment\"\n", nil, `f.yaml:2:7: this is "Deployment" of "apps/v1", not a v1 Pod`, hintFile},
		{"kind is a list", "apiVersion: v1\nkind: [Pod]\n", nil, "f.yaml:1:1: this is an object without a kind, not a v1 Pod", hintFile},
		{"two documents", pod("    command: [kube-apiserver]\n", "", "") + "---\n  # second\n  a: b\n", nil, "f.yaml:12:3: a second YAML document starts here: the kubelet reads only the first", "keep one Pod in the file and remove the rest"},
		{"first document empty", "---\n---\n" + pod("    command: [kube-apiserver]\n", "", ""), nil, "f.yaml:1:1: this is not a mapping, so not a Pod", ""},
	})
}

func TestRefuseBroken(t *testing.T) {
	const json = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},` + "\n" + `"spec":{"containers":[{"name":"x","image":"x","command":["kube-apiserver"%s]}]}}`
	checkRefusals(t, []refusal{
		{"tab", "a:\n  b: c\n\td: e\n", nil, "f.yaml:3:1: broken YAML: found a tab character that violates indentation", ""},
		{"indentation", pod("    command:\n    - kube-apiserver\n   - --a=1\n", "", ""), nil, "f.yaml:11:4: broken YAML: did not find expected key", ""},
		{"quote", pod("    command:\n    - kube-apiserver\n    - \"--a=1\n    tty: true\n", "", ""), nil, "f.yaml:11:5: broken YAML: found unexpected end of stream", ""},
		{"bracket", pod("    command: [kube-apiserver\n    tty: true\n", "", ""), nil, "f.yaml:9:5: broken YAML: did not find expected ',' or ']'", ""},
		{"colon", pod("    command: [kube-apiserver]\n    a: b: c\n    tty: true\n", "", ""), nil, "f.yaml:10:5: broken YAML: mapping values are not allowed in this context", ""},
		{"anchor", pod("    command: *c\n", "", ""), nil, "f.yaml:9:5: broken YAML: unknown anchor referenced", ""},
		{"merge", pod("    <<: x\n    command: [kube-apiserver]\n", "", ""), nil, "f.yaml:9:5: broken YAML: map merge requires map or sequence of maps as the value", ""},
		{"YAML 1.2", "%YAML 1.2\n---\n" + pod("    command: [kube-apiserver]\n", "", ""), nil, "f.yaml:1:1: broken YAML: found incompatible YAML document", ""},
		{"broken behind the Pod", pod("    command: [kube-apiserver]\n", "", "") + "---\na: [\n", nil, "f.yaml:11:1: broken YAML: did not find expected node content", ""},
		{"long", strings.Repeat("# "+strings.Repeat("x", 100)+"\n", 400) + "a:\n  b\n\tc: d\n", nil, "f.yaml:402:3: broken YAML: found a tab character that violates indentation", ""},
		{"JSON: comma", strings.Replace(json, "%s", ",", 1), nil, "f.yaml:2:75: the kubelet reads a file that begins with \"{\" for JSON, and this is not JSON: invalid character ']' looking for beginning of value", "put a line \"---\" in front of it to have it read as YAML"},
		{"JSON: bracket", strings.Replace(json, "%s", "}", 1), nil, "f.yaml:2:74: broken JSON: invalid character '}' after array element", ""},
		{"JSON: cut off", json[:50], nil, "f.yaml:1:50: broken JSON: unexpected end of JSON input", ""},
		{"JSON: a second document", strings.Replace(json, "%s", "", 1) + "\n---\n", nil, "f.yaml:3:1: the kubelet reads a file that begins with \"{\" for JSON, and this is not JSON: invalid character '-' after top-level value", "put a line \"---\" in front of it to have it read as YAML"},
		{"JSON: not YAML", strings.Replace(json, "%s", `, "--a=\ud83e\udd8a"`, 1), nil, "f.yaml:2:1: this JSON is not valid YAML, so it cannot be edited: found invalid Unicode character escape code", ""},
		{"flow YAML", "{kind: Pod}", nil, "f.yaml:1:2: the kubelet reads a file that begins with \"{\" for JSON, and this is not JSON: invalid character 'k' looking for beginning of object key string", "put a line \"---\" in front of it to have it read as YAML"},
	})
}

func TestRefuseTypes(t *testing.T) {
	const start = "the kubelet cannot read this as a Pod: "
	checkRefusals(t, []refusal{
		{"number", pod("    command:\n    - kube-apiserver\n    - x\n    - 8080\n", "", ""), nil, "f.yaml:12:7: " + start + "spec.containers.command is a number, not a string", `put it in quotes: "8080"`},
		{"number of YAML 1.1", pod("    command: [kube-apiserver, 1_000]\n", "", ""), nil, "f.yaml:9:31: " + start + "spec.containers.command is a number, not a string", `put it in quotes: "1_000"`},
		{"bool of YAML 1.1", pod("    command: [kube-apiserver, 'no', no]\n", "", ""), nil, "f.yaml:9:37: " + start + "spec.containers.command is true or false, not a string", `put it in quotes: "no"`},
		{"mapping", pod("    command:\n    - kube-apiserver\n    - --a: b\n", "", ""), nil, "f.yaml:11:7: " + start + "spec.containers.command is a mapping, not a string", ""},
		{"string for a list", pod("    command: kube-apiserver --a\n", "", ""), nil, "f.yaml:9:14: " + start + "spec.containers.command is a string, not a []string", ""},
		{"annotation", pod("    command: [kube-apiserver]\n", "", "  annotations:\n    a: \"1\"\n    b: 1\n"), nil, "f.yaml:7:8: " + start + "metadata.annotations is a number, not a string", `put it in quotes: "1"`},
		{"spec", "apiVersion: v1\nkind: Pod\nspec: [a]\n", nil, "f.yaml:3:7: " + start + "spec is a list, not a v1.PodSpec", ""},
		{"merged", pod("    <<: {command: [1]}\n", "", ""), nil, "f.yaml:1:1: " + start + "spec.containers.command is a number, not a string", ""},
		{"quantity", pod("    resources: {limits: {cpu: much}}\n", "", ""), nil, "f.yaml:1:1: " + start + "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'", ""},
	})
}

func TestRefuseTemplates(t *testing.T) {
	at := func(place, word string) string {
		return "f.yaml:" + place + ": there is a template placeholder here (" + word + "): this is a template, not a manifest"
	}
	command := func(item string) string { return pod("    command:\n    - kube-apiserver\n    - "+item+"\n", "", "") }
	checkRefusals(t, []refusal{
		{"Go, as a value", command(`"--a={{ .IP }}"`), nil, at("11:7", "{{ .IP }}"), hintRender},
		{"Go, breaking YAML", command("--a\n    {{- range .Flags }}\n    - x"), nil, at("12:5", "{{- range .Flags }}"), hintRender},
		{"Jinja", "# {{ x }}\n" + command("x\n{% if long.condition.that.goes.on.and.on.and.on %}"), nil, at("13:1", "{% if long.condition.that.goes.on.and.on..."), hintRender},
		{"ERB", command("--a=<%= @ip %>"), nil, at("11:7", "<%= @ip %>"), hintRender},
		{"shell", command("--a=ž${IP}:1"), nil, at("11:7", "${IP}"), hintRender},
		{"sed", command("--a=__NODE_IP__"), nil, at("11:7", "__NODE_IP__"), hintRender},
		{"instead of a number", pod("    command: [kube-apiserver]\n    ports: [{containerPort: '${PORT}'}]\n", "", ""), nil, at("10:29", "${PORT}"), hintRender},
		{"in another container", pod("    command: [kube-apiserver]\n", "  - {name: b, image: '{{ b }}'}\n", ""), nil, at("10:22", "{{ b }}"), hintRender},
		{"in JSON", `{"apiVersion":"v1", {{ x }}}`, nil, at("1:21", "{{ x }}"), hintRender},
	})
	for name, src := range map[string]string{
		"comment":                 command("x # {{ .IP }}"),
		"shell in a probe":        pod("    command: [kube-apiserver]\n    livenessProbe: {exec: {command: [sh, -c, 'echo ${X}']}}\n", "", ""),
		"shell in a sidecar":      pod("    command: [kube-apiserver]\n", "  - {name: b, image: b, args: ['${X}']}\n", ""),
		"the kubelet's own":       command("--a=$(HOST_IP)"),
		"blanked out":             command("--a=<node-ip>"),
		"shell in init container": pod("    command: [kube-apiserver]\n", "  initContainers: [{name: b, image: b, args: ['${X} <a>']}]\n", ""),
	} {
		if _, err := Parse("f.yaml", []byte(src)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefuseEdits(t *testing.T) {
	src := pod("    command: [kube-apiserver]\n", "", "")
	cpu := corev1.Volume{Name: "x", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
	both := hostPath("x", "/x", "File")
	both.EmptyDir = cpu.EmptyDir
	checkRefusals(t, []refusal{
		{"no name", src, []Edit{SetFlag{"", "x"}}, `f.yaml: "" is not the name of a flag`, ""},
		{"dashes", src, []Edit{SetFlag{"--a", "x"}}, `f.yaml: "--a" is not the name of a flag`, ""},
		{"drop with a value", src, []Edit{DropFlag{"a=b"}}, `f.yaml: "a=b" is not the name of a flag`, ""},
		{"NUL", src, []Edit{SetFlag{"a", "\x00"}}, `f.yaml: --a="\x00" cannot be passed as a command-line argument`, ""},
		{"not UTF-8", src, []Edit{SetFlag{"a", "\xff"}}, `f.yaml: --a="\xff" cannot be passed as a command-line argument`, ""},
		{"no hostPath", src, []Edit{AddVolume{cpu}}, "f.yaml: add volume x: it is not a hostPath volume", ""},
		{"two sources", src, []Edit{AddVolume{both}}, "f.yaml: add volume x of host path /x: it is not a hostPath volume", ""},
		{"sub path", src, []Edit{AddMount{corev1.VolumeMount{Name: "x", MountPath: "/x", SubPath: "y"}}}, "f.yaml: add mount /x of volume x: it has more than a name, a mount path and readOnly", ""},
	})
}
