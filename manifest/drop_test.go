package manifest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestDropFlag(t *testing.T) {
	drop := DropFlag{"a"}
	run(t, []editCase{
		{"first", "- --a=1\n    - --b", drop, "- --b"},
		{"middle", "- --b\n    - --a=1\n    - --c", drop, "- --b\n    - --c"},
		{"last", "- --b\n    - --a=1", drop, "- --b"},
		{"repeats", "- --a=1\n    - --b\n    - --a\n    - --a=3", drop, "- --b"},
		{"underscores", "- --b\n    - --a_b=1\n    - --a-b=2", DropFlag{"a-b"}, "- --b"},
		{"two items", "- --b\n    - --a\n    - x\n    - --c", drop, "- --b\n    - --c"},
		{"a negative number", "- --b\n    - --a\n    - \"-1\"\n    - -v=2", drop, "- --b\n    - -v=2"},
		{"alone", "- --a\n    - --b", drop, "- --b"},
		{"absent", "- --b\n    - --aa=1\n    - -a=1\n    # - --a=1", drop, ""},
		{"quotes and comment", "- \"--a=1\"  # goes with it\n    - --b # stays", drop, "- --b # stays"},
		{"comments around", "# above\n    - --a=1\n    # below\n    - --b", drop, "# above\n    # below\n    - --b"},
		{"deeper comment below", "- --a=1\n      # deeper\n    - --b", drop, "  # deeper\n    - --b"},
		{"blank lines", "- --b\n\n    - --a=1\n\n    - --c", drop, "- --b\n\n\n    - --c"},
		{"literal", "- --b\n    - |-\n      --a=1\n    - --c", drop, "- --b\n    - --c"},
		{"several lines in quotes", "- --b\n    - \"--a=1\n  2\"\n    - --c", drop, "- --b\n    - --c"},
		{"several lines plain", "- --b\n    - --a=1\n       2\n    - --c", drop, "- --b\n    - --c"},
		{"dash alone", "- --b\n    - # one\n      --a=1\n    - --c", drop, "- --b\n    - --c"},
		{"tag and anchor", "- --b\n    - !!str &x \"--a=1\"\n    - --c", drop, "- --b\n    - --c"},
	}, func(s string) string {
		return pod("    command:\n    - kube-apiserver\n    "+s+"\n    tty: false\n", "", "")
	})
}

func TestDropFlagElsewhere(t *testing.T) {
	drop := DropFlag{"a"}
	run(t, []editCase{
		{"the only item of args", "    args:\n    - --a=1\n    command: [kube-apiserver]\n", drop, "    command: [kube-apiserver]\n"},
		{"the only item of args, indented the other way", "    args: # none left\n      - --a=1\n    command: [kube-apiserver]\n", drop, "    args: # none left\n    command: [kube-apiserver]\n"},
		{"the only item of args in flow", "    args: [--a=1]\n    command: [kube-apiserver]\n", drop, "    args: []\n    command: [kube-apiserver]\n"},
		{"both items of args", "    args: [--a, x]\n    command: [kube-apiserver]\n", drop, "    args: []\n    command: [kube-apiserver]\n"},
		{"two items over two lists", "    args: [x, --b]\n    command: [kube-apiserver, --a]\n", drop, "    args: [--b]\n    command: [kube-apiserver]\n"},
		{"two items over two lists in block", "    args:\n    - x\n    command:\n    - kube-apiserver\n    - --a\n", drop, "    command:\n    - kube-apiserver\n"},
		{"in both lists", "    args: [--a=2, --b]\n    command: [kube-apiserver, --a=1]\n", drop, "    args: [--b]\n    command: [kube-apiserver]\n"},
		{"not the wrapper's", "    command: [/go-runner, --a=1, kube-apiserver, --a=2]\n", drop, "    command: [/go-runner, --a=1, kube-apiserver]\n"},
	}, func(s string) string { return pod(s, "", "") })
}

