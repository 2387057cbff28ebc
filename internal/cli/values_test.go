package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
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
		p := &program{Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &said}, gate: &gate{}}
		exit := p.run(context.Background(), append([]string{"auditpatch"}, args...))
		if all := out.String() + said.String(); exit != exitRefused || strings.Contains(all, "canary") || !strings.Contains(all, "the text of") {
			t.Errorf("%.60q: exit status %d\n%s", args, exit, all)
		}
		var f failure
		if args[len(args)-1] == "json" && (json.Unmarshal(out.Bytes(), &f) != nil || f.Status != exitRefused || f.Error == "") {
			t.Errorf("%.60q: no JSON: %s", args, out.String())
		}
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			try(text)
			try("restore", "--root="+t.TempDir(), "--to", text, "-o", "json")
			try("export", "kind", "--dir="+text, "-o", "json")
			for _, f := range (&program{}).app().Command("enable").Flags {
				if flag := f.Names()[0]; flag != "help" {
					try("enable", "--"+flag+"="+text, "-o", "json")
					try("enable", "--"+flag, text, "-o", "json")
				}
			}
			try("enable", text, "-o", "json")
			for _, argument := range []string{"state", "root", "manifest", "log_group", "preset", "timeout", "audit_policy_file", "audit_log_path", "audit_log_maxage", "audit_webhook_config_file"} {
				task, _ := json.Marshal(map[string]string{argument: text})
				var out bytes.Buffer
				p := &program{Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &out}, gate: &gate{}}
				if exit := p.runTask(context.Background(), task); exit != 1 || strings.Contains(out.String(), "canary") {
					t.Errorf("%s: exit status %d\n%s", argument, exit, out.String())
				}
			}
		})
	}
}
