package presets_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
	"auditpatch/presets"
)

// TestRecord compares what the heads say of contents and of requests that are not
// written with what the evaluator says. UPDATE_README=1 writes these lines.
func TestRecord(t *testing.T) {
	for _, preset := range presets.All() {
		text, err := preset.Policy(nil)
		if err != nil {
			t.Fatal(err)
		}
		p := load(t, preset.Name)
		want := withLines(string(text), generated(p))
		if want == string(text) {
			continue
		}
		if os.Getenv("UPDATE_README") == "" {
			t.Errorf("%s: what the head says is not what the policy does; UPDATE_README=1 go test ./presets (-want +got):\n%s",
				preset.Name, cmp.Diff(want, string(text)))
		} else if err := os.WriteFile(preset.Name+".yaml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// generated are the lines of a head that follow from the policy.
func generated(p *policy.Policy) string {
	out := ""
	if kinds := mayLeak(p); len(kinds) > 0 {
		out = field("May leak", strings.Join(kinds, "; "))
	}
	title, which := "Not written", requests.Hidden(p)
	if len(which) > len(requests.All())/2 {
		title, which = "Only written", requests.Written(p)
	}
	names := []string{}
	for _, r := range which {
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		names = []string{"nothing"}
	}
	return out + field(title, strings.Join(names, "; "))
}

// field is a field of a head in lines of a hundred characters.
func field(name, value string) string {
	var b strings.Builder
	line := "# " + name + ":"
	for word := range strings.FieldsSeq(value) {
		if len(line)+1+len(word) > 100 {
			b.WriteString(line + "\n")
			line = "#   " + word
			continue
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

var generatedLines = regexp.MustCompile(`(?m)^# (May leak|Not written|Only written): .*\n(#   .*\n)*`)

// withLines is a file with other generated lines: they end its head.
func withLines(text, lines string) string {
	text = generatedLines.ReplaceAllString(text, "")
	end := regexp.MustCompile(`(?m)^(#$|apiVersion:)`).FindStringIndex(text)[0]
	return text[:end] + lines + text[end:]
}

// kinds are the resources of presets.Sensitive.
var kinds = []struct{ kind, group, resource string }{
	{"secrets", "", "secrets"},
	{"configmaps", "", "configmaps"},
	{"serviceaccounts/token", "", "serviceaccounts/token"},
	{"tokenreviews", authn, "tokenreviews"},
	{"certificatesigningrequests", certs, "certificatesigningrequests"},
	{"certificatesigningrequests", certs, "certificatesigningrequests/approval"},
	{"certificatesigningrequests", certs, "certificatesigningrequests/status"},
	{"podcertificaterequests", certs, "podcertificaterequests"},
	{"podcertificaterequests", certs, "podcertificaterequests/status"},
	{"custom resources", "example.com", "widgets"},
	{"custom resources", "example.com", "widgets/status"},
}

// mayLeak are the kinds whose contents a policy writes for anybody anywhere, in the order
// of presets.Sensitive.
func mayLeak(p *policy.Policy) []string {
	users := []policy.Request{nobody, anonymous, alice, admin, kubelet, scheduler, kcm, kubeProxy, loopback,
		account("kube-system", "kube-proxy"), account("kube-system", "generic-garbage-collector"),
		account("kube-system", "namespace-controller"), account("prod", "default")}
	found := map[string]bool{}
	for _, user := range users {
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
			for _, namespace := range []string{"", "default", "kube-system", "kube-public", "kube-node-lease", "prod"} {
				for _, name := range []string{"", "x", "controller-leader", "kube-root-ca.crt"} {
					for _, k := range kinds {
						d := p.Evaluate(on(user, verb, k.group, k.resource, namespace, name).Attributes())
						found[k.kind] = found[k.kind] || writesContents(d.Level, verb)
					}
				}
			}
		}
	}
	return slices.DeleteFunc(presets.Sensitive(), func(kind string) bool { return !found[kind] })
}

// writesContents tells whether an object gets into the log: a change sends it, the answer
// to any request but a watch may have it.
func writesContents(level audit.Level, verb string) bool {
	sends := slices.Contains([]string{"create", "update", "patch"}, verb)
	return level == audit.LevelRequestResponse && verb != "watch" || level == audit.LevelRequest && sends
}

// TestLeaks wants each preset that writes sensitive contents to say so in words, and no
// other; and those that write Secrets to be the few that are meant to.
func TestLeaks(t *testing.T) {
	var secrets []string
	for _, preset := range presets.All() {
		found := mayLeak(load(t, preset.Name))
		if diff := cmp.Diff(found, preset.MayLeak, cmp.Transformer("nil", func(s []string) string { return strings.Join(s, ";") })); diff != "" {
			t.Errorf("%s: MayLeak (-evaluator +head):\n%s", preset.Name, diff)
		}
		if (preset.Leaks != "") != (len(found) > 0) {
			t.Errorf("%s writes contents of %q; its head says %q", preset.Name, found, preset.Leaks)
		}
		if preset.LeaksSecrets() {
			secrets = append(secrets, preset.Name)
		}
	}
	if diff := cmp.Diff([]string{"stig", "everything"}, secrets); diff != "" {
		t.Errorf("presets that write Secrets (-want +got):\n%s", diff)
	}
}

// TestExceptions wants a reason for each finding of policy lint that a preset has on
// purpose. That it has these and no others is a test of package lint.
func TestExceptions(t *testing.T) {
	code := regexp.MustCompile(`^AP[0-9]{3}$`)
	for _, preset := range presets.All() {
		seen := map[string]bool{}
		for _, e := range preset.Lint {
			for _, c := range e.Codes {
				if !code.MatchString(c) || seen[c] || e.Why == "" {
					t.Errorf("%s: %q for %q", preset.Name, c, e.Why)
				}
				seen[c] = true
			}
		}
	}
}