func TestDropFlagInFlow(t *testing.T) {
	drop := DropFlag{"a"}
	run(t, []editCase{
		{"middle", "kube-apiserver, --a=1, --b]", drop, "kube-apiserver, --b]"},
		{"middle without blanks", "kube-apiserver,'--a=1','--b']", drop, "kube-apiserver,'--b']"},
		{"last", "kube-apiserver, --a=1 ]", drop, "kube-apiserver ]"},
		{"last with a comma", "kube-apiserver, --a=1, ]", drop, "kube-apiserver, ]"},
		{"repeats", "kube-apiserver, --a=1, --b, --a, --a=3]", drop, "kube-apiserver, --b]"},
		{"two items", "kube-apiserver, --a, x, --b]", drop, "kube-apiserver, --b]"},
		{"on a line of its own", "\n      kube-apiserver,\n      --a=1,\n      --b\n    ]", drop, "\n      kube-apiserver,\n      --b\n    ]"},
		{"on the last line of its own", "\n      kube-apiserver,\n      --a=1\n    ]", drop, "\n      kube-apiserver\n    ]"},
		{"with its comment", "\n      kube-apiserver, # k\n      --a=1,  # a, goes\n      --b # b\n    ]", drop, "\n      kube-apiserver, # k\n      --b # b\n    ]"},
		{"last with its comment", "\n      kube-apiserver, # k  \n      --a=1  # a, goes\n      # stays\n    ]", drop, "\n      kube-apiserver # k  \n      # stays\n    ]"},
		{"last with comma and comment", "\n      kube-apiserver, # k\n      --a=1,  # a\n    ]", drop, "\n      kube-apiserver, # k\n    ]"},
		{"behind a comment, next on its line", "\n      kube-apiserver, # k\n      --a=1, --b\n    ]", drop, "\n      kube-apiserver, # k\n      --b\n    ]"},
		{"behind a comment, the end on its line", "\n      kube-apiserver, # k\n      --a=1]", drop, "\n      kube-apiserver, # k\n      ]"},
		{"comma on the next line", "\n      kube-apiserver\n      , --a=1\n      , --b ]", drop, "\n      kube-apiserver\n      , --b ]"},
		{"own comma on the next line", "\n      kube-apiserver,\n      --a=1\n      , # c\n      --b ]", drop, "\n      kube-apiserver,\n      --b ]"},
	}, func(s string) string { return pod("    command: ["+s+"\n", "", "") })
}

func TestDropEntries(t *testing.T) {
	mounts := "    command: [kube-apiserver]\n    volumeMounts:\n"
	run(t, []editCase{
		{"mount first", mounts + "    - name: v\n      mountPath: /a\n    - {mountPath: /b, name: v}\n", DropMount{"/a"}, mounts + "    - {mountPath: /b, name: v}\n"},
		{"mount last, with comments", mounts + "    - mountPath: /b\n      name: v # v\n    # above\n    - mountPath: /a # a\n      # inside\n      name: v\n      # below\n", DropMount{"/a"}, mounts + "    - mountPath: /b\n      name: v # v\n    # above\n      # below\n"},
		{"the only mount", mounts + "    - mountPath: /a\n      name: v\n", DropMount{"/a"}, "    command: [kube-apiserver]\n"},
		{"absent", mounts + "    - mountPath: /a/b\n      name: v\n", DropMount{"/a"}, ""},
		{"no mounts", "    command: [kube-apiserver]\n", DropMount{"/a"}, ""},
		{"null mounts", "    command: [kube-apiserver]\n    volumeMounts: ~\n", DropMount{"/a"}, ""},
		{"quoted", mounts + "    - \"mountPath\": \"/a\"\n      name: v\n    - {mountPath: /b, name: v}\n", DropMount{"/a"}, mounts + "    - {mountPath: /b, name: v}\n"},
	}, func(s string) string { return pod(s, "  volumes:\n  - name: v\n    hostPath: {path: /v}\n", "") })
	run(t, []editCase{
		{"volume first", "  - name: w\n    hostPath:\n      path: /w\n  - name: v\n", DropVolume{"w"}, "  - name: v\n"},
		{"volume last", "  - name: v\n  # above\n  - hostPath:\n      path: /w\n    # inside\n    name: w\n\n  # end\n", DropVolume{"w"}, "  - name: v\n  # above\n\n  # end\n"},
		{"volume absent", "  - name: v\n", DropVolume{"w"}, ""},
		{"volume in flow", "  - {name: w}\n  - {name: v}\n", DropVolume{"w"}, "  - {name: v}\n"},
	}, func(s string) string { return pod("    command: [kube-apiserver]\n", "  volumes:\n"+s, "") })
}

