package contract

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/cli"
	"auditpatch/patch"
	"auditpatch/presets"
)

// The README is held against the program. When the program is right,
//
//	UPDATE_README=1 go test -run TestReadme .
//
// writes its tables and its output into the README.
var updateReadme = os.Getenv("UPDATE_README") != ""

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeTables compares the tables that stand between <!-- NAME --> and
// <!-- end --> with what they list.
func TestReadmeTables(t *testing.T) {
	text := readme(t)
	for name, want := range map[string]string{"presets": presetTable(), "audit flags": flagTable()} {
		table := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n)(.*?)(<!-- end -->)`)
		got := table.FindStringSubmatch(text)
		if got == nil {
			t.Errorf("there is no table <!-- %s -->", name)
			continue
		}
		if got[2] != want && !updateReadme {
			t.Errorf("the table <!-- %s --> should be:\n%s", name, want)
		}
		text = strings.Replace(text, got[0], got[1]+want+got[3], 1)
	}
	writeReadme(t, text)
}

func writeReadme(t *testing.T, text string) {
	if updateReadme {
		if err := os.WriteFile("README.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func presetTable() string {
	var b strings.Builder
	b.WriteString("| preset | for | costs | does not show | leaks |\n|---|---|---|---|---|\n")
	for _, p := range presets.All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", p.Name, p.Purpose, p.Cost, p.Hides, cmp.Or(p.Leaks, "-"))
	}
	return b.String()
}

// flagTable has one row for a flag of the log and its twin of the webhook.
func flagTable() string {
	var b strings.Builder
	b.WriteString("| flag | kube-apiserver's default | meaning |\n|---|---|---|\n")
	all := patch.Flags()
	for i, f := range all {
		same := func(g patch.FlagSpec) bool { return g.Meaning == f.Meaning }
		if slices.ContainsFunc(all[:i], same) {
			continue
		}
		var names, defaults []string
		for _, twin := range all[i:] {
			if same(twin) {
				names, defaults = append(names, "`--"+twin.Name+"`"), append(defaults, flagDefault(twin))
			}
		}
		meaning := f.Meaning
		if f.Deprecated != "" {
			meaning += " (deprecated)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(names, "<br>"), strings.Join(slices.Compact(defaults), "<br>"), meaning)
	}
	return b.String()
}

func flagDefault(f patch.FlagSpec) string {
	now, before := f.DefaultAt(patch.Version{Major: 1, Minor: 36}), f.DefaultAt(patch.Version{Major: 1, Minor: 35})
	switch {
	case now == "":
		return "not set"
	case now != before:
		return fmt.Sprintf("`%s`, up to 1.35 `%s`", now, before)
	}
	return "`" + now + "`"
}

// block is a fenced block that begins with "```console run". Its commands
// begin with "$ "; a line "..." stands for any number of lines.
var block = regexp.MustCompile("(?ms)^```console run\n(.*?)^```$")

// TestReadmeConsole runs the blocks one after the other in one folder, and
// compares what the commands print.
func TestReadmeConsole(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	text := readme(t)
	run := console(t)
	blocks := block.FindAllStringSubmatch(text, -1)
	if len(blocks) < 3 {
		t.Fatalf("the README has %d blocks to run", len(blocks))
	}
	for _, b := range blocks {
		var now strings.Builder
		for _, step := range regexp.MustCompile(`(?m)^\$ `).Split(b[1], -1)[1:] {
			command, want, _ := strings.Cut(step, "\n")
			got := run(command)
			if sameOutput(want, got) {
				got = want
			} else if !updateReadme {
				t.Errorf("$ %s\n%s\nthe README has:\n%s", command, got, want)
			}
			fmt.Fprintf(&now, "$ %s\n%s", command, got)
		}
		text = strings.Replace(text, b[1], now.String(), 1)
	}
	writeReadme(t, text)
}

// console prepares a folder with what the README's commands name, and returns
// what runs a command there.
func console(t *testing.T) (run func(command string) string) {
	dir, bin := t.TempDir(), t.TempDir()
	top, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"go":         fmt.Sprintf("#!/bin/sh\nexec '%s' -C '%s' \"$@\"\n", goTool, top),
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(top, "testdata"), filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	return func(command string) string {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, _ := cmd.CombinedOutput() // a status that matters is printed by the block itself
		return string(out)
	}
}

// changing is what differs from run to run, or with every word of a preset:
// times, free space, checksums, who runs it, and the width of columns that follows.
var changing = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(-\d+)?|[\d.]+ [KMGT]?B (are )?free|[0-9a-f]{64}|[a-z_]\S*:[a-z_]\S*;|[ \t]+`)

// sameOutput compares output with what the README has of it.
func sameOutput(want, got string) bool {
	plain := func(s string) string { return changing.ReplaceAllString("\n"+s, " ") }
	pattern := strings.ReplaceAll(regexp.QuoteMeta(plain(want)), "\n\\.\\.\\.\n", "\n(?s:.*\n)?")
	return regexp.MustCompile("^" + pattern + "$").MatchString(plain(got))
}

var longFlag = regexp.MustCompile(`--[a-z][a-z0-9]*(?:-[a-z0-9]+)*`)

// TestReadmeFlags wants every command and flag in the README, and nothing there
// that no command knows.
func TestReadmeFlags(t *testing.T) {
	text := readme(t)
	inReadme := longFlag.FindAllString(text, -1)
	known := []string{"--config", "--ignore-missing", "--diff", "--patches"} // of kind, sha256sum, ansible-playbook, kubeadm
	for _, path := range commands(t) {
		if !strings.Contains(text, "auditpatch "+path) {
			t.Errorf("the README does not show the command %s", path)
		}
		for line := range strings.Lines(help(t, path)) {
			flag := longFlag.FindString(line)
			if flag == "" || !strings.HasPrefix(strings.TrimSpace(line), flag) {
				continue
			}
			known = append(known, flag)
			if !slices.Contains(inReadme, flag) && flag != "--help" {
				t.Errorf("the README does not have %s of auditpatch %s", flag, path)
			}
		}
	}
	for _, flag := range inReadme {
		if !slices.Contains(known, flag) {
			t.Errorf("the README has %s, which no command knows", flag)
		}
	}
}

// commands are all that do something: "enable", "policy lint".
func commands(t *testing.T, group ...string) (paths []string) {
	_, list, _ := strings.Cut(help(t, strings.Join(group, " ")), "\nCOMMANDS:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		path := slices.Concat(group, strings.Fields(line)[:1])
		if inner := commands(t, path...); len(inner) > 0 {
			paths = append(paths, inner...)
			continue
		}
		paths = append(paths, strings.Join(path, " "))
	}
	return paths
}

func help(t *testing.T, path string) string {
	t.Helper()
	out, err := program(t, append(strings.Fields(path), "--help")...).Output()
	if err != nil {
		t.Fatalf("auditpatch %s --help: %v", path, err)
	}
	return string(out)
}

// TestReadmeExitStatus compares the table of exit statuses with the constants
// of package cli.
func TestReadmeExitStatus(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "internal/cli/main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0"}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "exit") && len(v.Values) == 1 {
			want = append(want, v.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	var got []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\d) \|`).FindAllStringSubmatch(readme(t), -1) {
		got = append(got, row[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("the README has the exit statuses %v, the program %v", got, want)
	}
}

// TestReadmeManPage wants the man page to say what the README says of exit
// statuses and files.
func TestReadmeManPage(t *testing.T) {
	text := readme(t)
	page := strings.ToLower(strings.ReplaceAll(cli.ManPage("dev", time.Unix(0, 0)), `\-`, "-"))
	rows := regexp.MustCompile(`(?m)^\| (\d) \| (.*) \|$`).FindAllStringSubmatch(text, -1)
	for _, row := range rows {
		meaning := strings.NewReplacer("`", "", "*", "").Replace(row[2])
		if want := ".it " + row[1] + "\n" + meaning + ".\n"; !strings.Contains(page, strings.ToLower(want)) {
			t.Errorf("the man page (internal/cli/man.go) does not say %q", want)
		}
	}
	_, files, _ := strings.Cut(text, "| path on the node |")
	files, _, _ = strings.Cut(files, "\n\n")
	paths := regexp.MustCompile("(?m)^\\| `(/[^`]*)`").FindAllStringSubmatch(files, -1)
	for _, path := range paths {
		if !strings.Contains(page, ".it pa "+path[1]+"\n") {
			t.Errorf("the man page (internal/cli/man.go) does not have the file %s", path[1])
		}
	}
	if len(rows) < 5 || len(paths) < 5 {
		t.Errorf("the README has %d exit statuses and %d files", len(rows), len(paths))
	}
}

// TestReadmeJSON wants every field of the JSON output in the README.
func TestReadmeJSON(t *testing.T) {
	root, text := newNode(t), readme(t)
	mustRun(t, "enable", "--root", root, "--quiet", "--webhook-url=https://192.0.2.7/")
	for _, command := range []string{
		"diff --audit-log-maxage=9", "enable --dry-run", "status", "doctor", "recover", "restore --list",
		"enable --audit-log-maxage=x", "export kubeadm", "policy list", "policy show", "policy lint --policy=-", "version",
	} {
		words := append(strings.Fields(command), "-o", "json")
		if !strings.HasPrefix(command, "policy") && !strings.HasPrefix(command, "export") && command != "version" {
			words = append(words, "--root", root)
		}
		cmd := program(t, words...)
		cmd.Stdin = strings.NewReader("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, verb: [get]}]\n")
		out, _ := cmd.Output()
		var v any
		if err := json.NewDecoder(bytes.NewReader(out)).Decode(&v); err != nil {
			t.Errorf("auditpatch %s: %v", strings.Join(words, " "), err)
		}
		for _, field := range fields(v) {
			if !strings.Contains(text, "`"+field+"`") {
				t.Errorf("the README does not have the field %s of auditpatch %s", field, command)
			}
		}
	}
}

// fields are the keys of a JSON value; those of flags are names of flags.
func fields(v any) (names []string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			names = append(names, fields(item)...)
		}
	case map[string]any:
		for name, item := range v {
			if names = append(names, name); name != "flags" {
				names = append(names, fields(item)...)
			}
		}
	}
	return names
}

