package contract

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/yaml"
)

// canary stands in every credential of a test's files. It has no character that
// any way of writing escapes, so that it is found in JSON and in URLs as well.
const canary = "cAnArY7qZx4K"

// inBase64 are the parts of the canary's base64 that are the same whatever
// stands around it, one for each of the three places where it can begin.
func inBase64() (parts []string) {
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary + "xx"))
		parts = append(parts, text[(shift*8+5)/6:(shift+len(canary))*8/6])
	}
	return parts
}

// canaryConfig is a kubeconfig that enable takes, with a canary in each
// credential that a kubeconfig can have.
const canaryConfig = `apiVersion: v1
kind: Config
current-context: audit
contexts:
- name: audit
  context: {cluster: audit, user: audit, extensions: [{name: e, extension: {token: CANARY-context}}]}
clusters:
- name: audit
  cluster: {server: "https://192.0.2.7:9765/hooks/CANARY-path", insecure-skip-tls-verify: true, proxy-url: "http://user:CANARY-proxy@192.0.2.8:3128", extensions: [{name: e, extension: {token: CANARY-cluster}}]}
- name: other
  cluster: {server: "https://CANARY-user:CANARY-password@192.0.2.9/?token=CANARY-query"}
users:
- name: audit
  user: {token: CANARY-token, extensions: [{name: e, extension: {token: CANARY-user}}]}
- name: password
  user: {username: CANARY-username, password: CANARY-password, tokenFile: /etc/kubernetes/webhook-token}
- name: key
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: BASE64
    client-key: /etc/kubernetes/webhook.key
- name: raw
  user: {client-key-data: CANARY-raw}
- name: exec
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: get, args: [--token, CANARY-arg], env: [{name: TOKEN, value: CANARY-env}]}
- name: provider
  user:
    auth-provider: {name: oidc, config: {client-secret: CANARY-secret, refresh-token: CANARY-refresh}}
extensions:
- name: e
  extension: {token: CANARY-extension}
`

// canaryFiles are kubeconfigs, good and bad, and other files with credentials.
func canaryFiles() map[string]string {
	text := strings.ReplaceAll(strings.ReplaceAll(canaryConfig, "CANARY", canary),
		"BASE64", base64.StdEncoding.EncodeToString([]byte("-----BEGIN PRIVATE KEY-----\n"+canary+"\n-----END PRIVATE KEY-----\n")))
	used := func(old, new string) string { return strings.Replace(text, old, new, 1) }
	files := map[string]string{
		"good":                  text,
		"json":                  canaryJSON(text),
		"json on one line":      strings.Join(strings.Fields(canaryJSON(text)), " "),
		"without kind":          strings.TrimPrefix(text, "apiVersion: v1\nkind: Config\n"),
		"torn":                  text[:strings.Index(text, "password: ")+15],
		"torn json":             canaryJSON(text)[:900],
		"alias":                 used("token: "+canary+"-token", "token: *"+canary),
		"tag":                   used("token: "+canary+"-token", "token: !!binary "+canary),
		"number":                used("token: "+canary+"-token", "token: 0x7f, password: "+canary),
		"tab":                   used("  user: {token", "\tuser: {token"),
		"no colon":              used("users:\n", "users:\n"+canary+"\n"),
		"twice":                 used("users:\n", "users: []\nusers:\n"),
		"as policy":             used("kind: Config", "kind: Policy"),
		"as policy of auditing": strings.Replace(used("kind: Config", "kind: Policy"), "apiVersion: v1", "apiVersion: audit.k8s.io/v1", 1),
		"behind a policy":       "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n---\n" + text,
		"within a policy":       "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\ntoken: " + canary + "\n",
		"in a pod":              "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: []}\n---\n" + text,
		"server with user":      used("https://192.0.2.7:9765/hooks", "https://"+canary+":"+canary+"@192.0.2.7:9765/hooks"),
		"server with query":     used(canary+"-path", "x?token="+canary),
		"server that is none":   used("https://192.0.2.7:9765/hooks", "https://u:"+canary+"@192.0.2.7:x/%zz"),
		"server without scheme": used("https://192.0.2.7:9765/hooks", canary+"@192.0.2.7:9765"),
		"user with exec":        used("user: {token: "+canary+"-token", "user: {exec: {command: "+canary+", args: ["+canary+"]}"),
		"user with bad key":     used("user: {token: "+canary+"-token", "user: {client-certificate-data: "+canary+", client-key-data: "+canary+"_"),
		"user with two":         used("user: {token: "+canary+"-token", "user: {username: "+canary+", password: "+canary+", token: "+canary),
		"a mere token":          canary + "\n",
		"a token's line":        "a: b\n" + canary + "\nc: d\n",
		"a list of tokens":      canary + ",admin,1\n" + canary + ",user,2\n",
		"a mapping":             "secret: " + canary + "\n",
		"a json mapping":        `{"secret": "` + canary + `"}`,
		"a key":                 "-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----\n",
		"secret":                "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: " + canary + "}\n",
		"date":                  "apiVersion: audit.k8s.io/v1\nkind: Policy\nmetadata: {creationTimestamp: " + canary + "}\nrules: []\ntoken: " + canary + "\n",
	}
	return files
}

