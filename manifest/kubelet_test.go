package manifest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const kubeletHint = "mend the manifest first: the kubelet stops an API server whose manifest it refuses"

// TestRefuseInvalid refuses what the kubelet would: each row fails there too.
func TestRefuseInvalid(t *testing.T) {
	const start = "the kubelet would refuse this Pod: "
	command := "    command: [kube-apiserver]\n"
	volumes := func(s string) string { return pod(command, "  volumes:\n"+s, "") }
	mounts := func(s string) string {
		return pod(command+"    volumeMounts:\n"+s, "  volumes: [{name: v, hostPath: {path: /v}}]\n", "")
	}
	const label = ` must consist of lower case letters, digits and "-"`
	checkRefusals(t, []refusal{
		{"Pod's name", strings.Replace(pod(command, "", ""), "name: kube-apiserver\nspec", "name: Kube_Apiserver\nspec", 1), nil, `f.yaml:4:9: ` + start + `the Pod name "Kube_Apiserver"` + label, kubeletHint},
		{"no Pod name", strings.Replace(pod(command, "", ""), "name: kube-apiserver\nspec", "namespace: x\nspec", 1), nil, `f.yaml:4:3: ` + start + `a Pod has no name`, kubeletHint},
		{"container's name", pod(command, "  - {name: A, image: x}\n", ""), nil, `f.yaml:10:5: ` + start + `the container name "A"` + label, kubeletHint},
		{"two containers", pod(command, "  - name: kube-apiserver\n    image: x\n", ""), nil, `f.yaml:10:5: ` + start + `two containers are named "kube-apiserver"`, kubeletHint},
		{"an init container's name", pod(command, "  initContainers:\n  - name: kube-apiserver\n    image: x\n", ""), nil, `f.yaml:11:5: ` + start + `two containers are named "kube-apiserver"`, kubeletHint},
		{"no image", pod(command, "  - name: b\n", ""), nil, `f.yaml:10:5: ` + start + `container "b" has no image`, kubeletHint},
		{"probe's port", pod(command+"    livenessProbe:\n      httpGet: {path: /livez, port: <port>}\n", "", ""), nil, `f.yaml:11:37: ` + start + `livenessProbe has the port "<port>", which is neither a port number nor a name`, kubeletHint},
		{"probe's port number", pod(command+"    startupProbe: &p {tcpSocket: {port: 65536}}\n", "", ""), nil, `f.yaml:10:41: ` + start + `startupProbe has the port "65536", which is neither a port number nor a name`, kubeletHint},
		{"probe's missing port", pod(command+"    readinessProbe: {httpGet: {path: /readyz}}\n", "", ""), nil, `f.yaml:10:31: ` + start + `readinessProbe has the port "0", which is neither a port number nor a name`, kubeletHint},
		{"volume without a name", volumes("  - hostPath: {path: /v}\n"), nil, `f.yaml:11:5: ` + start + `a volume has no name`, kubeletHint},
		{"volume's name", volumes("  - name: a.b\n"), nil, `f.yaml:11:5: ` + start + `the volume name "a.b"` + label, kubeletHint},
		{"two volumes", volumes("  - name: v\n  - name: v\n"), nil, `f.yaml:12:5: ` + start + `two volumes are named "v"`, kubeletHint},
		{"no path", volumes("  - name: v\n    hostPath: {}\n"), nil, `f.yaml:11:5: ` + start + `volume "v": hostPath has no path`, kubeletHint},
		{"path with dots", volumes("  - name: v\n    hostPath: {path: /a/../b}\n"), nil, `f.yaml:11:5: ` + start + `volume "v": hostPath must not contain ".."`, kubeletHint},
		{"path's type", volumes("  - name: v\n    hostPath: {path: /v, type: Folder}\n"), nil, `f.yaml:11:5: ` + start + `volume "v": hostPath has the unknown type "Folder"`, kubeletHint},
		{"no mountPath", mounts("    - name: v\n"), nil, `f.yaml:11:7: ` + start + `the mount of volume "v" has no mountPath`, kubeletHint},
		{"mountPath twice", mounts("    - {name: v, mountPath: /v}\n    - {name: v, mountPath: /v}\n"), nil, `f.yaml:12:7: ` + start + `mountPath "/v" is used twice in container "kube-apiserver"`, kubeletHint},
		{"mount of no volume", mounts("    - {name: w, mountPath: /v}\n"), nil, `f.yaml:11:7: ` + start + `mountPath "/v" names volume "w", which the Pod does not have`, kubeletHint},
		{"an init container's mount", pod(command, "  initContainers:\n  - name: i\n    image: x\n    volumeMounts: [{name: w, mountPath: /v}]\n", ""), nil, `f.yaml:13:20: ` + start + `mountPath "/v" names volume "w", which the Pod does not have`, kubeletHint},
		{"an alias's mount", pod(command+"    volumeMounts: &m [{name: v, mountPath: /v}]\n", "  - {name: b, image: b, volumeMounts: *m}\n", ""), nil, `f.yaml:10:23: ` + start + `mountPath "/v" names volume "v", which the Pod does not have`, kubeletHint},
		{"annotation's name", pod(command, "", "  annotations:\n    a b: c\n"), nil, `f.yaml:6:5: ` + start + `"a b" is not a valid annotation name`, kubeletHint},
		{"merged annotation's name", pod(command, "", "  annotations: {<<: {a b: c}}\n"), nil, `f.yaml:5:16: ` + start + `"a b" is not a valid annotation name`, kubeletHint},
		{"large annotations", pod(command, "", "  annotations: {a: "+strings.Repeat("x", 256<<10)+"}\n"), nil, `f.yaml:5:16: ` + start + `the annotations are larger than 256 KiB`, kubeletHint},
	})
}