// TestReadmeFiles wants the set-up commands, every file that the README links
// to, and a kind-config.yaml that makes one control-plane node.
func TestReadmeFiles(t *testing.T) {
	text := readme(t)
	for _, command := range []string{"go run . enable --manifest - < testdata/kube-apiserver.yaml", "go test ./...", "kind create cluster --config kind-config.yaml"} {
		if !strings.Contains(text, command+"\n") {
			t.Errorf("the README does not have the command %s", command)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Error(err)
		}
	}
	data, err := os.ReadFile("kind-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		APIVersion, Kind string
		Nodes            []struct{ Role string }
	}
	if err := yaml.UnmarshalStrict(data, &config); err != nil {
		t.Fatal(err)
	}
	if config.Kind != "Cluster" || config.APIVersion != "kind.x-k8s.io/v1alpha4" || len(config.Nodes) != 1 || config.Nodes[0].Role != "control-plane" {
		t.Errorf("kind-config.yaml is no cluster of one control-plane node: %+v", config)
	}
}

// TestReadmeEndToEnd wants a test in e2e for each block "```sh e2e=NAME": the
// commands there need a cluster. Other languages than sh are marked so too.
func TestReadmeEndToEnd(t *testing.T) {
	t.Parallel()
	tests, err := filepath.Glob("e2e/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources []byte
	for _, name := range tests {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, src...)
	}
	for _, m := range regexp.MustCompile("(?m)^```[a-z]+ e2e=(.*)$").FindAllStringSubmatch(readme(t), -1) {
		if !bytes.Contains(sources, fmt.Appendf(nil, ", %q)", m[1])) {
			t.Errorf("no test in e2e runs the block e2e=%s: readmeScript(t, %q)", m[1], m[1])
		}
	}
}
