package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/change"
	"auditpatch/internal/cli"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/session"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// TestTaskLine compares arguments with the command line that they become, or
// with what is said of them and the hint.
func TestTaskLine(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{`{}`, "enable"},
		{`{"_ansible_check_mode": true, "_ansible_diff": true, "_ansible_anything": [1]}`, "enable --dry-run"},
		{`{"state": "disabled", "purge": "Yes"}`, "disable --purge=true"},
		{`{"state": "restored", "to": "2026-11-22T11:20:04Z-3"}`, "restore --to=2026-11-22T11:20:04Z-3"},
		{`{"state": null, "preset": null}`, "enable"},
		{`{"settings": {"preset": null}}`, "enable"},

		// Numbers.
		{`{"audit_log_maxage": 30}`, "enable --audit-log-maxage=30"},
		{`{"audit_log_maxage": 30.0}`, "enable --audit-log-maxage=30"},
		{`{"audit_log_maxage": 3e1}`, "enable --audit-log-maxage=30"},
		{`{"audit_log_maxage": "30"}`, "enable --audit-log-maxage=30"},
		{`{"audit_log_maxage": -1}`, "enable --audit-log-maxage=-1"},
		{`{"audit_log_truncate_max_batch_size": 10485760.0}`, "enable --audit-log-truncate-max-batch-size=10485760"},
		{`{"audit_log_batch_throttle_qps": 2.5}`, "enable --audit-log-batch-throttle-qps=2.5"},
		{`{"audit_log_path": ""}`, "enable --audit-log-path="},

		// Booleans.
		{`{"no_wait": true}`, "enable --no-wait=true"},
		{`{"no_wait": "off"}`, "enable --no-wait=false"},
		{`{"no_wait": 1.0}`, "enable --no-wait=true"},
		{`{"no_wait": "maybe"}`, `no_wait: "maybe" is not a boolean | no_wait: true`},
		{`{"audit_log_path": true}`, `audit_log_path: true is a boolean; quote a word that is not meant as one | audit_log_path: "..."`},

		// Lists, durations and modes.
		{`{"namespace": ["a", 1]}`, "enable --namespace=a --namespace=1"},
		{`{"namespace": "a"}`, "enable --namespace=a"},
		{`{"namespace": [["a"]]}`, "namespace: it takes one value, not a list | namespace: VALUE"},
		{`{"preset": ["a"]}`, "preset: it takes one value, not a list | preset: VALUE"},
		{`{"preset": {"a": 1}}`, "preset: it takes one value, not a mapping | preset: VALUE"},
		{`{"timeout": "90s"}`, "enable --timeout=90s"},
		{`{"timeout": 90}`, `timeout: "90" is not a duration | timeout: 5m`},
		{`{"log_file_mode": "0640"}`, "enable --log-file-mode=0640"},
		{`{"log_file_mode": 416}`, `log_file_mode: quote the mode, or YAML reads it as a decimal or octal number | log_file_mode: "0640"`},

		// Texts of files.
		{`{"policy_content": "x"}`, "enable --policy=policy_content policy: x\n"},
		{`{"policy_content": "x\n"}`, "enable --policy=policy_content policy: x\n"},
		{`{"policy_content": {"kind": "Policy", "rules": [{"level": "None"}]}}`, "enable --policy=policy_content policy: kind: Policy\nrules:\n- level: None\n"},
		{`{"webhook_ca_content": "x"}`, "enable --webhook-ca=webhook_ca_content webhook-ca: x\n"},
		{`{"policy_content": "x", "policy": "/x"}`, "policy and policy_content exclude each other | policy_content: ..."},
		{`{"policy_content": 1}`, `policy_content: it takes the text of a file | policy_content: "{{ lookup('file', 'FILE') }}"`},
		{`{"policy": "-"}`, `policy: a task has no standard input | policy_content: "{{ lookup('file', 'FILE') }}"`},
		{`{"webhook_ca": "a\nb"}`, "webhook_ca: it takes a path on the node, not the text of a file | webhook_ca_content: ..."},
		{`{"manifest": "-"}`, "manifest: a task has no standard input | manifest: " + cli.DefaultManifest},

		// Names.
		{`{"state": "enable"}`, `state: "enable": it is enabled, disabled or restored | state: enabled`},
		{`{"state": true}`, `state: true: it is enabled, disabled or restored | state: enabled`},
		{`{"purge": true}`, "purge goes with state: disabled | state: disabled"},
		{`{"state": "restored", "policy_content": "x"}`, "policy_content goes with state: enabled | state: enabled"},
		{`{"audit-log-maxage": 1}`, `unknown argument "audit-log-maxage": did you mean "audit_log_maxage"? | audit_log_maxage: ...`},
		{`{"polici_content": 1}`, `unknown argument "polici_content": did you mean "policy_content"? | policy_content: ...`},
		{`{"preset_content": 1}`, `unknown argument "preset_content" | auditpatch enable --help`},
		{`{"o": "json"}`, `unknown argument "o" | auditpatch enable --help`},
		{`{"helpful": 1}`, `unknown argument "helpful" | auditpatch enable --help`},
		{`{"dry_run": true}`, "dry_run: not an argument of a task | ansible-playbook --check"},
		{`{"output": "json"}`, "output: not an argument of a task | register: RESULT"},

		// Settings.
		{`{"settings": {"audit_log_maxage": 3}, "preset": "writes"}`, "enable --audit-log-maxage=3 --preset=writes"},
		{`{"state": "disabled", "settings": {"audit_log_maxage": [], "policy_content": "x", "to": "x", "root": "/n"}}`, "disable --root=/n"},
		{`{"settings": {"preset": "a"}, "preset": "b"}`, "settings: preset is an argument of its own | preset: ..."},
		{`{"settings": {"state": "disabled"}}`, "settings: state is an argument of its own | state: ..."},
		{`{"settings": [1]}`, "settings: it takes a mapping of arguments | settings: {audit_log_maxage: 30}"},

		{`{"a": 1} {}`, "read the task's arguments: something follows the JSON object | "},
	} {
		task, err := readTask([]byte(tc.args))
		var got string
		if err != nil {
			got = err.Error() + " | " + hint.Of(err).String()
		} else {
			got = strings.Join(task.line[1:], " ")
			for flag, text := range task.contents {
				got += " " + flag + ": " + string(text)
			}
		}
		if got != tc.want {
			t.Errorf("%s\ngot  %s\nwant %s", tc.args, got, tc.want)
		}
	}
}

