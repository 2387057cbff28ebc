package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/node"
	"auditpatch/internal/policy"
	"auditpatch/internal/rollout"
	"auditpatch/internal/webhook"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// failure is the JSON of a command that failed.
type failure struct {
	Changed bool   `json:"changed"`
	Error   string `json:"error"`
	Hint    string `json:"hint,omitempty"`
	Backup  string `json:"backup,omitempty"` // of a change that was put back, or could not be
	Status  int    `json:"status"`           // the exit status
	Steps   []step `json:"steps,omitempty"`  // of a change that was put back, or could not be
}

// report prints an error with its hint and returns the exit status.
func (p *program) report(err error) int {
	f := failure{Error: err.Error(), Hint: hintOf(err), Status: exitRefused, Steps: p.steps, Changed: p.changed}
	var back *rollout.RolledBack
	var not *rollout.NotRestored
	var half *notPersisted
	switch {
	case errors.As(err, &not):
		f.Status, f.Backup, f.Changed = exitNotRestored, not.Backup, true
		switch {
		case not.Overridden:
			f.Hint = "auditpatch status; when the other edit is done: auditpatch enable"
		case !not.Back:
			f.Hint = "auditpatch recover, or: auditpatch restore --to " + not.Backup
		default: // what ails the node now comes before what ailed the change
			f.Hint = cmp.Or(hintOf(not.Undo), f.Hint, "auditpatch doctor")
		}
		if not.Held {
			f.Hint += "; then: auditpatch recover"
		}
	case errors.As(err, &half):
		f.Status, f.Backup, f.Changed = exitNotRestored, half.backup, true
		f.Hint = half.hint()
	case errors.As(err, &back):
		f.Status, f.Backup = exitRolledBack, back.Backup
		if f.Hint == "" {
			f.Hint = "auditpatch doctor --last"
		}
	}
	p.failed = []string{f.Error}
	for _, more := range moreOf(err) {
		p.failed = append(p.failed, more.Message)
	}
	for _, reason := range p.failed {
		fmt.Fprintf(p.Err, "auditpatch: error: %s\n", reason)
	}
	if f.Hint != "" {
		fmt.Fprintf(p.Err, "auditpatch: hint: %s\n", f.Hint)
	}
	if p.json {
		p.printJSON(f)
	}
	return f.Status
}

// hintOf is what to type after an error, "" when nothing is known.
func hintOf(err error) string {
	var own *hintedError
	var m *manifest.Error
	var pt *patch.Error
	var po *policy.Error
	var locked *node.LockedError
	var changed *node.ChangedError
	var journal *node.JournalError
	var untrusted *node.UntrustedError
	var unhealthy *apiserver.NotHealthy
	var busy *clusterlock.BusyError
	var failed *rollout.Failed
	var foreign *node.ForeignError
	var none *apiserver.NoCredentialsError
	var unlogged *rollout.NotLogged
	var blocked *webhook.Blocked
	switch {
	case errors.As(err, &own):
		return own.hint
	case errors.As(err, &m):
		return m.Hint
	case errors.As(err, &pt):
		return pt.Hint
	case errors.As(err, &po) && len(po.Findings) > 0:
		return policyHint(po)
	case errors.As(err, &failed) && failed.Hint != "":
		return failed.Hint
	case errors.As(err, &foreign) && foreign.Reverted:
		return "make the change in the program that writes the manifest, or stop that program; then: auditpatch enable"
	case errors.As(err, &unhealthy):
		return "auditpatch doctor says more; --force begins all the same"
	case errors.As(err, &untrusted):
		return untrusted.Hint
	case errors.As(err, &journal):
		return "look at the manifest and the policy, then: rm " + journal.Path
	case errors.As(err, &unlogged) && unlogged.Reason != "":
		dir := path.Dir(unlogged.Log)
		return fmt.Sprintf("df -h %s; df -i %s", dir, dir)
	case errors.As(err, &blocked):
		return "--audit-webhook-mode=batch; --force begins all the same"
	case errors.As(err, &none):
		return none.Hint()
	case errors.As(err, &busy):
		return "run the same command again, or wait longer: --lock-timeout=30m; kubectl -n kube-system get lease auditpatch"
	case errors.As(err, &locked), errors.As(err, &changed):
		return "run the same command again"
	case errors.Is(err, rollout.ErrNoKubelet):
		return "systemctl start kubelet"
	case errors.Is(err, node.ErrUnfinished):
		return "auditpatch recover"
	case errors.Is(err, fs.ErrPermission):
		return "run it as root: sudo auditpatch ..."
	}
	return ""
}

// policyHint is the first finding's hint, and where to see the others.
func policyHint(e *policy.Error) string {
	hint := e.Findings[0].Hint
	if len(e.Findings) == 1 || e.File == "" {
		return hint
	}
	all := fmt.Sprintf("auditpatch policy lint --policy %s shows all %d findings", e.File, len(e.Findings))
	if hint == "" {
		return all
	}
	return hint + "; " + all
}

// moreOf are further faults that were found at the same time.
func moreOf(err error) []patch.Problem {
	var pt *patch.Error
	if errors.As(err, &pt) {
		return pt.More
	}
	return nil
}

// warn prints a warning with its hint.
func (p *program) warn(problems ...patch.Problem) {
	p.warned = append(p.warned, problems...)
	for _, w := range problems {
		fmt.Fprintf(p.Err, "auditpatch: warning: %s\n", w.Message)
		if w.Hint != "" {
			fmt.Fprintf(p.Err, "auditpatch: hint: %s\n", w.Hint)
		}
	}
}

// say prints progress and outcomes for people.
func (p *program) say(format string, a ...any) {
	p.said = fmt.Sprintf(format, a...)
	if !p.quiet {
		fmt.Fprintln(p.Err, p.said)
	}
}

// printJSON prints a result for programs.
func (p *program) printJSON(v any) {
	enc := json.NewEncoder(p.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // standard output remembers what is lost, see output
}