// canaryJSON is the YAML as JSON.
func canaryJSON(text string) string {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		panic(err)
	}
	return out.String()
}

// cage is a node with canaries, and what has come out of it.
type cage struct {
	t        *testing.T
	root, in string // the node, and the user's own files
	webhook  string // where the node has the webhook's config
	searched *atomic.Int64
	out      string // where exports go
}

func newCage(t *testing.T, webhook string, searched *atomic.Int64) *cage {
	g := &cage{t: t, root: newNode(t), in: t.TempDir(), out: t.TempDir(), webhook: webhook, searched: searched}
	for name, text := range canaryFiles() {
		g.write(filepath.Join(g.in, name), text)
	}
	g.write(filepath.Join(g.root, "etc/kubernetes/webhook-token"), canary)
	return g
}

func (g *cage) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// run runs one command line and searches what it says.
func (g *cage) run(stdin string, args ...string) string {
	g.t.Helper()
	var out, said bytes.Buffer
	cmd := program(g.t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &said
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	code := cmd.ProcessState.ExitCode()
	words := strings.Join(args, " ")
	words = strings.ReplaceAll(words[:min(len(words), 150)], canary, "CANARY")
	g.search(words+": standard output", out.Bytes())
	g.search(words+": standard error", said.Bytes())
	return fmt.Sprint(code, "\n", out.String(), said.String())
}

// both runs a command line on the node, in both formats.
func (g *cage) both(stdin string, args ...string) {
	g.t.Helper()
	args = append(slices.Clone(args), "--root", g.root)
	g.run(stdin, args...)
	g.run(stdin, append(args, "-o", "json")...)
}

// task runs a task of Ansible. mode is "", "check" or "diff", or both.
func (g *cage) task(mode string, arguments map[string]any) {
	g.t.Helper()
	given := map[string]any{"root": g.root, "_ansible_check_mode": strings.Contains(mode, "check"), "_ansible_diff": strings.Contains(mode, "diff")}
	for k, v := range arguments {
		given[k] = v
	}
	data, err := json.Marshal(given)
	if err != nil {
		g.t.Fatal(err)
	}
	name := filepath.Join(g.in, "task.json")
	g.write(name, string(data))
	g.run("", name)
}

func (g *cage) search(what string, text []byte) {
	g.t.Helper()
	g.searched.Add(1)
	low := strings.ToLower(string(text))
	if i := strings.Index(low, strings.ToLower(canary)); i >= 0 {
		g.t.Errorf("%s has a credential: ...%s...", what, text[max(0, i-60):min(len(text), i+40)])
		return
	}
	for _, part := range inBase64() {
		if i := bytes.Index(text, []byte(part)); i >= 0 {
			g.t.Errorf("%s has a credential in base64: ...%s...", what, text[max(0, i-60):min(len(text), i+40)])
			return
		}
	}
}

// look searches the files of the node, but for the webhook's config itself and
// the state directory, which is for root alone.
func (g *cage) look(after string, own ...string) {
	g.t.Helper()
	own = append(own, g.webhook, "etc/kubernetes/webhook-token")
	err := filepath.WalkDir(g.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(g.root, name)
		info, err := d.Info()
		if err != nil {
			return err
		}
		if strings.HasPrefix(rel, "var/lib/auditpatch") {
			if info.Mode().Perm()&0o077 != 0 && rel != "var/lib/auditpatch/lock" {
				g.t.Errorf("after %s: %s has the mode %v", after, rel, info.Mode())
			}
			return nil
		}
		if d.IsDir() || slices.Contains(own, rel) {
			return nil
		}
		text, err := os.ReadFile(name)
		g.search("after "+after+": "+rel, text)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// probe runs everything that changes nothing.
func (g *cage) probe() {
	g.t.Helper()
	config := "--audit-webhook-config-file=/" + g.webhook
	for _, args := range [][]string{
		{"status"}, {"status", "--check"}, {"doctor"}, {"doctor", "--last"}, {"recover"},
		{"diff"}, {"diff", "--preset", "metadata"}, {"diff", config, "--webhook-config", filepath.Join(g.in, "json")},
		{"diff", config, "--webhook-url", "https://192.0.2.7:9765/" + "x"},
		{"enable", "--dry-run", "--audit-webhook-config-file="}, {"enable", "--dry-run", "--policy", filepath.Join(g.in, "good")},
		{"disable", "--dry-run"}, {"disable", "--purge", "--dry-run"},
		{"restore", "--list"}, {"restore", "--dry-run"}, {"restore", "--to", "1999-01-01T00:00:00Z"},
	} {
		g.both("", args...)
	}
	for _, id := range g.backups() {
		g.both("", "restore", "--dry-run", "--to", id)
		g.task("check diff", map[string]any{"state": "restored", "to": id})
	}
	for _, state := range []string{"enabled", "disabled", "restored"} {
		g.task("check diff", map[string]any{"state": state})
	}
	g.task("check diff", map[string]any{"state": "disabled", "purge": true})
	g.task("check", map[string]any{"webhook_config_content": canaryFiles()["json"]})
}

func (g *cage) backups() []string {
	entries, err := os.ReadDir(filepath.Join(g.root, "var/lib/auditpatch/runs"))
	if err != nil && !os.IsNotExist(err) {
		g.t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids
}

// TestCanary lets no credential out, whatever the command, the format and the way
// it ends, be it configured or no longer.
func TestCanary(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the program thousands of times")
	}
	var searched atomic.Int64
	t.Cleanup(func() { t.Logf("searched %d outputs and files", searched.Load()) })
	for at, first := range map[string]string{"etc/kubernetes/audit-webhook.yaml": "good", "etc/kubernetes/hooks/audit.conf": "json"} {
		t.Run("life of "+first, func(t *testing.T) {
			t.Parallel()
			canaryLife(newCage(t, at, &searched), first)
		})
	}
	t.Run("url", func(t *testing.T) {
		t.Parallel()
		canaryURLs(newCage(t, "etc/kubernetes/hook.conf", &searched))
	})
	for _, at := range []string{"etc/kubernetes/hook.conf", policyPath, manifestPath} {
		t.Run("damaged "+at, func(t *testing.T) {
			t.Parallel()
			canaryDamaged(newCage(t, "etc/kubernetes/hook.conf", &searched), at)
		})
	}
	t.Run("swapped", func(t *testing.T) {
		t.Parallel()
		g := newCage(t, "etc/kubernetes/admin.conf", &searched)
		for name := range canaryFiles() {
			canarySwapped(g, name)
		}
	})
}

// canaryLife configures a webhook and takes it out again, in all ways.
func canaryLife(g *cage, first string) {
	g.t.Helper()
	config := "--audit-webhook-config-file=/" + g.webhook
	if err := os.MkdirAll(filepath.Join(g.root, filepath.Dir(g.webhook)), 0o755); err != nil {
		g.t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(g.in, name) }
	enable := []string{"enable", "--root", g.root, config, "--webhook-config", file(first)}
	other := []string{"enable", "--root", g.root, config, "--webhook-config", file("server with user")}
	for i, args := range [][]string{
		enable, other, enable,
		{"enable", "--root", g.root, "--preset", "metadata", config, "--webhook-url", "https://192.0.2.7/x", "-o", "json"}, enable,
		{"disable", "--root", g.root}, {"restore", "--root", g.root}, {"enable", "--root", g.root, "--audit-webhook-config-file="},
		{"disable", "--root", g.root, "--purge", "-o", "json"}, {"restore", "--root", g.root, "-o", "json"},
		{"disable", "--root", g.root}, {"disable", "--root", g.root, "--purge"}, {"restore", "--root", g.root},
	} {
		out := g.run("", args...)
		if wrong := args[0] == "enable" && slices.Contains(args, file("server with user")); strings.HasPrefix(out, "0") == wrong {
			g.t.Fatalf("auditpatch %s:\n%s", strings.Join(args, " "), out)
		}
		g.look(strings.Join(args, " "))
		g.probe()
		if i == 5 { // somebody else writes the manifest
			g.meddle()
			g.probe()
		}
	}
	for _, id := range g.backups() {
		g.both("", "restore", "--to", id)
		g.look("restore " + id)
	}
	for _, task := range []map[string]any{
		{"webhook_config_content": canaryFiles()[first], "audit_webhook_config_file": "/" + g.webhook},
		{"state": "disabled"}, {"state": "restored"}, {"state": "disabled", "purge": true},
	} {
		g.task("diff", task)
		g.task("", task)
		g.look(fmt.Sprint(task["state"]))
	}
}

// meddle changes the manifest as kubeadm upgrade does.
func (g *cage) meddle() {
	g.t.Helper()
	text := string(read(g.t, g.root, manifestPath))
	g.write(filepath.Join(g.root, manifestPath), strings.ReplaceAll(text, "v1.36.3", "v1.37.1"))
}

// canaryDamaged puts each file in the place of an installed one.
func canaryDamaged(g *cage, at string) {
	g.t.Helper()
	config := "--audit-webhook-config-file=/" + g.webhook
	if out := g.run("", "enable", "--root", g.root, config, "--webhook-config", filepath.Join(g.in, "good")); !strings.HasPrefix(out, "0") {
		g.t.Fatal(out)
	}
	saved := read(g.t, g.root, at)
	for name, text := range canaryFiles() {
		g.write(filepath.Join(g.root, at), text)
		for _, args := range [][]string{
			{"status"}, {"doctor"}, {"diff", config, "--webhook-url", "https://192.0.2.7/x", "--preset", "metadata"}, {"enable", "--dry-run"},
			{"disable", "--purge", "--dry-run"}, {"restore", "--dry-run"},
		} {
			g.both("", args...)
		}
		g.task("check diff", map[string]any{"state": "disabled", "purge": true})
		g.task("check diff", map[string]any{"state": "restored"})
		if slices.Contains([]string{"good", "torn", "within a policy"}, name) {
			g.both("", "disable")
			g.task("diff", map[string]any{"state": "restored"})
			g.look("restore", at)
		}
		g.write(filepath.Join(g.root, at), string(saved))
	}
}

// canarySwapped gives a file, or its text, with flags and arguments that take
// another.
func canarySwapped(g *cage, name string) {
	g.t.Helper()
	text, file := canaryFiles()[name], filepath.Join(g.in, name)
	g.write(filepath.Join(g.root, g.webhook), text)
	flags := []string{"--policy", "--webhook-config"}
	if slices.Contains([]string{"good", "json", "a key"}, name) { // the others are no PEM files either
		flags = append(flags, "--webhook-ca", "--webhook-client-cert", "--webhook-client-key")
	}
	for _, flag := range flags {
		more := []string{}
		if strings.HasPrefix(flag, "--webhook-c") && flag != "--webhook-config" {
			more = append(more, "--webhook-url", "https://192.0.2.7/x")
		}
		for i, value := range []string{file, "-", text} {
			args := append([]string{"enable", "--dry-run", flag + "=" + value, "-o", []string{"text", "json"}[i%2]}, more...)
			g.run(text, append(args, "--root", g.root)...)
		}
		g.run("", append([]string{"export", "kind", flag, file, "--dir", g.out}, more...)...)
		argument := strings.ReplaceAll(flag[2:], "-", "_")
		for key, value := range map[string]any{argument: text, argument + "_content": text, argument + "s": text, argument + "_contents": []any{text}} {
			g.task("check", map[string]any{key: value})
		}
		g.task("check", map[string]any{"settings": map[string]any{argument: text}})
	}
	for _, args := range [][]string{
		{"policy", "lint", "--policy", file}, {"policy", "lint", "--policy", "-", "--kubernetes-version", "1.30"},
		{"enable", "--manifest", "-"}, {"disable", "--manifest", "-"}, {"status", "--manifest", "-"},
		{"export", "kubeadm", "--manifest", file},
	} {
		g.run(text, args...)
		g.run(text, append(args, "-o", "json")...)
	}
	for _, args := range [][]string{
		{"enable", "--manifest", "/" + g.webhook}, {"status", "--manifest", "/" + g.webhook}, {"doctor", "--manifest", "/" + g.webhook},
		{"disable", "--purge", "--manifest", "/" + g.webhook}, {"restore", "--manifest", "/" + g.webhook},
		{"enable", "--dry-run", "--audit-policy-file=/" + g.webhook}, {"enable", "--dry-run", "--audit-policy-file=/" + g.webhook, "--preset", "metadata"},
		{"enable", "--dry-run", "--audit-webhook-config-file=/" + g.webhook},
		{"enable", "--dry-run", "--audit-webhook-config-file=/" + g.webhook, "--webhook-url", "https://192.0.2.7/x"},
	} {
		g.both("", args...)
	}
}

// canaryURLs gives credentials in a URL.
func canaryURLs(g *cage) {
	for _, url := range []string{"https://u:" + canary + "@192.0.2.7/x", "https://" + canary + "@192.0.2.7/x", "https://192.0.2.7/x?token=" + canary,
		"https://192.0.2.7/" + canary, "https://192.0.2.7/#" + canary, canary + "@192.0.2.7:80", "https://u:" + canary + "@192.0.2.7/%zz", "https://192.0.2.7:" + canary} {
		g.both("", "enable", "--dry-run", "--webhook-url", url)
		g.task("check diff", map[string]any{"webhook_url": url})
		g.task("check diff", map[string]any{"settings": map[string]any{"webhook_url": url}})
		g.task("check", map[string]any{"webhook_urls": url})
	}
}