func TestAddWhatIsThere(t *testing.T) {
	for name, edit := range map[string]Edit{
		"mount": AddMount{corev1.VolumeMount{Name: "other", MountPath: "/a"}}, "volume": AddVolume{hostPath("v", "/other", "File")},
	} {
		src := pod("    command: [kube-apiserver]\n    volumeMounts: [{mountPath: /a, name: v}]\n", "  volumes: [{name: v, hostPath: {path: /v}}]\n", "")
		if got := apply(t, []byte(src), edit); string(got) != src {
			t.Errorf("%s: changed:\n%s", name, got)
		}
	}
}

func TestAnnotations(t *testing.T) {
	set, drop := SetAnnotation{"x/a", "2"}, DropAnnotation{"x/a"}
	const head = "  annotations:\n    b: \"1\"\n"
	run(t, []editCase{
		{"set", head, SetAnnotation{"x/a", "v"}, head + "    x/a: v\n"},
		{"set with quotes", head, set, head + "    x/a: \"2\"\n"},
		{"set beside quotes", "  annotations:\n    'b': '1'\n", SetAnnotation{"y", "no"}, "  annotations:\n    'b': '1'\n    \"y\": \"no\"\n"},
		{"set below a literal", "  annotations:\n    b: |\n      x\n      # text\n  labels: {}\n", SetAnnotation{"x/a", "v"}, "  annotations:\n    b: |\n      x\n      # text\n    x/a: v\n  labels: {}\n"},
		{"replace in double quotes", head + "    x/a: \"1\" # c\n", set, head + "    x/a: \"2\" # c\n"},
		{"replace in single quotes", "  annotations:\n    x/a: '1'\n", set, "  annotations:\n    x/a: '2'\n"},
		{"replace plain", "  annotations:\n    x/a: v\n    c: w\n", SetAnnotation{"x/a", "w"}, "  annotations:\n    x/a: w\n    c: w\n"},
		{"replace plain by a number", "  annotations:\n    x/a: v\n", set, "  annotations:\n    x/a: \"2\"\n"},
		{"replace on the next line", "  annotations:\n    x/a:\n      v\n", SetAnnotation{"x/a", "w"}, "  annotations:\n    x/a:\n      w\n"},
		{"replace in flow", "  annotations: {b: c, \"x/a\":\"v\"}\n", SetAnnotation{"x/a", "w,"}, "  annotations: {b: c, \"x/a\":\"w,\"}\n"},
		{"same", "  annotations: {\"x/a\": '2'}\n", set, ""},
		{"over a merged one", "  labels: &l {x/a: v}\n  annotations:\n    <<: *l\n", SetAnnotation{"x/a", "w"}, "  labels: &l {x/a: v}\n  annotations:\n    <<: *l\n    x/a: w\n"},
		{"drop first", "  annotations:\n    x/a: v # c\n    # stays\n    b: w\n", drop, "  annotations:\n    # stays\n    b: w\n"},
		{"drop last", head + "    x/a: |\n      v\n      w\n", drop, head},
		{"drop the only one", "  annotations:\n    x/a: v\n", drop, " "},
		{"drop in flow", "  annotations: {b: c, x/a: v, d: e}\n", drop, "  annotations: {b: c, d: e}\n"},
		{"drop absent", head, drop, ""},
		{"drop from none", "  annotations: {}\n", drop, ""},
	}, func(s string) string {
		if s == " " {
			s = ""
		}
		return pod("    command: [kube-apiserver]\n", "", s)
	})
}
