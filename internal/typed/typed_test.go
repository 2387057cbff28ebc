package typed

import (
	"fmt"
	"path"
	"strings"
	"testing"
)

// TestHide wants nothing of a credential in a message, in whatever form it comes.
func TestHide(t *testing.T) {
	const secret = `https://user:PW'"&@h:1/hooks/TOKEN/x`
	for _, words := range [][]string{
		{"enable", secret}, {"enable", "--root", secret}, {"--root=" + secret}, {"--" + secret},
		{"https://h:1", secret}, {"TOKEN://" + secret, secret},
	} {
		v := Of(words)
		for _, text := range []string{
			words[len(words)-1], "open " + path.Clean(secret) + ": no such file", path.Dir(secret), fmt.Sprintf("%q", secret),
			"mv '" + strings.ReplaceAll(secret, "'", `'\''`) + "'", path.Join(secret, "etc/kubernetes"), "/here/" + path.Join(secret, "etc"),
		} {
			if got := v.Hide(text); strings.Contains(got, "PW") || strings.Contains(got, "TOKEN") {
				t.Errorf("%q: %s is shown as %s", words, text, got)
			}
		}
	}
}

// TestHideName hides what the flag parser takes for the name of a flag.
func TestHideName(t *testing.T) {
	const word = "--https://h/TOKEN?a=b"
	if got := Of([]string{word}).Hide("unknown flag --https://h/TOKEN?a"); got != "unknown flag --https://h/..." {
		t.Error(got)
	}
}

func TestHarmless(t *testing.T) {
	v := Of([]string{"auditpatch", "enable", "--root", "/n", "--audit-log-format=json", "--webhook-url=https://192.0.2.7:9765", "--policy", "-"})
	for _, text := range []string{"https://127.0.0.1:6443/readyz", "--policy -: https://192.0.2.7:9765", "root@h:/n", "https://h/a@b"} {
		if got := v.Hide(text); got != text {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}

func TestPublic(t *testing.T) {
	for value, want := range map[string]string{"/n": "/n", "": "", "https://h/x": "https://h/...", "https://h": "https://h", "x://%zz": unknown} {
		if got := Public(value); got != want {
			t.Errorf("Public(%q) = %q, want %q", value, got, want)
		}
	}
}
