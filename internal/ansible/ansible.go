package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"auditpatch/internal/change"
	"auditpatch/internal/cli"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/session"
	"auditpatch/internal/typed"
	"auditpatch/patch"
)

// Ansible runs this program as a binary module: with one argument, the path of
// a JSON object that holds the task's arguments, and Ansible's own, which begin
// with "_ansible_". It reads one JSON object from standard output. See
// https://docs.ansible.com/ansible/latest/dev_guide/developing_program_flow_modules.html

// states lead from the argument state to a command.
var states = []struct{ name, command string }{
	{"enabled", "enable"}, {"disabled", "disable"}, {"restored", "restore"},
}

// TaskFile is the text of the arguments' file, ok only when that is how the
// program was called: no command has a slash in its name, and none takes a file.
func TaskFile(args []string) (text []byte, ok bool) {
	if len(args) != 2 || strings.HasPrefix(args[1], "-") || !strings.Contains(args[1], "/") {
		return nil, false
	}
	if info, err := os.Stat(args[1]); err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	text, err := os.ReadFile(args[1])
	return text, err == nil && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{"))
}

// answer is what Ansible reads, and what a playbook finds in a registered
// result. The JSON of the command itself is decoded into it. Its fields are those
// of the module's documented return values.
type answer struct {
	Changed  bool          `json:"changed"` // in check mode: would change
	Failed   bool          `json:"failed"`
	Msg      string        `json:"msg"`
	Hint     string        `json:"hint,omitempty"`
	Warnings []string      `json:"warnings,omitempty"`
	RC       int           `json:"rc"` // the exit status of the command
	Manifest string        `json:"manifest,omitempty"`
	Backup   string        `json:"backup,omitempty"`
	Edits    []string      `json:"edits"`
	Kept     []string      `json:"kept"`
	Steps    []change.Step `json:"steps"`
	// Rehearsal is what came of the rehearsal, nil when there was none.
	Rehearsal *change.Rehearsal `json:"rehearsal,omitempty"`
	// Restart is how the API server was restarted, nil when it was not.
	Restart    *change.Restart `json:"restart,omitempty"`
	Diff       []fileDiff      `json:"diff,omitempty"`
	Invocation *invocation     `json:"invocation,omitempty"`

	typed typed.Values // the task's arguments
}

type invocation struct {
	Arguments map[string]any `json:"module_args"`
}

// fileDiff is a file in the form that ansible-playbook --diff makes a diff of.
type fileDiff struct {
	Before       string `json:"before"`
	After        string `json:"after"`
	BeforeHeader string `json:"before_header"`
	AfterHeader  string `json:"after_header"`
}

// Main does what the text of a task's arguments says, and prints the answer. The
// exit status is 1 for a task that failed; that of the command stands in the
// answer. version is the program's own.
func Main(ctx context.Context, text []byte, s session.Streams, version string) int {
	return session.Run(ctx, s, func(s *session.Session) int {
		a := answer{Edits: []string{}, Kept: []string{}, Steps: []change.Step{}}
		a.run(ctx, s, text, version)
		return a.print(s.Out)
	}, func(s *session.Session, err error, status int) int {
		f := change.CutShort(err, status)
		var fault *session.Fault
		if errors.As(err, &fault) {
			fmt.Fprintf(s.Err, "%s\n", fault.Stack)
		}
		fmt.Fprintf(s.Err, "auditpatch: error: %s\n", f.Error)
		t, _ := readTask(text) // a fault has been told
		f.Hint = f.Hint.In(nodeOf(t))
		if len(f.Hint) > 0 {
			fmt.Fprintf(s.Err, "auditpatch: hint: %s\n", f.Hint)
		}
		a := answer{Edits: []string{}, Kept: []string{}, Steps: []change.Step{}, Changed: f.Changed, RC: f.Status, Msg: f.Error, Hint: f.Hint.String()}
		return a.print(s.Out)
	})
}

// nodeOf is what a task says of the node; nil when its arguments cannot be read.
func nodeOf(t *task) hint.Node {
	if t == nil {
		return nil
	}
	return t.node
}

// print prints the answer and returns the exit status.
func (a *answer) print(to io.Writer) int {
	a.Failed = a.RC != 0
	a.Msg, a.Hint = a.typed.Hide(a.Msg), a.typed.Hide(a.Hint)
	for i, w := range a.Warnings {
		a.Warnings[i] = a.typed.Hide(w)
	}
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(a) // the session remembers what is lost
	if a.Failed {
		return 1
	}
	return 0
}

// run does what a task's arguments say.
func (a *answer) run(ctx context.Context, s *session.Session, text []byte, version string) {
	t, err := readTask(text)
	if t != nil {
		a.Invocation, a.typed = &invocation{t.shown()}, t.typed()
	}
	if err != nil {
		a.RC, a.Msg, a.Hint = exit.Refused, err.Error(), hint.Of(err).In(nodeOf(t)).String()
		return
	}
	s.SetNode(t.node)
	task, err := cli.ReadTask(t.line, t.contents, version)
	if err != nil {
		a.fail(t, change.Result{}.Failure(err))
		return
	}
	r, err := task(ctx, change.Listener{Begin: s.Begin, Spared: s.Spared})
	r.Tell(s, err)
	a.Warnings, a.Rehearsal, a.Restart = t.warnings(r.Problems), r.Rehearsal, r.Restart
	if err != nil {
		a.fail(t, r.Failure(err))
		return
	}
	a.succeed(t, r)
}

// fail is the answer of a task that failed. What is refused is told in the task's
// own words.
func (a *answer) fail(t *task, f change.Failure) {
	a.Changed, a.RC, a.Backup, a.Hint = f.Changed, f.Status, f.Backup, f.Hint.In(t.node).String()
	a.Steps = append(a.Steps, f.Steps...)
	a.Msg = strings.Join(append([]string{f.Error}, f.More...), "\n")
	if f.Status == exit.Refused {
		a.Msg, a.Hint = t.words(a.Msg), t.hint(f.Hint)
	}
}

// succeed is the answer of one that did not.
func (a *answer) succeed(t *task, r change.Result) {
	a.Changed, a.Manifest, a.Backup, a.Edits, a.Kept = r.Changed, r.Manifest, r.Backup, r.Edits, r.Kept
	a.Steps = append(a.Steps, r.Steps...)
	a.Msg = r.Outcome
	for _, remark := range r.Remarks {
		a.Msg, a.Hint = strings.TrimPrefix(a.Msg+"; "+strings.TrimSuffix(remark.Message, ":"), "; "), remark.Hint.In(t.node).String()
	}
	if t.check {
		a.Msg = foreseen(r.Plan)
	}
	if t.check || t.diff {
		a.Diff = fileDiffs(r.Plan)
	}
}

// foreseen is the outcome of a task in check mode.
func foreseen(plan *patch.Plan) string {
	var paths []string
	for _, c := range plan.Changes {
		paths = append(paths, c.Path)
	}
	if plan.Kubeadm != nil && !plan.Kubeadm.Empty() {
		paths = append(paths, patch.KubeadmConfig)
	}
	if len(paths) == 0 {
		return "nothing would change"
	}
	return "would change " + strings.Join(paths, ", ")
}

// fileDiffs are the files of a plan before and after. What may hold credentials
// is not shown.
func fileDiffs(plan *patch.Plan) []fileDiff {
	const hidden = "(not shown: it may hold credentials)\n"
	var out []fileDiff
	for _, c := range plan.Changes {
		if c.Kind != patch.WriteFile && c.Kind != patch.RemoveFile {
			continue
		}
		d := fileDiff{string(c.Old.Data), string(c.Data), c.Path, c.Path}
		if !c.Shown {
			d.Before, d.After = "the earlier file "+hidden, "the new file "+hidden
		}
		if !c.Old.Exists {
			d.Before, d.BeforeHeader = "", "/dev/null"
		}
		if c.Kind == patch.RemoveFile {
			d.After, d.AfterHeader = "", "/dev/null"
		}
		out = append(out, d)
	}
	if k := plan.Kubeadm; k != nil && !k.Empty() {
		out = append(out, fileDiff{string(k.Old), string(k.New), patch.KubeadmConfig, patch.KubeadmConfig})
	}
	return out
}

// readTask reads a task's arguments. The task is nil when they are no JSON.
func readTask(text []byte) (*task, error) {
	given := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 30 stays 30
	if err := decoder.Decode(&given); err != nil {
		// Not the text itself: it may hold credentials.
		return nil, fmt.Errorf("read the task's arguments: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read the task's arguments: something follows the JSON object")
	}
	t := &task{given: map[string]any{}, settings: map[string]bool{}, contents: map[string][]byte{}}
	for name, value := range given {
		switch {
		case name == "_ansible_check_mode":
			t.check = value == true
		case name == "_ansible_diff":
			t.diff = value == true
		case strings.HasPrefix(name, "_ansible_"), value == nil: // null is how a playbook leaves an argument out
		case cli.IsText(name):
			return nil, errTextAsName
		default:
			t.given[name] = value
		}
	}
	err := t.addSettings()
	t.node = t.nodeGiven()
	if err != nil {
		return t, err
	}
	return t, t.commandLine()
}

// errTextAsName repeats nothing of what stands where an argument's name belongs: it may
// hold credentials.
var errTextAsName = errors.New("read the task's arguments: one of the names is the text of a file")

// addSettings joins the argument settings, which is a mapping of arguments: a
// playbook keeps them in a variable.
func (t *task) addSettings() error {
	value, given := t.given["settings"]
	if !given {
		return nil
	}
	delete(t.given, "settings")
	settings, ok := value.(map[string]any)
	if !ok {
		return hint.Errorf(set("settings", "{audit_log_maxage: 30}"), "settings: it takes a mapping of arguments")
	}
	for name, value := range settings {
		if cli.IsText(name) {
			return errTextAsName
		}
		if _, both := t.given[name]; both || name == "state" || name == "settings" {
			return hint.Errorf(set(name, "..."), "settings: %s is an argument of its own", name)
		}
		if value != nil {
			t.given[name], t.settings[name] = value, true
		}
	}
	return nil
}

// commandLine works out the command and its flags from the arguments.
func (t *task) commandLine() error {
	state := "enabled"
	if value, ok := t.given["state"]; ok {
		state, _ = value.(string)
	}
	for _, s := range states {
		if s.name == state {
			t.command = s.command
		}
	}
	if t.command == "" {
		if cli.IsText(state) {
			return hint.Errorf(set("state", "enabled"), "state: it is enabled, disabled or restored, not the text of a file")
		}
		return hint.Errorf(set("state", "enabled"), "state: %s: it is enabled, disabled or restored", quoted(t.given["state"]))
	}
	t.line = []string{"auditpatch", t.command}
	if t.check {
		t.line = append(t.line, "--dry-run")
	}
	names := make([]string, 0, len(t.given))
	for name := range t.given {
		names = append(names, name)
	}
	slices.Sort(names) // the same mistake gets the same answer
	for _, name := range names {
		if name == "state" {
			continue
		}
		flags, err := t.flagsOf(name, t.given[name])
		if err != nil {
			return err
		}
		t.line = append(t.line, flags...)
	}
	return nil
}

// nodeGiven is what the arguments say of the node, also where others are wrong.
func (t *task) nodeGiven() hint.Node {
	words := []string{"auditpatch"}
	for _, flag := range hint.NodeFlags {
		if value, is := t.given[argumentName(flag)].(string); is {
			words = append(words, "--"+flag+"="+value)
		}
	}
	return cli.NodeOf(words)
}
