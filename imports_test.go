package main

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// house says which of our packages each of our packages may import. Imports
// point one way: from what talks to people down to what only knows text. A
// package that is not in this table does not belong to the house yet: add it
// together with the reason for it.
//
// cli imports manifest although patch stands between them: it shows positions
// and versions that only a parsed manifest knows. It never edits with it.
// Tests may import more: crashtest is there for them alone.
var house = map[string][]string{
	".": {"internal/cli"},
	"internal/cli": {"internal/rollout", "internal/node", "patch", "presets",
		"internal/policy", "internal/auditlog", "manifest"},
	"internal/rollout":        {"patch", "internal/node", "internal/auditlog"},
	"internal/auditlog":       nil,
	"patch":                   {"manifest"},
	"manifest":                nil,
	"presets":                 nil,
	"internal/policy":         nil,
	"internal/node":           nil,
	"internal/node/crashtest": nil,
	// A simulated node for tests: it knows the program from outside only, and
	// stands in for kubelet and kube-apiserver with code of Kubernetes.
	"internal/simnode": nil,
	// docs writes what packages install beside the program.
	"release/docs": {"internal/cli"},
	// Tests of the module, of the role and of the collection, by what Ansible makes of them.
	"ansible": nil,
	// The end-to-end tests know the program from outside only.
	"e2e":                {"e2e/cluster", "e2e/load"},
	"e2e/cluster":        nil,
	"e2e/load":           nil,
	"e2e/receiver":       nil,
	"e2e/sleeper":        nil,
	"e2e/image/balancer": nil,
	"e2e/image/pause":    nil,
}

// TestImports compares what the packages import with the table.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		name := ours(words[0])
		allowed, known := house[name]
		if !known {
			t.Errorf("package %s is not in the table", name)
			continue
		}
		for _, imported := range words[1:] {
			if own := ours(imported); own != "" && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s: that is not its direction", name, own)
			}
		}
	}
}

// ours is a package's path in this module, "" for one of another.
func ours(importPath string) string {
	if importPath == "auditpatch" {
		return "."
	}
	name, found := strings.CutPrefix(importPath, "auditpatch/")
	if !found {
		return ""
	}
	return name
}

// TestManifestKnowsNoAudit keeps package manifest an editor of any API server's
// manifest: what the flags are for stands in package patch.
func TestManifestKnowsNoAudit(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`(?i)audit`)
	files, err := filepath.Glob("manifest/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in manifest: %v", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(withoutImports(t, name, src)), "\n") {
			if word.MatchString(line) {
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// withoutImports blanks out the paths of a file's imports.
func withoutImports(t *testing.T, name string, src []byte) []byte {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		from, to := fset.Position(spec.Path.Pos()).Offset, fset.Position(spec.Path.End()).Offset
		for i := from; i < to; i++ {
			src[i] = ' '
		}
	}
	return src
}