// TestTaskWords compares messages and hints for a shell with those for a task.
func TestTaskWords(t *testing.T) {
	task, err := readTask([]byte(`{"policy_content": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ in, want string }{
		{"--preset and --policy exclude each other", "preset and policy_content exclude each other"},
		{"--audit-log-path=/x: the log needs a directory of its own", "audit_log_path=/x: the log needs a directory of its own"},
		{"kube-apiserver has no --anonymous-auth, --list or --to", "kube-apiserver has no --anonymous-auth, --list or --to"},
	} {
		if got := task.words(tc.in); got != tc.want {
			t.Errorf("%s\ngot  %s\nwant %s", tc.in, got, tc.want)
		}
	}
	task.node = hint.Node{{Name: "root", Value: "/mnt/img", Form: hint.Apart}}
	for _, tc := range []struct {
		in   hint.Hint
		want string
	}{
		{nil, ""},
		{hint.Flag("audit-log-maxage", 30), "audit_log_maxage: 30"},
		{hint.Flag("audit-log-path", ""), `audit_log_path: ""`},
		{hint.Flag("log-file-mode", "0640"), `log_file_mode: "0640"`},
		{hint.Flag("audit-log-path", "-"), `audit_log_path: '-'`},
		{hint.Flag("policy", "FILE"), "policy_content: FILE"},
		{hint.Flag("anonymous-auth", false), "--anonymous-auth=false"},
		{hint.Command("enable").Spaced("preset", "..."), "preset: ..."},
		{hint.Command("enable").Flag("audit-log-maxsize", 50).Flag("audit-log-maxbackup", 6), "audit_log_maxsize: 50 audit_log_maxbackup: 6"},
		{hint.Command("enable"), "auditpatch enable --root /mnt/img"},
		{hint.Command("enable").Note("waits for it"), "auditpatch enable --root /mnt/img waits for it"},
		{hint.Command("enable").Spaced("manifest", "PATH").Note(", on a control-plane node"), "manifest: PATH, on a control-plane node"},
		{hint.Command("doctor").Note("says more").Then("; ", hint.Switch("force").Note("begins all the same")),
			"auditpatch doctor --root /mnt/img says more; force: true begins all the same"},
		{hint.Command("restore").Switch("list"), "auditpatch restore --root /mnt/img --list"},
		{hint.Words(`write "x"`).Then("; ", hint.Command("policy lint").Spaced("policy", "policy_content").Note("shows all 3 findings")),
			`write "x"; auditpatch policy lint --policy FILE shows all 3 findings`},
		{hint.Shell("chmod o-w %s", hint.Path("/etc/kubernetes")), "chmod o-w /mnt/img/etc/kubernetes"},
		{hint.Words("run it as root: sudo auditpatch ..."), "run it as root: sudo auditpatch ..."},
	} {
		if got := task.hint(tc.in); got != tc.want {
			t.Errorf("%s\ngot  %s\nwant %s", tc.in, got, tc.want)
		}
	}
}

// moduleDocumentation is what ansible-doc shows. When the program is right,
//
//	UPDATE_README=1 go test -run TestModuleDocumentation ./internal/ansible
//
// writes the options into it.
const moduleDocumentation = "../../ansible/plugins/modules/auditpatch.yml"

// TestModuleDocumentation wants the options of the module's documentation to be
// the arguments that there are, with the words of the flags.
func TestModuleDocumentation(t *testing.T) {
	text, err := os.ReadFile(moduleDocumentation)
	if err != nil {
		t.Fatal(err)
	}
	options, err := yaml.Marshal(map[string]any{"options": moduleOptions()})
	if err != nil {
		t.Fatal(err)
	}
	const from, to = "  # The options are written by a test.\n", "EXAMPLES:"
	before, rest, _ := strings.Cut(string(text), from)
	_, after, found := strings.Cut(rest, to)
	if !found {
		t.Fatalf("%s: there is no %q before %q", moduleDocumentation, from, to)
	}
	want := before + from + "  " + strings.TrimRight(strings.ReplaceAll(string(options), "\n", "\n  "), " ") + to + after
	if want == string(text) {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatalf("%s: the options are not those of the program", moduleDocumentation)
	}
	if err := os.WriteFile(moduleDocumentation, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func moduleOptions() map[string]any {
	type option map[string]any
	options := map[string]any{
		"state": option{"type": "str", "default": "enabled", "choices": []string{"enabled", "disabled", "restored"},
			"description": []string{"what audit logging shall be like; restored goes back to before the last change"}},
		"settings": option{"type": "dict",
			"description": []string{"more arguments, from a variable; those that belong to another state are left aside"}},
	}
	for _, s := range states {
		for _, f := range cli.FlagsOf(s.command) {
			name := argumentName(f.Name)
			if known, _ := argument(s.command, name); known == nil {
				continue
			}
			usage := f.Usage
			if _, done := options[name]; done {
				continue
			}
			if s.name != "enabled" {
				usage += "; with state " + s.name
			}
			options[name] = option{"type": optionType(f), "description": []string{usage}}
			if content, _ := argument(s.command, name+"_content"); content != nil {
				options[name+"_content"] = option{"type": "str", "description": []string{"the text for " + name + " itself, from where Ansible runs"}}
			}
		}
	}
	return options
}

func optionType(f cli.Flag) string {
	switch f.Kind {
	case cli.Switch:
		return "bool"
	case cli.List:
		return "list"
	}
	return "str"
}

// TestForeseenKubeadm wants check mode to tell of a change in the cluster too.
func TestForeseenKubeadm(t *testing.T) {
	k := &patch.KubeadmPlan{Old: []byte("old\n"), New: []byte("new\n"), Edits: []manifest.ClusterEdit{manifest.SetArg{Name: "audit-log-path", Value: "-"}}}
	plan := &patch.Plan{Kubeadm: k}
	if got, want := foreseen(plan), "would change kube-system/kubeadm-config"; got != want {
		t.Errorf("msg %q, want %q", got, want)
	}
	want := []fileDiff{{"old\n", "new\n", "kube-system/kubeadm-config", "kube-system/kubeadm-config"}}
	if got := fileDiffs(plan); !slices.Equal(got, want) {
		t.Errorf("diff %q, want %q", got, want)
	}
	k.Edits = nil
	if got, want := foreseen(plan), "nothing would change"; got != want || len(fileDiffs(plan)) > 0 {
		t.Errorf("msg %q, want %q; diff %q", got, want, fileDiffs(plan))
	}
}

// TestEmptyArguments gives arguments an empty value; null leaves an argument out.
func TestEmptyArguments(t *testing.T) {
	for _, args := range []string{`{"root":""}`, `{"root":" "}`, `{"state":"restored","to":""}`, `{"settings":{"root":""}}`, `{"preset":"pod-deletions","namespace":[""],"root":"/nowhere"}`, `{"timeout":""}`, `{"timeout":"-5s"}`} {
		var out, said bytes.Buffer
		status := Main(context.Background(), []byte(args), session.Streams{In: strings.NewReader(""), Out: &out, Err: &said}, "test")
		var a answer
		if err := json.Unmarshal(out.Bytes(), &a); err != nil || status != 1 || a.RC != exit.Refused ||
			!strings.Contains(a.Msg, "the value is empty") && !strings.Contains(a.Msg, "not a duration") && !strings.Contains(a.Msg, "longer than none") {
			t.Errorf("%s: exit status %d, %v\n%s", args, status, err, out.String())
		}
	}
}

// TestFault wants a panic not to claim that nothing changed.
func TestFault(t *testing.T) {
	var out bytes.Buffer
	a := answer{Edits: []string{}, Kept: []string{}, Steps: []change.Step{}}
	f := change.CutShort(errors.New("a fault of this program: no such thing"), exit.NotRestored)
	a.Changed, a.RC, a.Msg, a.Hint = f.Changed, f.Status, f.Error, f.Hint.String()
	if status := a.print(&out); status != 1 || !strings.Contains(out.String(), `"rc": 4`) || !strings.Contains(out.String(), `"failed": true`) || !strings.Contains(out.String(), `"changed": true`) {
		t.Errorf("exit status %d, %s", status, out.String())
	}
}

// TestTextInArguments gives a file's text where an argument has a path, a word or a
// number.
func TestTextInArguments(t *testing.T) {
	for _, text := range []string{
		"kind: Config\nusers:\n- user: {token: canary}\n", `{"users": [{"user": {"token": "canary"}}]}`,
		"-----BEGIN PRIVATE KEY-----\ncanary/canary=\n-----END PRIVATE KEY-----\n",
	} {
		for _, argument := range []string{"state", "root", "manifest", "log_group", "preset", "timeout", "audit_policy_file", "audit_log_path", "audit_log_maxage", "audit_webhook_config_file"} {
			task, _ := json.Marshal(map[string]string{argument: text})
			var out bytes.Buffer
			status := Main(context.Background(), task, session.Streams{In: strings.NewReader(""), Out: &out, Err: &out}, "test")
			if status != 1 || strings.Contains(out.String(), "canary") {
				t.Errorf("%s: exit status %d\n%s", argument, status, out.String())
			}
		}
	}
}

// TestCredentials gives every argument a URL with a password, and some another value
// that has one.
func TestCredentials(t *testing.T) {
	t.Chdir(t.TempDir())
	const url = `https://u:PW@h/TOKEN`
	try := func(args map[string]any) {
		text, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		var out, said bytes.Buffer
		Main(t.Context(), text, session.Streams{In: strings.NewReader(""), Out: &out, Err: &said}, "test")
		if all := out.String() + said.String(); strings.Contains(all, "PW") || strings.Contains(all, "TOKEN") {
			t.Errorf("%s:\n%s", text, all)
		}
	}
	root := t.TempDir()
	for _, s := range states {
		for _, f := range cli.FlagsOf(s.command) {
			args := map[string]any{"state": s.name, "root": root}
			args[argumentName(f.Name)] = url
			try(args)
		}
	}
	for _, name := range []string{"state", "settings", "no_such", "no://such", "namespace", "preset", "webhook_ca_content", "webhook_config_content", url} {
		for _, value := range []any{url, []any{url}, map[string]any{"a": url}, map[string]any{url: "a"}, map[string]any{"preset": url}} {
			try(map[string]any{"root": root, name: value})
		}
	}
}