// TestRefuseResult refuses edits whose result the kubelet would refuse.
func TestRefuseResult(t *testing.T) {
	const start = "f.yaml:7:5: the edited manifest would be refused: the kubelet would refuse this Pod: "
	src := pod("    command: [kube-apiserver]\n    volumeMounts: [{name: v, mountPath: /v}]\n", "  volumes: [{name: v, hostPath: {path: /v}}]\n", "")
	init := strings.Replace(src, "  volumes:", "  initContainers: [{name: i, image: i, volumeMounts: [{name: v, mountPath: /v}]}]\n  volumes:", 1)
	checkRefusals(t, []refusal{
		{"volume in use", src, []Edit{DropVolume{"v"}}, start + `mountPath "/v" names volume "v", which the Pod does not have`, ""},
		{"volume in use by an init container", init, []Edit{DropMount{"/v"}, DropVolume{"v"}}, start + `mountPath "/v" names volume "v", which the Pod does not have`, ""},
		{"mount without a volume", src, []Edit{AddMount{corev1.VolumeMount{Name: "w", MountPath: "/w"}}}, start + `mountPath "/w" names volume "w", which the Pod does not have`, ""},
		{"volume's name", src, []Edit{AddVolume{hostPath("W", "/w", "")}}, start + `the volume name "W" must consist of lower case letters, digits and "-"`, ""},
		{"path's type", src, []Edit{AddVolume{hostPath("w", "/w", "Folder")}}, start + `volume "w": hostPath has the unknown type "Folder"`, ""},
		{"annotation's name", src, []Edit{SetAnnotation{"a b", "c"}}, start + `"a b" is not a valid annotation name`, ""},
		{"the program's flags", strings.Replace(src, "command: [kube-apiserver]", "args: [--a=1]", 1), []Edit{DropFlag{"a"}}, "f.yaml:7:5: the edited manifest would be refused: no container of this Pod runs kube-apiserver", ""},
		{"a placeholder", src, []Edit{SetFlag{"a", "{{ x }}"}}, "f.yaml:7:5: the edited manifest would be refused: there is a template placeholder here ({{ x }}): this is a template, not a manifest", ""},
	})
}

func TestNameless(t *testing.T) {
	src := strings.Replace(pod("    command: [kube-apiserver]\n", "", ""), "  - name: kube-apiserver\n    image", "  - image", 1)
	f := parse(t, []byte(src))
	const want = "f.yaml:7:5: the kubelet would refuse this Pod: a container has no name"
	if err := f.Nameless(); err == nil || err.Error() != want {
		t.Errorf("Nameless() = %v, want %s", err, want)
	}
	if err := parse(t, []byte(pod("    command: [kube-apiserver]\n", "", ""))).Nameless(); err != nil {
		t.Errorf("Nameless() = %v for a container with a name", err)
	}
	checkRefusals(t, []refusal{{"two", src + "  - image: x\n", nil, "f.yaml:9:5: the kubelet would refuse this Pod: a container has no name", kubeletHint}})
}

func TestUnknownFields(t *testing.T) {
	f := parse(t, []byte(pod("    command: [kube-apiserver]\n    livenessprobe: {}\n", "  Volumes: []\n", "")))
	if got := strings.Join(f.Unknown(), "; "); got != `unknown field "spec.Volumes"; unknown field "spec.containers[0].livenessprobe"` {
		t.Errorf("Unknown() = %s", got)
	}
}
