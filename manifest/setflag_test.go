package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pod is a manifest with these lines in its container, its spec and its
// metadata.
func pod(container, spec, meta string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n" + meta +
		"spec:\n  containers:\n  - name: kube-apiserver\n    image: registry.k8s.io/kube-apiserver:v1.36.0\n" + container + spec
}

// parts are n lines or items of a manifest, each with its number.
func parts(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// editCase is one edit of a part of a manifest.
type editCase struct {
	name, in string
	edit     Edit
	out      string // "" when nothing changes
}

// run makes the edits; whole puts a part into a manifest.
func run(t *testing.T, cases []editCase, whole func(part string) string) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			src, want := whole(c.in), whole(c.out)
			if c.out == "" {
				want = src
			}
			got := apply(t, []byte(src), c.edit)
			if d := cmp.Diff(want, string(got)); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.edit, d)
			}
			checkResult(t, []byte(src), got, []Edit{c.edit})
		})
	}
}

func TestSetFlagInPlace(t *testing.T) {
	set := SetFlag{"a", "2"}
	run(t, []editCase{
		{"plain", "- --a=1", set, "- --a=2"},
		{"same", "- --a=2", set, ""},
		{"same in quotes", `- "--a=2"`, set, ""},
		{"empty value", "- --a=", set, "- --a=2"},
		{"to empty", "- --a=1", SetFlag{"a", ""}, "- --a="},
		{"single quotes", "- '--a=1'", set, "- '--a=2'"},
		{"double quotes", `- "--a=1"`, set, `- "--a=2"`},
		{"quotes in single quotes", "- '--a=it''s'", SetFlag{"a", "'"}, "- '--a='''"},
		{"quotes in double quotes", `- "--a=\"x\\"`, SetFlag{"a", `"\`}, `- "--a=\"\\"`},
		{"control in single quotes", "- '--a=1'", SetFlag{"a", "\t"}, `- "--a=\t"`},
		{"plain that needs quotes", "- --a=1", SetFlag{"a", "x: #"}, `- "--a=x: #"`},
		{"line separator", "- --a=1", SetFlag{"a", "\u2028\u0085"}, `- "--a=\u2028\u0085"`},
		{"comment", "- --a=1  # why", set, "- --a=2  # why"},
		{"non-ASCII before it", "- --ž=ž   # ř\n    - --a=1", set, "- --ž=ž   # ř\n    - --a=2"},
		{"dash alone", "-\n\n      --a=1", set, "-\n\n      --a=2"},
		{"underscores", "- --a_b=1", SetFlag{"a-b", "2"}, "- --a_b=2"},
		{"asked with underscores", "- --a-b=1", SetFlag{"a_b", "2"}, "- --a-b=2"},
		{"last of repeats", "- --a=1\n    - --b=1\n    - --a=3", set, "- --a=1\n    - --b=1\n    - --a=2"},
		{"commented out", "# - --a=1\n    - --b", set, "# - --a=1\n    - --b\n    - --a=2"},
		{"like the end of another", "- --aa=1\n    - --a-a=1", set, "- --aa=1\n    - --a-a=1\n    - --a=2"},
		{"in another's value", "- --b=--a=1", set, "- --b=--a=1\n    - --a=2"},
		{"single dash", "- -a=1", set, "- -a=1\n    - --a=2"},
		{"equals in the value", "- --a=b=c,d=e", SetFlag{"a", "b=f"}, "- --a=b=f"},
	}, func(s string) string {
		return pod("    command:\n    - kube-apiserver\n    - --z=9\n    "+s+"\n", "", "")
	})
}

func TestSetFlagOfTwoItems(t *testing.T) {
	run(t, []editCase{
		{"plain", "- --a\n    - 1x", SetFlag{"a", "2x"}, "- --a\n    - 2x"},
		{"in quotes", "- --a\n    - \"1\" # one", SetFlag{"a", "2"}, "- --a\n    - \"2\" # one"},
		{"a number where it was a word", "- --a\n    - x", SetFlag{"a", "2"}, "- --a\n    - \"2\""},
		{"same", "- --a\n    - x", SetFlag{"a", "x"}, ""},
		{"to empty", "- --a\n    - x", SetFlag{"a", ""}, "- --a\n    - \"\""},
		{"standard output", "- --a\n    - '-'", SetFlag{"a", "x"}, "- --a\n    - 'x'"},
		{"to standard output", "- --a\n    - x", SetFlag{"a", "-"}, "- --a\n    - \"-\""},
		{"negative", "- --a\n    - \"-1\"", SetFlag{"a", "-2"}, "- --a\n    - \"-2\""},
		{"to what looks like a flag", "- --a\n    - x # one\n    - --b", SetFlag{"a", "-y"}, "- --a=-y\n    - --b"},
		{"underscores", "- --a_b\n    - x", SetFlag{"a-b", "z"}, "- --a_b\n    - z"},
		{"alone", "- --a\n    - --b", SetFlag{"a", "x"}, "- --a=x\n    - --b"},
		{"alone at the end", "- --b\n    - --a", SetFlag{"a", "x"}, "- --b\n    - --a=x"},
		{"alone in quotes", "- '--a'", SetFlag{"a", "false"}, "- '--a=false'"},
		{"alone is true", "- --a\n    - --b", SetFlag{"a", "true"}, ""},
		{"before a short flag", "- --a\n    - -v=2", SetFlag{"a", "x"}, "- --a=x\n    - -v=2"},
	}, func(s string) string { return pod("    command:\n    - kube-apiserver\n    "+s+"\n", "", "") })
}

func TestSetFlagAppends(t *testing.T) {
	set := SetFlag{"a", "2"}
	run(t, []editCase{
		{"block", "    command:\n    - kube-apiserver\n", set, "    command:\n    - kube-apiserver\n    - --a=2\n"},
		{"quotes where they are needed", "    command:\n    - kube-apiserver\n", SetFlag{"a", "x,y"}, "    command:\n    - kube-apiserver\n    - \"--a=x,y\"\n"},
		{"flow", "    command: [kube-apiserver]\n", set, "    command: [kube-apiserver, --a=2]\n"},
		{"flow without blanks", "    command: ['kube-apiserver','--b']\n", set, "    command: ['kube-apiserver','--b','--a=2']\n"},
		{"flow with quotes", "    command: [ \"kube-apiserver\" ]\n", set, "    command: [ \"kube-apiserver\", \"--a=2\" ]\n"},
		{"flow with a comma", "    command: [kube-apiserver, ]\n", set, "    command: [kube-apiserver, --a=2, ]\n"},
		{"flow comma first", "    command: [ kube-apiserver\n             , --b\n             ]\n", set, "    command: [ kube-apiserver\n             , --b, --a=2\n             ]\n"},
		{"flow closed on its last line", "    command: [\n      kube-apiserver,\n      --b]  # end\n", set, "    command: [\n      kube-apiserver,\n      --b,\n      --a=2]  # end\n"},
		{"flow with a comma on the next line", "    command: [\n      kube-apiserver\n      , # c\n      ]\n", set, "    command: [\n      kube-apiserver\n      , # c\n      --a=2,\n      ]\n"},
		{"flow, brackets in values", "    command: [kube-apiserver, \"--b=]\", '--c=[''', '--d=}' ]\n", set, "    command: [kube-apiserver, \"--b=]\", '--c=[''', '--d=}', '--a=2' ]\n"},
		{"flow, quotes in values", "    command: [kube-apiserver, --b=it's, --c=x \"y, !!str '--d=]', &x \"--e=,\"]\n", set, "    command: [kube-apiserver, --b=it's, --c=x \"y, !!str '--d=]', &x \"--e=,\", \"--a=2\"]\n"},
		{"flow, comments with brackets", "    command: [ # [ it's\n      kube-apiserver, # ]\n      --b # ] \"\n      # ]\n      ]\n", set, "    command: [ # [ it's\n      kube-apiserver, # ]\n      --b, # ] \"\n      --a=2\n      # ]\n      ]\n"},
		{"args when there are any", "    args:\n    - --b\n    command: [kube-apiserver]\n", set, "    args:\n    - --b\n    - --a=2\n    command: [kube-apiserver]\n"},
		{"command when args are empty", "    args: []\n    command: [kube-apiserver]\n", set, "    args: []\n    command: [kube-apiserver, --a=2]\n"},
		{"image's own program", "    args: [--b=1]\n", set, "    args: [--b=1, --a=2]\n"},
		{"hyperkube", "    command: [/hyperkube, apiserver]\n    args: [--b]\n", set, "    command: [/hyperkube, apiserver]\n    args: [--b, --a=2]\n"},
		{"wrapped", "    command: [/sbin/tini, --, /bin/kube-apiserver]\n", set, "    command: [/sbin/tini, --, /bin/kube-apiserver, --a=2]\n"},
		{"the wrapper's own flag", "    command: [/go-runner, --a=1, /bin/kube-apiserver]\n", set, "    command: [/go-runner, --a=1, /bin/kube-apiserver, --a=2]\n"},
		{"text of the last item goes on at the left", "    command:\n    - kube-apiserver\n    - \"--b=x\n  y\"\n", set, "    command:\n    - kube-apiserver\n    - \"--b=x\n  y\"\n    - --a=2\n"},
	}, func(s string) string { return pod(s, "", "") })
}
