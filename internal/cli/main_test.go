package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/change"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/session"
)

// TestCutShort gives a panic an exit status that does not claim that nothing
// changed.
func TestCutShort(t *testing.T) {
	var out, said bytes.Buffer
	status := session.Run(context.Background(), session.Streams{Out: &out, Err: &said}, func(*session.Session) int { panic("no such thing") },
		func(s *session.Session, err error, status int) int {
			return (&program{Session: s, json: true}).cutShort(err, status)
		})
	if status != exit.NotRestored {
		t.Errorf("exit status %d", status)
	}
	var got change.Failure
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Status != 4 || !got.Changed || got.Error != "a fault of this program: no such thing" {
		t.Errorf("%s: %v", out.String(), err)
	}
	for _, want := range []string{"TestCutShort", "\nauditpatch: error: a fault of this program: no such thing\n", "\nauditpatch: hint: auditpatch status; and if a run died half way: auditpatch recover\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in\n%s", want, said.String())
		}
	}
}

// TestEmptyValues gives every flag of every command that takes a value an empty
// one: a new flag is in.
func TestEmptyValues(t *testing.T) {
	tried := 0
	for _, c := range leaves("auditpatch", describe("").app().Commands) {
		for _, f := range c.manFlags() {
			if f.placeholder == "" || f.category == auditCategory {
				continue
			}
			name := strings.Split(f.names, ",")[0]
			for _, value := range []string{"", " \t"} {
				tried++
				var out, said bytes.Buffer
				status := Main(context.Background(), append(strings.Fields(c.path), name+"="+value), session.Streams{In: strings.NewReader(""), Out: &out, Err: &said}, "test")
				if status != exit.Refused || !strings.Contains(said.String(), "hint: ") || out.Len() > 0 ||
					!strings.Contains(said.String(), "the value is empty") && !strings.Contains(said.String(), "invalid value") {
					t.Errorf("%s %s=%q: exit status %d\n%s%s", c.path, name, value, status, said.String(), out.String())
				}
			}
		}
	}
	t.Logf("%d values", tried)
	if tried < 100 {
		t.Errorf("only %d values", tried)
	}
}

// TestCredentials gives every command a URL with a password, as the value of each flag
// and in other places.
func TestCredentials(t *testing.T) {
	t.Chdir(t.TempDir())
	const url = "https://u:PW@h/TOKEN"
	tried := 0
	for _, c := range leaves("auditpatch", describe("").app().Commands) {
		lines := [][]string{{url}, {"--" + url}, {"--" + url + "=a"}, {"--no-such", url}, {"--no-such=" + url}, {"writes", "--webhook-url", url}, {"--preset", "writes", url}}
		for _, f := range c.manFlags() {
			name := strings.Split(f.names, ",")[0]
			lines = append(lines, []string{name + "=" + url}, []string{name, url}, []string{name + "x=" + url}, []string{name + "x", url})
		}
		for _, line := range lines {
			for _, format := range []string{"text", "json"} {
				words := append(strings.Fields(c.path), line...)
				if hint.OnNode(strings.TrimPrefix(c.path, "auditpatch ")) && !strings.HasPrefix(line[0], "--root") {
					words = append(slices.Insert(words, 2, "--root", t.TempDir()), "-o", format)
				}
				tried++
				var out, said bytes.Buffer
				if status := Main(t.Context(), words, session.Streams{In: strings.NewReader(""), Out: &out, Err: &said}, "test"); status == 0 {
					out.Reset() // an export has what was asked for
				}
				if all := out.String() + said.String(); strings.Contains(all, "PW") || strings.Contains(all, "TOKEN") {
					t.Errorf("%s:\n%s", strings.Join(words, " "), all)
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d command lines", tried)
	}
}
