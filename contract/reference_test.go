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

	"auditpatch/contract/page"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
	"auditpatch/presets"
)

// TestPagesTables compares the tables of docs/reference.md with what they list.
func TestPagesTables(t *testing.T) {
	compareTables(t, reference(t), map[string]string{"commands": commandTable(t), "presets": presetTable(), "audit flags": flagTable()})
}

// compareTables compares what stands on a page between <!-- NAME --> and <!-- end -->
// with what should stand there, by name.
func compareTables(t *testing.T, p page.Page, tables map[string]string) {
	t.Helper()
	text := p.Text
	for name, want := range tables {
		table := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n)(.*?)(<!-- end -->)`)
		got := table.FindStringSubmatch(text)
		if got == nil {
			t.Errorf("there is no table <!-- %s -->", name)
			continue
		}
		if got[2] != want && !updatePages {
			t.Errorf("%s: the table <!-- %s --> should be:\n%s", p.Path, name, want)
		}
		text = strings.Replace(text, got[0], got[1]+want+got[3], 1)
	}
	update(t, p, text)
}

func commandTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| command | what it does |\n|---|---|\n")
	for _, path := range commands(t) {
		_, usage, _ := strings.Cut(help(t, path), " - ")
		usage, _, _ = strings.Cut(usage, "\n")
		fmt.Fprintf(&b, "| `auditpatch %s` | %s |\n", path, usage)
	}
	return b.String()
}

func presetTable() string {
	var b strings.Builder
	b.WriteString("| preset | for | volume | may leak |\n|---|---|---|---|\n")
	for _, p := range presets.All() {
		leaks := cmp.Or(strings.Join(p.MayLeak, ", "), "-")
		if p.LeaksSecrets() {
			leaks += "; `enable` wants `--accept-leaks`"
		}
		fmt.Fprintf(&b, "| [`%s`](presets.md#%s) | %s | %s | %s |\n", p.Name, p.Name, p.Purpose, p.Volume, leaks)
	}
	return b.String()
}

// flagTable has one row for a flag of the log and its twin of the webhook.
func flagTable() string {
	var b strings.Builder
	b.WriteString("| flag | kube-apiserver's default | meaning |\n|---|---|---|\n")
	all := auditflags.All()
	for i, f := range all {
		same := func(g auditflags.Flag) bool { return g.Meaning == f.Meaning }
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

func flagDefault(f auditflags.Flag) string {
	now, before := f.DefaultAt(patch.Version{Major: 1, Minor: 36}), f.DefaultAt(patch.Version{Major: 1, Minor: 35})
	switch {
	case now == "":
		return "not set"
	case now != before:
		return fmt.Sprintf("`%s`, up to 1.35 `%s`", now, before)
	}
	return "`" + now + "`"
}

var longFlag = regexp.MustCompile(`--[a-z][a-z0-9]*(?:-[a-z0-9]+)*`)

// foreignFlags are those of other programs that the pages name: kind, kubectl, sha256sum,
// ansible-playbook, kubeadm.
var foreignFlags = []string{"--config", "--ignore-missing", "--diff", "--patches", "--raw", "--flatten", "--kubeconfig"}

// TestPagesFlags wants every flag in docs/reference.md, and none on any page that
// no command knows.
func TestPagesFlags(t *testing.T) {
	listed := longFlag.FindAllString(reference(t).Text, -1)
	known := slices.Clone(foreignFlags)
	for _, path := range commands(t) {
		for line := range strings.Lines(help(t, path)) {
			flag := longFlag.FindString(line)
			if flag == "" || !strings.HasPrefix(strings.TrimSpace(line), flag) {
				continue
			}
			known = append(known, flag)
			if !slices.Contains(listed, flag) && flag != "--help" {
				t.Errorf("docs/reference.md does not have %s of auditpatch %s", flag, path)
			}
		}
	}
	for _, p := range pages(t) {
		for _, flag := range longFlag.FindAllString(p.Text, -1) {
			if !slices.Contains(known, flag) {
				t.Errorf("%s has %s, which no command knows", p.Path, flag)
			}
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

var statusRow = regexp.MustCompile(`(?m)^\| (\d) \| (.*) \|$`)

// TestPagesExitStatus compares the table of exit statuses with the constants of
// package exit.
func TestPagesExitStatus(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), top+"/internal/exit/exit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0"}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			want = append(want, v.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	var got []string
	for _, row := range statusRow.FindAllStringSubmatch(reference(t).Text, -1) {
		got = append(got, row[1])
	}
	if len(want) < 2 || !slices.Equal(got, want) {
		t.Errorf("docs/reference.md has the exit statuses %v, the program %v", got, want)
	}
}

// TestPagesManual wants the man page to say what docs/reference.md says of exit
// statuses and files.
func TestPagesManual(t *testing.T) {
	text, manual := reference(t).Text, strings.ToLower(manualPage(t))
	rows := statusRow.FindAllStringSubmatch(text, -1)
	for _, row := range rows {
		meaning := strings.NewReplacer("`", "", "*", "").Replace(row[2])
		if want := ".it " + row[1] + "\n" + meaning + ".\n"; !strings.Contains(manual, strings.ToLower(want)) {
			t.Errorf("the man page does not say %q", want)
		}
	}
	_, files, _ := strings.Cut(text, "| path on the node |")
	files, _, _ = strings.Cut(files, "\n\n")
	paths := regexp.MustCompile("(?m)^\\| `(/[^`]*)`").FindAllStringSubmatch(files, -1)
	for _, path := range paths {
		if !strings.Contains(manual, ".it pa "+path[1]+"\n") {
			t.Errorf("the man page does not have the file %s", path[1])
		}
	}
	if len(rows) < 5 || len(paths) < 5 {
		t.Errorf("docs/reference.md has %d exit statuses and %d files", len(rows), len(paths))
	}
}

// manualPage is the man page as make dist writes it.
func manualPage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "./release/docs", "-dir", dir)
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "auditpatch.1"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), `\-`, "-")
}

// TestPagesJSON wants every field of the JSON output in docs/reference.md.
func TestPagesJSON(t *testing.T) {
	root, text := newNode(t), reference(t).Text
	mustRun(t, "enable", "--root", root, "--quiet", "--webhook-url=https://192.0.2.7/")
	for _, command := range []string{
		"diff --audit-log-maxage=9", "enable --dry-run", "status", "doctor", "recover", "restore --list",
		"enable --audit-log-maxage=x", "export kubeadm", "policy list", "policy show", "policy lint --policy=-", "version",
		"policy verdict --preset=none", "policy compose --quiet-leases", "policy diff --from=preset:none --to=preset:metadata",
		"policy simulate --preset=baseline --compare=preset:metadata --log=../testdata/audit-day.log", "policy retention --days=9 --disk=20M --log=../testdata/audit-day.log",
		"policy trim --preset=metadata --log=../testdata/audit-day.log",
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
				t.Errorf("docs/reference.md does not have the field %s of auditpatch %s", field, command)
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
