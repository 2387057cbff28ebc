package manifest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestRefuseServer refuses what does not run one API server with flags.
func TestRefuseServer(t *testing.T) {
	const script = `: container "kube-apiserver" starts kube-apiserver from a shell script: its flags are inside a string`
	none := "f.yaml:7:5: no container of this Pod runs kube-apiserver"
	hint := "name the manifest of the API server with --manifest"
	checkRefusals(t, []refusal{
		{"shell", pod("    command:\n    - /bin/sh\n    - -c\n    - exec kube-apiserver --a=1 2>&1\n", "", ""), nil, "f.yaml:12:7" + script, hintItems},
		{"shell, script in args", pod("    command: [bash, -ec]\n    args: ['/usr/local/bin/kube-apiserver']\n", "", ""), nil, "f.yaml:10:12" + script, hintItems},
		{"shell behind another program", pod("    command: [/usr/bin/env, sh, -c, \"exec /usr/local/bin/kube-apiserver\"]\n", "", ""), nil, "f.yaml:9:37" + script, hintItems},
		{"shell script file", pod("    command: [sh, /etc/start-kube-apiserver.sh]\n", "", ""), nil, "f.yaml:9:19" + script, hintItems},
		{"hyperkube in a script", pod("    command: [sh, -c, hyperkube apiserver]\n", "", ""), nil, "f.yaml:9:23" + script, hintItems},
		{"shell, merged", pod("    <<: {command: [sh, -c, hyperkube apiserver]}\n", "", ""), nil, "f.yaml:7:5" + script, hintItems},
		{"another program", pod("    command: [kube-scheduler, --x]\n", "  - {name: b, image: b, args: [kube-apiserver.log]}\n", ""), nil, none + " (it runs kube-scheduler, kube-apiserver.log)", hint},
		{"hyperkube's other program", pod("    command: [/hyperkube, kubelet]\n", "", ""), nil, none + " (it runs /hyperkube)", hint},
		{"no command", pod("", "", ""), nil, none, hint},
		{"another image's arguments", strings.Replace(pod("    args: [--a=1]\n", "", ""), "kube-apiserver:v1", "kube-apiserver-healthcheck:v1", 1), nil, none + " (it runs --a=1)", hint},
		{"no containers", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {}\n", nil, "f.yaml:4:7: no container of this Pod runs kube-apiserver", hint},
		{"no spec", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", nil, "f.yaml:1:1: no container of this Pod runs kube-apiserver", hint},
		{"two", pod("    command: [kube-apiserver]\n", "  - name: b\n    image: b\n    command: [/bin/kube-apiserver]\n", ""), nil, `f.yaml:10:5: two containers run kube-apiserver: "kube-apiserver" and "b"`, "keep one API server in the Pod"},
		{"two behind wrappers", pod("    command: [tini, kube-apiserver]\n", "  - {name: b, image: b, command: [x, kube-apiserver]}\n", ""), nil, `f.yaml:10:5: two containers run kube-apiserver: "kube-apiserver" and "b"`, "keep one API server in the Pod"},
		{"end of flags", pod("    command:\n    - kube-apiserver\n    - --a=1\n    - --\n    - --b=1\n", "", ""), nil, `f.yaml:12:7: "--" ends the flags here: kube-apiserver ignores everything after it`, `remove the item "--"`},
		{"no flag", pod("    command: [kube-apiserver, --=1]\n", "", ""), nil, `f.yaml:9:31: "--=1" is not a flag: kube-apiserver does not start with it`, "remove the item"},
	})
	for name, container := range map[string]string{
		"one behind a wrapper's arguments": "    command: [kube-apiserver, --a]\n  - {name: b, image: b, command: [etcdctl, /pki/kube-apiserver]}\n",
		"script in a sidecar":              "    command: [kube-apiserver, --a]\n  - {name: b, image: b, command: [sh, -c, tail /var/log/kube-apiserver.log]}\n",
		"image of another architecture":    "    args: [--a]\n",
	} {
		if _, err := Parse("f.yaml", []byte(pod(container, "", ""))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefuseShared refuses to edit what stands in one place and counts in two.
func TestRefuseShared(t *testing.T) {
	set := []Edit{SetFlag{"a", "2"}}
	add := []Edit{AddVolume{hostPath("z", "/z", "")}}
	note := []Edit{SetAnnotation{"z", "1"}}
	side := func(s string) string { return "  - {name: b, image: b, " + s + "}\n" }
	shared := func(place, what, alias string) string {
		return "f.yaml:" + place + ": " + what + " is shared: the alias *" + alias + " repeats it here, and an edit would change both places"
	}
	checkRefusals(t, []refusal{
		{"list is an alias", strings.Replace(pod("    command: *c\n", "", ""), "spec:\n", "spec:\n  initContainers: [{name: i, image: i, command: &c [kube-apiserver, --a=1]}]\n", 1), set, "f.yaml:10:14: command is an alias (*c): the list is shared", "write command out here"},
		{"list shared", pod("    command: &c\n    - kube-apiserver\n", side("command: *c"), ""), nil, `f.yaml:11:5: two containers run kube-apiserver: "kube-apiserver" and "b"`, "keep one API server in the Pod"},
		{"list shared with an init container", pod("    command: &c [kube-apiserver, --a=1]\n", "  initContainers: [{name: i, image: i, command: *c}]\n", ""), set, shared("10:49", "command", "c"), "write it out in place of *c"},
		{"drop from a shared list", pod("    command: &c [kube-apiserver, --a=1]\n", "  initContainers: [{name: i, image: i, command: *c}]\n", ""), []Edit{DropFlag{"a"}}, shared("10:49", "command", "c"), "write it out in place of *c"},
		{"append to a shared list", pod("    command: &c [kube-apiserver]\n", "  initContainers: [{name: i, image: i, command: *c}]\n", ""), set, shared("10:49", "command", "c"), "write it out in place of *c"},
		{"container shared", strings.Replace(pod("    command: [kube-apiserver]\n", "x: *s\n", ""), "  - name", "  - &s\n    name", 1), set, shared("11:4", "command", "s"), "write it out in place of *s"},
		{"spec shared", strings.Replace(pod("    command: [kube-apiserver]\n", "x: *s\n", ""), "spec:", "spec: &s", 1), add, shared("10:4", "volumes", "s"), "write it out in place of *s"},
		{"spec shared, command", strings.Replace(pod("    command: [kube-apiserver]\n", "x: *s\n", ""), "spec:", "spec: &s", 1), set, shared("10:4", "command", "s"), "write it out in place of *s"},
		{"metadata merged elsewhere", strings.Replace(pod("    command: [kube-apiserver]\n", "x: {<<: *s}\n", ""), "metadata:", "metadata: &s", 1), note, shared("10:9", "annotations", "s"), "write it out in place of *s"},
		{"annotations shared", pod("    command: [kube-apiserver]\n", "", "  annotations: &s {a: b}\n  labels: *s\n"), note, shared("6:11", "annotations", "s"), "write it out in place of *s"},
		{"annotations are an alias", pod("    command: [kube-apiserver]\n", "", "  labels: &s {a: b}\n  annotations: *s\n"), note, "f.yaml:6:16: annotations is an alias (*s): the mapping is shared", "write annotations out here"},
		{"merge key brings the list", pod("    <<: {command: [kube-apiserver]}\n", "", ""), set, "f.yaml:9:5: command comes in through a merge key (<<) and is shared", "write command out in this mapping"},
		{"merge keys bring the list", pod("    <<: [{tty: true}, {<<: {command: [kube-apiserver, --a=1]}}]\n", "", ""), set, "f.yaml:9:5: command comes in through a merge key (<<) and is shared", "write command out in this mapping"},
		{"merge key brings the volumes", pod("    command: [kube-apiserver]\n", "  <<: {volumes: [{name: v}]}\n", ""), add, "f.yaml:10:3: volumes comes in through a merge key (<<) and is shared", "write volumes out in this mapping"},
		{"merge key brings the flag's list", pod("    <<: {command: [kube-apiserver, --a=1]}\n", "", ""), []Edit{DropFlag{"a"}}, "f.yaml:9:5: command comes in through a merge key (<<) and is shared", "write command out in this mapping"},
		{"container is an alias", "x: &s {name: x, image: x, command: [kube-apiserver]}\n" + "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers: [*s]\n", nil, "f.yaml:6:16: the API server's container is an alias for a mapping elsewhere", "write the container out here"},
		{"containers are an alias", "x: &s [{name: x, image: x, command: [kube-apiserver]}]\n" + "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers: *s\n", nil, "f.yaml:6:3: the containers are not written out as a list here", "write spec.containers as a plain list"},
		{"spec is an alias", "x: &s {containers: [{name: x, image: x, command: [kube-apiserver]}]}\n" + "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: *s\n", nil, "f.yaml:5:7: spec is an alias for a mapping elsewhere", "write spec out here"},
		{"metadata is merged", "<<: {metadata: {name: x}}\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: x, image: x, command: [kube-apiserver]}]}\n", nil, "f.yaml:1:1: metadata is not written in this mapping", ""},
		{"no metadata", "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: [{name: x, image: x, command: [kube-apiserver]}]}\n", nil, "f.yaml:3:11: metadata is not a mapping with keys", ""},
	})
}

// TestRefuseValues refuses to write over what is more than a value.
func TestRefuseValues(t *testing.T) {
	set := []Edit{SetFlag{"a", "2"}}
	command := func(item string) string { return pod("    command:\n    - kube-apiserver\n    "+item+"\n", "", "") }
	const tagged, tagHint = "the value has an anchor or a tag", "write the value without the & or ! in front"
	null := func(s string) string { return pod("    command: [kube-apiserver]\n", "  volumes: "+s+"\n", "") }
	add := []Edit{AddVolume{hostPath("z", "/z", "")}}
	checkRefusals(t, []refusal{
		{"folded", command("- >-\n      --a=1"), set, "f.yaml:11:7: the value is a block scalar", "write it on one line, in quotes"},
		{"literal", command("-   |-\n      --a=1"), set, "f.yaml:11:9: the value is a block scalar", "write it on one line, in quotes"},
		{"anchor", command("- &x --a=1"), set, "f.yaml:11:7: " + tagged, tagHint},
		{"tag", command("- !!str --a=1"), set, "f.yaml:11:7: " + tagged, tagHint},
		{"alias", strings.Replace(command("- *x"), "name: kube-apiserver\nspec", "name: x\n  labels: {x: &x --a=1}\nspec", 1), set, "f.yaml:12:7: the value is an alias (*x)", "write the value in place of *x"},
		{"plain on two lines", command("- --a=1\n      2"), set, "f.yaml:11:7: the value spans several lines", "write it on one line"},
		{"annotation alias", pod("    command: [kube-apiserver]\n", "", "  labels: {x: &x w}\n  annotations: {a: *x}\n"), []Edit{SetAnnotation{"a", "z"}}, "f.yaml:6:20: the value is an alias (*x)", "write the value in place of *x"},
		{"null with a tag", null("!!null"), add, "f.yaml:10:12: volumes is empty and has an anchor or a tag", `write "volumes: []"`},
		{"null with an anchor", null("&x ~"), add, "f.yaml:10:12: volumes is empty and has an anchor or a tag", `write "volumes: []"`},
		{"null in capitals", null("NULL"), add, "f.yaml:10:3: volumes has no value that can be edited in place", `write "volumes: []"`},
		{"verbatim tag", pod("    command: [!<tag:yaml.org,2002:str> kube-apiserver]\n", "", ""), set, "f.yaml:9:14: the entries of this collection cannot be separated", "write it in block style, one entry a line"},
		{"explicit key of an annotation", pod("    command: [kube-apiserver]\n", "", "  annotations:\n    ? a\n    : b\n    c: d\n"), []Edit{DropAnnotation{"a"}}, "f.yaml:6:7: this key is not on a line of its own", ""},
		{"explicit key of a list", pod("    command: [kube-apiserver]\n", "  ? volumes\n  : - name: v\n    - name: w\n", ""), []Edit{DropVolume{"v"}}, "f.yaml:11:7: this list item is not on a line of its own", ""},
		{"null in flow", "---\n{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {volumes: , containers: [{name: x, image: x, command: [kube-apiserver]}]}}\n", add, "f.yaml:2:57: volumes has no value that can be edited in place", `write "volumes: []"`},
	})
}

// TestRefuseUnproven refuses what the proof does not carry.
func TestRefuseUnproven(t *testing.T) {
	const start = "the manifest is written in a way that cannot be edited safely: "
	const hint = "write the container and the volumes in plain block style"
	checkRefusals(t, []refusal{
		{"explicit key", pod("    ? command\n    : - kube-apiserver\n", "", ""), []Edit{AddMount{corev1.VolumeMount{Name: "z", MountPath: "/z"}}, AddVolume{hostPath("z", "/z", "")}}, "f.yaml:7:5: " + start + "add mount /z of volume z: yaml: line 9: did not find expected '-' indicator", hint},
		{"literal that keeps its end", pod("    command: [kube-apiserver]\n", "", "  annotations:\n    a: |+\n      x\n\n"), []Edit{SetAnnotation{"z", "y"}}, "f.yaml:11:5: " + start + "the new text would not mean the same as the old text with the edits", hint},
		{"drop what is merged", pod("    command: [kube-apiserver]\n", "", "  labels: &x {a: b}\n  annotations: {<<: *x}\n"), []Edit{DropAnnotation{"a"}}, "f.yaml:9:5: " + start + "the new text would not mean the same as the old text with the edits", hint},
		{"drop an anchor that is used", pod("    command: [kube-apiserver, &x --a=1]\n    workingDir: *x\n", "", ""), []Edit{DropFlag{"a"}}, "f.yaml:7:5: " + start + "drop flag --a: broken YAML: unknown anchor referenced", hint},
	})
}

// TestRefuseDuplicates refuses keys that stand twice where edits walk.
func TestRefuseDuplicates(t *testing.T) {
	const hint = "remove one of the two: only the last one counts for the kubelet"
	command := "    command: [kube-apiserver]\n"
	checkRefusals(t, []refusal{
		{"command", pod(command+command, "", ""), nil, `f.yaml:10:5: duplicate key "command", first on line 9`, hint},
		{"volumes", pod(command, "  volumes: []\n  \"volumes\": []\n", ""), nil, `f.yaml:11:3: duplicate key "volumes", first on line 10`, hint},
		{"annotation", pod(command, "", "  annotations:\n    a: b\n    a: c\n"), nil, `f.yaml:7:5: duplicate key "a", first on line 6`, hint},
		{"spec", "spec: {}\n" + pod(command, "", ""), nil, `f.yaml:6:1: duplicate key "spec", first on line 1`, hint},
		{"metadata", pod(command, "", "  name: z\n"), nil, `f.yaml:5:3: duplicate key "name", first on line 4`, hint},
	})
}
