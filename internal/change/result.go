package change

import (
	"fmt"
	"math"
	"os/user"
	"path"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
)

// Result is what came of a change, or would come of it. Its JSON is that of enable,
// disable, restore and diff. It has as many fields as that JSON object, and those
// that only the text output needs.
type Result struct {
	Command  string       `json:"command"`
	Changed  bool         `json:"changed"` // with dryRun and diff: would change
	DryRun   bool         `json:"dryRun,omitempty"`
	Manifest string       `json:"manifest"`
	Backup   string       `json:"backup,omitempty"` // the ID that restore --to takes
	Files    []FileChange `json:"files"`
	Edits    []string     `json:"edits"` // of the manifest, in words
	Kept     []string     `json:"kept"`  // settings that were there and stay
	Warnings []string     `json:"warnings"`
	Waited   bool         `json:"waited"` // for the API server
	Steps    []Step       `json:"steps"`  // of the wait
	// Rehearsal is what came of the rehearsal; nil when there was to be none.
	Rehearsal *Rehearsal `json:"rehearsal,omitempty"`
	// Restart is how the API server was restarted; nil when nobody waited for that.
	Restart *Restart `json:"restart,omitempty"`
	// Kubeadm is what becomes of kubeadm-config, with --persist.
	Kubeadm *KubeadmChange `json:"kubeadm,omitempty"`

	Plan *patch.Plan `json:"-"` // nil when it could not be made
	// Outcome is the last word on a change that went well, and Remarks what is
	// left to say or to do.
	Outcome  string          `json:"-"`
	Remarks  []patch.Problem `json:"-"`
	Problems []patch.Problem `json:"-"` // the warnings, with their hints
	// Touched says that something was changed, also by the end of an earlier run and
	// when the change itself failed.
	Touched bool `json:"-"`
}

// FileChange is what becomes of one file.
type FileChange struct {
	Path   string `json:"path"`
	Action string `json:"action"` // write, remove, mkdir, ensure
	Mode   string `json:"mode,omitempty"`
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Why    string `json:"why"`
	Diff   string `json:"diff,omitempty"` // not of files that may hold credentials
}

// Step is one step of a rollout.
type Step struct {
	Step    string  `json:"step"` // recover, rehearsal, cluster, restart, ready, proof, undo
	Text    string  `json:"text"`
	Seconds float64 `json:"seconds"`          // since the manifest was written
	Detail  string  `json:"detail,omitempty"` // what the API server said
}

func newStep(p rollout.Progress) Step {
	seconds := math.Round(p.After.Seconds()*10) / 10
	return Step{p.Step, p.Text, seconds, strings.TrimSpace(p.Detail)}
}

// newResult has lists that JSON shows as such.
func newResult(command string) Result {
	return Result{Command: command, Files: []FileChange{}, Edits: []string{}, Kept: []string{}, Warnings: []string{}, Steps: []Step{}}
}

// describe fills in what the plan says.
func (r *Result) describe(plan *patch.Plan) {
	r.Plan, r.Changed, r.Kubeadm, r.Manifest = plan, !plan.AsAsked(), newKubeadmChange(plan.Kubeadm), plan.Manifest
	for _, c := range plan.Changes {
		f := FileChange{Path: c.Path, Action: string(c.Kind), UID: c.UID, GID: c.GID, Why: Why(c, plan)}
		if c.Kind != patch.RemoveFile {
			f.Mode = fmt.Sprintf("%04o", c.Mode.Perm())
		}
		f.Diff = fileDiff(c)
		r.Files = append(r.Files, f)
	}
	for _, e := range plan.Edits {
		r.Edits = append(r.Edits, e.String())
	}
	r.Kept = append(r.Kept, plan.Kept...)
}

// Text is the manifest as it is after the change.
func (r Result) Text() []byte {
	if text, ok := r.Plan.Text(r.Plan.Manifest); ok {
		return text
	}
	return r.Plan.Unchanged
}

