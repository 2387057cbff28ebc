package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/change"
	"auditpatch/internal/exit"
	"auditpatch/internal/inspect"
	"auditpatch/internal/session"
)

// TestTextInArguments gives a file's text in every place of a command line that
// has a path, a word or a number, as "$(cat FILE)" does.
func TestTextInArguments(t *testing.T) {
	texts := map[string]string{
		"YAML": "kind: Config\nusers:\n- user: {token: canary}\n",
		"JSON": `{"users": [{"user": {"token": "canary"}}]}`,
		"PEM":  "-----BEGIN PRIVATE KEY-----\ncanary/canary=\n-----END PRIVATE KEY-----\n",
	}
	try := func(args ...string) {
		t.Helper()
		var out, said bytes.Buffer
		p := &program{Session: session.New(session.Streams{In: strings.NewReader(""), Out: &out, Err: &said})}
		status := p.run(context.Background(), append([]string{"auditpatch"}, args...))
		if all := out.String() + said.String(); status != exit.Refused || strings.Contains(all, "canary") || !strings.Contains(all, "the text of") {
			t.Errorf("%.60q: exit status %d\n%s", args, status, all)
		}
		var f change.Failure
		if args[len(args)-1] == "json" && (json.Unmarshal(out.Bytes(), &f) != nil || f.Status != exit.Refused || f.Error == "") {
			t.Errorf("%.60q: no JSON: %s", args, out.String())
		}
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			try(text)
			try("restore", "--root="+t.TempDir(), "--to", text, "-o", "json")
			try("export", "kind", "--dir="+text, "-o", "json")
			for _, f := range describe("").app().Command("enable").Flags {
				if flag := f.Names()[0]; flag != "help" {
					try("enable", "--"+flag+"="+text, "-o", "json")
					try("enable", "--"+flag, text, "-o", "json")
				}
			}
			try("enable", text, "-o", "json")
		})
	}
}

// TestLogWords counts files as people do.
func TestLogWords(t *testing.T) {
	for files, want := range map[int]string{0: "no log yet; ", 1: "0 B in 1 file; ", 2: "0 B in 2 files; "} {
		if got := logWords(&inspect.LogStatus{Files: files}, time.Now()); !strings.HasPrefix(got, want) {
			t.Errorf("%d: %s", files, got)
		}
	}
}
