package hint

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// TestLine compares hints with their lines, alone and on a command line that names a
// node.
func TestLine(t *testing.T) {
	n := Node{{Name: "manifest", Value: "/m.yaml", Form: Apart}, {Name: "root", Value: "/mnt/my img", Form: Apart}, {Name: "state-dir", Value: "/s", Form: Apart}}
	const all = "--manifest /m.yaml --root '/mnt/my img' --state-dir /s"
	for _, c := range []struct {
		h        Hint
		line, in string // "" for the same
	}{
		{nil, "", ""},
		{Flag("audit-log-maxage", 30), "--audit-log-maxage=30", ""},
		{Flag("audit-log-path", ""), "--audit-log-path=", ""},
		{Flag("audit-log-path", "/a b"), "--audit-log-path='/a b'", ""},
		{Spaced("o", "json"), "-o json", ""},
		{Spaced("to", ""), "--to ''", ""},
		{Flag("aa", 1).Flag("bb", false).Switch("cc"), "--aa=1 --bb=false --cc", ""},
		{Flag("preset", "baseline").As("enable"), "auditpatch enable --preset=baseline", "auditpatch enable " + all + " --preset=baseline"},
		{Words("x").As("enable"), "x", ""},

		{Command("").Switch("help"), "auditpatch --help", ""},
		{Command("enable").Switch("help"), "auditpatch enable --help", ""},
		{Command("recover"), "auditpatch recover", "auditpatch recover " + all},
		{Command("restore").Spaced("to", "x"), "auditpatch restore --to x", "auditpatch restore " + all + " --to x"},
		{Command("policy list"), "auditpatch policy list", ""},
		{Command("export kubeadm"), "auditpatch export kubeadm", ""},
		{Command("policy lint").Spaced("policy", "a"), "auditpatch policy lint --policy a", ""},
		{Command("policy lint").Spaced("policy", Path("/a")), "auditpatch policy lint --policy /a", "auditpatch policy lint --policy '/mnt/my img/a'"},
		{Command("enable").Spaced("root", "/"), "auditpatch enable --root /", "auditpatch enable --manifest /m.yaml --state-dir /s --root /"},
		{Command("enable").Without("root"), "auditpatch enable", "auditpatch enable --manifest /m.yaml --state-dir /s"},
		{Command("doctor").Elsewhere().Note(", on that node"), "auditpatch doctor, on that node", ""},
		{Command("enable").Spaced("preset", "a").Typed("b", "--root", "r", "-q", "--xx=y"), "auditpatch enable --preset a b --root r -q --xx=y",
			"auditpatch enable --manifest /m.yaml --state-dir /s --preset a b --root r -q --xx=y"},

		{Command("").Typed("enable", "--policy", "-", "--", "-o=a b", "c d"), "auditpatch enable --policy - -- -o='a b' 'c d'", ""},

		{Shell("mv %s %s", Path("/a"), "/b c"), "mv /a '/b c'", "mv '/mnt/my img/a' '/b c'"},
		{Shell("chown %d:%d %s", 1, 2, Path("/a")), "chown 1:2 /a", "chown 1:2 '/mnt/my img/a'"},
		{Shell("echo %s", "it's"), `echo 'it'\''s'`, ""},
		{Shell("sh -c %s", Command("recover").Without("root")), "sh -c 'auditpatch recover'", "sh -c 'auditpatch recover --manifest /m.yaml --state-dir /s'"},
		{Words("100%"), "100%", ""},
		{Words("write %q for %s", "a", Path("/a")), `write "a" for /a`, `write "a" for /mnt/my img/a`},

		{Command("recover").Then(", or: ", Shell("reboot")).Then("; ", Switch("force").Note("does it")),
			"auditpatch recover, or: reboot; --force does it", "auditpatch recover " + all + ", or: reboot; --force does it"},
		{Hint(nil).Then("; ", Words("a")), "a", ""},
		{Words("a").Then("; ", nil).Note("b"), "a b", ""},
		{First(nil, Words("a"), Words("b")), "a", ""},
	} {
		if got := c.h.String(); got != c.line {
			t.Errorf("got  %s\nwant %s", got, c.line)
		}
		want := c.in
		if want == "" {
			want = c.line
		}
		bound := c.h.In(n)
		if got := bound.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := bound.In(n).String(); got != want {
			t.Errorf("twice: got  %s\nwant %s", got, want)
		}
		if got := c.h.String(); got != c.line {
			t.Errorf("the hint itself is now %s", got)
		}
	}
}

// TestFilter keeps standard input for the commands that read a manifest from it.
func TestFilter(t *testing.T) {
	n := Node{{Name: "manifest", Value: "-", Form: Apart}, {Name: "state-dir", Value: "/s", Form: Apart}}
	for command, want := range map[string]string{
		"enable": "--manifest - --state-dir /s", "diff": "--manifest - --state-dir /s", "disable": "--manifest - --state-dir /s",
		"status": "--manifest - --state-dir /s", "restore": "--state-dir /s", "recover": "--state-dir /s", "doctor": "--state-dir /s",
	} {
		if got := Command(command).In(n).String(); got != "auditpatch "+command+" "+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestBranches makes two hints of one, which stays as it is.
func TestBranches(t *testing.T) {
	base := Command("enable").Flag("aa", 1)
	one, other := base.Flag("bb", 2).Note("one"), base.Flag("cc", 3).Note("other")
	got := fmt.Sprintf("%v|%v|%v", base, one, other)
	if want := "auditpatch enable --aa=1|auditpatch enable --aa=1 --bb=2 one|auditpatch enable --aa=1 --cc=3 other"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestJSON(t *testing.T) {
	type finding struct {
		Hint Hint `json:"hint,omitempty"`
	}
	for _, c := range []struct {
		h    Hint
		want string
	}{{nil, `{}`}, {Command("enable").Flag("preset", "baseline"), `{"hint":"auditpatch enable --preset=baseline"}`}} {
		got, err := json.Marshal(finding{c.h})
		if err != nil || string(got) != c.want {
			t.Errorf("got %s, %v, want %s", got, err, c.want)
		}
		var back finding
		if err := json.Unmarshal(got, &back); err != nil || !back.Hint.Equal(c.h) {
			t.Errorf("read back as %v, %v", back.Hint, err)
		}
	}
}

func TestOf(t *testing.T) {
	inner := Errorf(Switch("force"), "inner %d", 1)
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("x"), ""},
		{inner, "--force"},
		{fmt.Errorf("outer: %w", inner), "--force"},
		{errors.Join(errors.New("x"), inner), "--force"},
		{&Error{Reason: "x"}, ""},
	} {
		if got := Of(c.err).String(); got != c.want {
			t.Errorf("%v: hint %q, want %q", c.err, got, c.want)
		}
	}
}