// Diffs are the unified diffs of all that changes. What may hold credentials is
// not shown.
func (r Result) Diffs() (out []string) {
	for _, c := range r.Plan.Changes {
		out = append(out, fileDiff(c))
	}
	if r.Plan.Kubeadm != nil {
		out = append(out, kubeadmDiff(r.Plan.Kubeadm))
	}
	return out
}

// Why is a change's reason for people, with names for owners.
func Why(c patch.Change, plan *patch.Plan) string {
	s := c.Why
	if c.Kind == patch.MakeDir {
		s = fmt.Sprintf("new folder, %04o %s", c.Mode, owner(c.UID, c.GID))
		if !plan.After.Log.Covered() || path.Dir(path.Clean(plan.After.Log.Host)) != c.Path {
			return s
		}
		if bytes, unlimited := auditflags.DiskBudget(plan.After.Flags, plan.After.Version); unlimited {
			s += "; nothing limits its size"
		} else if bytes > 0 {
			s += "; keeps at most " + auditlog.FormatSize(bytes)
		}
	}
	if c.Path == plan.Manifest && s == "" {
		s = plan.Counts()
	}
	return s
}

// owner is user:group by name where this machine knows them.
func owner(uid, gid int) string {
	u, g := strconv.Itoa(uid), strconv.Itoa(gid)
	if x, err := user.LookupId(u); err == nil {
		u = x.Username
	}
	if x, err := user.LookupGroupId(g); err == nil {
		g = x.Name
	}
	return u + ":" + g
}

// fileDiff is the unified diff of one file. What may hold credentials is never
// shown.
func fileDiff(c patch.Change) string {
	if c.Kind != patch.WriteFile && c.Kind != patch.RemoveFile {
		return ""
	}
	from, to := c.Path, c.Path
	if !c.Old.Exists {
		from = "/dev/null"
	}
	if c.Kind == patch.RemoveFile {
		to = "/dev/null"
	}
	if !c.Shown {
		return fmt.Sprintf("--- %s\n+++ %s\n(not shown: it may hold credentials)\n", from, to)
	}
	return unified(from, c.Old.Data, to, c.Data)
}

// unified is a diff without its first line, which names the program diff and helps
// nobody.
func unified(from string, before []byte, to string, after []byte) string {
	_, d, _ := strings.Cut(string(diff.Diff(from, before, to, after)), "\n")
	return d
}

// unchanged says that there was nothing to do.
func unchanged(plan *patch.Plan) string {
	switch {
	case plan.Verb == "enable" && plan.Unbuilt():
		return "the files for audit logging are in place as asked, nothing changed"
	case plan.Verb == "enable":
		return "audit logging is on as asked, nothing changed"
	case plan.Verb == "disable":
		return "audit logging is off, nothing changed"
	case plan.SettingsOnly:
		return "the audit settings are as in the backup, and what others have changed in the manifest since stays, nothing changed"
	}
	return "everything is as in the backup, nothing changed"
}

// outcome is the last line of a change.
func (j *job) outcome(plan *patch.Plan) string {
	text := j.whatIs(plan)
	if r := j.result.Restart; r != nil && r.Way == string(rollout.Seamless) && r.Why == "" {
		text += "; clients were served throughout"
	}
	return text
}

// whatIs says what is so after a change.
func (j *job) whatIs(plan *patch.Plan) string {
	switch {
	case plan.Verb == "restore" && plan.SettingsOnly:
		return "the audit settings of the backup are restored"
	case plan.Verb == "restore":
		return "the backup is restored"
	case j.result.Waited && plan.Verb == "enable":
		return "audit logging is on"
	case j.result.Waited:
		return "audit logging is off"
	case plan.Unbuilt():
		return "the files for audit logging are in place"
	case plan.Verb == "disable" && !plan.Restarts():
		return "the files are removed"
	case j.target.Live && plan.Restarts():
		return "the files are written; the kubelet now restarts the API server, which was not waited for"
	case plan.Verb == "enable":
		return "audit logging is configured"
	}
	return "audit logging is taken out of the manifest"
}
