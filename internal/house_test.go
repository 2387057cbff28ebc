// Package internal_test keeps the house as it is meant to be: which way imports
// point, and that packages, functions and structs stay small.
package internal_test

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
// Tests may import more: crashtest is there for them alone.
var house = map[string][]string{
	// Tests of the house itself.
	"internal": nil,
	// A second API server begins as a second auditpatch, which main asks before all else.
	".": {"internal/ansible", "internal/cli", "internal/session", "internal/rehearsal"},
	// A task's arguments are flags by another name, so it asks cli for the flags.
	"internal/ansible": {"internal/cli", "internal/change", "internal/session", "internal/spelling", "internal/typed", "internal/exit", "internal/hint", "patch", "patch/webhookconfig"},
	"internal/cli": {"internal/cli/commands", "internal/cli/policies", "internal/cli/answers", "internal/simulate", "internal/change", "internal/inspect", "internal/target", "internal/session", "internal/spelling", "internal/typed", "internal/exit", "internal/glyph", "internal/hint",
		"internal/rollout", "internal/rehearsal", "internal/clusterlock", "internal/node", "internal/policy", "internal/policy/lint", "internal/policy/verdict", "internal/auditlog", "presets", "patch", "patch/auditflags", "patch/webhookconfig", "manifest"},
	// What packages of commands share: the program as they see it.
	"internal/cli/commands": {"internal/change", "internal/hint"},
	// The commands that are about policies alone, and need no node.
	"internal/cli/policies": {"internal/cli/commands", "internal/change", "internal/spelling", "internal/exit", "internal/glyph", "internal/hint",
		"internal/policy", "internal/policy/lint", "internal/policy/explain", "internal/policy/expect", "internal/policy/compose", "internal/policy/difference", "internal/policy/requests", "presets", "patch", "patch/auditflags"},
	// change asks lint whether a policy that is installed or kept writes contents of Secrets.
	"internal/change": {"internal/kubelet", "internal/target", "internal/rollout", "internal/rehearsal", "internal/handover", "internal/clusterlock", "internal/webhook", "internal/apiserver", "internal/node",
		"internal/policy", "internal/policy/lint", "internal/policy/verdict", "internal/auditlog", "internal/exit", "internal/hint", "presets", "patch", "patch/auditflags", "patch/webhookconfig", "manifest"},
	"internal/inspect": {"internal/change", "internal/rollout", "internal/rehearsal", "internal/handover", "internal/webhook", "internal/target", "internal/clusterlock", "internal/apiserver", "internal/kubelet", "internal/node",
		"internal/policy", "internal/policy/verdict", "internal/auditlog", "internal/hint", "patch", "patch/auditflags", "patch/webhookconfig", "manifest"},
	// target is the node that a command works on, as change and inspect both read it.
	"internal/target":  {"internal/proc", "internal/node", "internal/auditlog", "internal/hint", "patch", "patch/auditflags", "patch/webhookconfig", "manifest"},
	"internal/session": {"internal/exit", "internal/hint"},
	"internal/rollout": {"internal/hint", "internal/clusterlock", "internal/apiserver", "internal/kubelet", "internal/webhook",
		"internal/proc", "internal/node", "patch", "internal/proof", "internal/wait"},
	// rehearsal and rollout prove in the same way that events are written.
	"internal/rehearsal": {"internal/apiserver", "internal/proc", "internal/proof", "internal/auditlog", "internal/hint", "internal/wait", "patch", "patch/auditflags"},
	// A second API server that was rehearsed serves while the first restarts.
	"internal/handover":    {"internal/rehearsal", "internal/apiserver", "internal/proc", "internal/node", "internal/auditlog", "internal/hint", "internal/wait", "patch"},
	"internal/proof":       {"internal/apiserver", "internal/auditlog", "internal/wait"},
	"internal/clusterlock": {"internal/hint", "internal/apiserver", "internal/proc", "internal/wait"},
	"internal/webhook":     {"internal/hint", "internal/apiserver", "patch", "internal/wait"},
	"internal/apiserver":   {"internal/hint", "internal/kubelet", "internal/proc", "internal/node", "patch", "patch/auditflags", "internal/wait"},
	"internal/kubelet":     {"internal/proc", "internal/node", "internal/wait"},
	"internal/proc":        nil,
	"internal/exit":        nil,
	// Whoever refuses something says what to type next.
	"internal/hint": nil,
	"internal/wait": nil,
	// nodefile and spelling are the leaves that rooms share which may not know each other.
	"internal/nodefile": nil,
	"internal/spelling": nil,
	// Any package may import lazyregexp: see TestImports.
	"internal/lazyregexp": nil,
	// Whatever prints names that others chose asks glyph what of them is seen.
	"internal/glyph": nil,
	// typed knows which part of a URL is public from the package that refuses the others.
	"internal/typed": {"patch/webhookconfig"},
	// standin has what tests put around the program instead of a node.
	"internal/standin":              {"patch", "patch/webhookconfig"},
	"internal/standin/controlplane": {"internal/standin", "internal/apiserver", "internal/node"},
	"internal/standin/problems":     {"patch/auditflags"},
	"internal/standin/auditevents":  {"internal/auditlog/event"},
	"internal/auditlog":             nil,
	// The log's events: event reads one, read streams those of whole logs, follow waits for
	// new ones, filter says which are wanted.
	"internal/auditlog/event": {"internal/auditlog/vector"},
	// vector has the loops over all bytes of events, twice: in assembly too. explain has a scanner
	// of events of its own.
	"internal/auditlog/vector": nil,
	"internal/auditlog/filter": {"internal/auditlog/event", "internal/hint", "internal/spelling"},
	// follow knows rotated files by the names that auditlog knows.
	"internal/auditlog/follow": {"internal/auditlog", "internal/auditlog/event", "internal/auditlog/read"},
	// read asks auditlog which files a log has, and says what to type where there is none.
	"internal/auditlog/read": {"internal/auditlog", "internal/auditlog/event", "internal/auditlog/vector", "internal/hint", "internal/spelling"},
	// What is made of events: each answers one kind of question.
	// column is an event as a flat row, which tables and counts take values from.
	"internal/answer/column":  {"internal/auditlog/event", "internal/glyph"},
	"internal/answer/table":   {"internal/auditlog/event", "internal/answer/column", "internal/glyph"},
	"internal/answer/count":   {"internal/auditlog/event", "internal/answer/column"},
	"internal/answer/changes": {"internal/auditlog/event"},
	// A page says what was read, and what of it could not be.
	"internal/answer/page":  {"internal/auditlog/event", "internal/auditlog/read"},
	"internal/answer/roles": {"internal/auditlog/event", "internal/glyph", "internal/hint"},
	// simulate puts recorded events under another policy, and reckons volume and retention.
	// What its rules must not hide sensitive knows, and what a log never had difference finds.
	"internal/simulate": {"internal/auditlog", "internal/auditlog/event", "internal/auditlog/read", "internal/policy", "internal/policy/explain", "internal/policy/difference",
		"internal/policy/requests", "internal/policy/sensitive", "internal/policy/compose", "internal/hint"},
	// The commands that read the audit log: events, policy simulate, retention and trim.
	"internal/cli/answers": {"internal/cli/commands", "internal/auditlog", "internal/auditlog/event", "internal/auditlog/read", "internal/auditlog/filter", "internal/auditlog/follow",
		"internal/answer/column", "internal/answer/table", "internal/answer/count", "internal/answer/changes", "internal/answer/page", "internal/answer/roles",
		"internal/simulate", "internal/policy", "internal/policy/explain", "internal/policy/lint", "internal/policy/compose", "presets", "internal/exit", "internal/glyph", "internal/hint", "internal/session", "internal/spelling"},
	"patch":               {"internal/hint", "internal/nodefile", "manifest", "patch/auditflags", "patch/webhookconfig"},
	"patch/auditflags":    {"internal/hint"},
	"patch/webhookconfig": {"internal/hint", "patch/auditflags"},
	"manifest":            {"internal/hint"},
	"presets":             {"internal/spelling"},
	"internal/policy":     {"internal/hint", "internal/spelling"},
	// builtin is the one table of the resources that kube-apiserver serves itself.
	"internal/policy/builtin": nil,
	// policytest draws policies and requests for tests.
	"internal/policy/policytest": {"internal/policy", "internal/policy/builtin"},
	// cis is our reading of CIS 3.2.2, for lint and verdict.
	"internal/policy/cis":      {"internal/policy"},
	"internal/policy/space":    {"internal/policy", "internal/policy/builtin"},
	"internal/policy/requests": {"internal/policy"},
	"internal/policy/lint":     {"internal/policy", "internal/policy/builtin", "internal/policy/cis", "internal/policy/sensitive", "internal/policy/space", "internal/spelling"},
	// explain knows what surrounds the evaluator in kube-apiserver; expect asks it.
	"internal/policy/explain": {"internal/auditlog/vector", "internal/policy", "internal/policy/builtin", "internal/hint", "internal/spelling"},
	"internal/policy/expect":  {"internal/policy", "internal/policy/explain", "internal/hint", "internal/spelling"},
	// verdict restates what the checkers of the field look for, in flags and in policies;
	// that no request is recorded otherwise than CIS wants takes a search.
	"internal/policy/verdict": {"internal/policy", "internal/policy/cis", "internal/policy/space", "internal/hint", "patch/auditflags"},
	// compose puts policies together, and difference compares two.
	"internal/policy/sensitive":  {"internal/policy", "internal/policy/explain"},
	"internal/policy/compose":    {"internal/glyph", "internal/policy", "internal/policy/lint", "internal/policy/requests", "internal/policy/space", "internal/hint"},
	"internal/policy/difference": {"internal/policy", "internal/policy/explain", "internal/policy/requests", "internal/policy/sensitive", "internal/policy/space"},
	"internal/node":              {"internal/hint", "internal/nodefile", "internal/node/seal"},
	"internal/node/seal":         nil,
	"internal/node/crashtest":    nil,
	// A simulated node for tests: it knows the program from outside only, and
	// stands in for kubelet and kube-apiserver with code of Kubernetes.
	"internal/simnode": nil,
	// docs writes what packages install beside the program.
	"release/docs": {"internal/cli", "internal/session"},
	"release/size": nil,
	// bench times any two commands.
	"bench":         nil,
	"bench/readers": nil,
	// auditlog makes up the log that readers are timed with.
	"bench/auditlog": {"internal/standin/auditevents"},
	// The tests of the program's contract run it from outside.
	"contract":      {"contract/page"},
	"contract/page": nil,
	// Tests of the module, of the role and of the collection, by what Ansible makes of them.
	"ansible": nil,
	// The end-to-end tests know the program from outside only.
	"e2e":         {"contract/page", "e2e/cast", "e2e/cluster", "e2e/load"},
	"e2e/cluster": nil,
	// apiserver is a real kube-apiserver for tests; those in policies ask it what policies record.
	"e2e/apiserver": nil,
	"e2e/policies":  nil,
	// answers asks for the log of an incident, and auditpatch for what is in it.
	"e2e/answers": {"e2e/apiserver", "internal/standin/auditevents"},
	"e2e/cast":    nil,
	"e2e/load":    nil,
	// page opens reports in a browser.
	"e2e/page": nil,
	// roles asks it whether the roles of events --rbac allow what was done.
	"e2e/roles": nil,
	// versions makes a table of the results on several releases of Kubernetes.
	"e2e/versions":       nil,
	"e2e/receiver":       nil,
	"e2e/sleeper":        nil,
	"e2e/prober":         {"e2e/cluster"},
	"e2e/image/balancer": nil,
	"e2e/image/pause":    nil,
}

// TestImports compares what the packages import with the table.
func TestImports(t *testing.T) {
	t.Parallel()
	list := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
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
			if own := ours(imported); own != "" && own != "internal/lazyregexp" && !slices.Contains(allowed, own) {
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
	files, err := filepath.Glob("../manifest/*.go")
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
