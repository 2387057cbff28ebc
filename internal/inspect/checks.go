package inspect

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/target"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
)

// checks are all of them. Doctor prints them in this order, in which what they find
// has to be mended: nothing acts on a manifest without a kubelet, and a change ends an
// earlier run first.
var checks = []struct {
	name string
	of   func(*facts, *findings)
}{
	{"kubelet", (*facts).preflightCheck},
	{"journal", (*facts).journalCheck},
	{"manifest", (*facts).manifestCheck},
	{"owner", whereRead((*facts).ownerCheck)},
	{"flags", whereRead((*facts).flagsCheck)},
	{"mounts", whereRead((*facts).mountsCheck)},
	{"policy", whereRead((*facts).policyCheck)},
	{"webhook", whereRead((*facts).webhookCheck)},
	{"log", whereRead((*facts).logCheck)},
	{"benchmarks", whereRead((*facts).benchmarksCheck)},
	{"enable", (*facts).enableCheck},
	{"API server", whereLive((*facts).serverCheck)},
	{"rehearsal", whereLive((*facts).rehearsalCheck)},
	{"restart", whereLive((*facts).restartCheck)},
	{"credentials", whereLive((*facts).credentialsCheck)},
	{"cluster", whereLive((*facts).clusterCheck)},
	{"kubeadm", whereLive((*facts).kubeadmCheck)},
}

// whereRead leaves a check out where the manifest cannot be read.
func whereRead(check func(*facts, *findings)) func(*facts, *findings) {
	return func(f *facts, out *findings) {
		if f.manifest != nil {
			check(f, out)
		}
	}
}

// whereLive leaves a check out where no API server can run.
func whereLive(check func(*facts, *findings)) func(*facts, *findings) {
	return func(f *facts, out *findings) {
		if f.live != nil {
			check(f, out)
		}
	}
}

// judge makes all checks. What cannot be mended before something else is comes after
// that.
func (f *facts) judge() []Finding {
	var all []Finding
	for i, c := range checks {
		out := &findings{check: c.name, turn: i}
		c.of(f, out)
		all = append(all, out.all...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.turn, b.turn) })
	return all
}

// preflightCheck is a check that stands before a change too.
func (f *facts) preflightCheck(out *findings) {
	for _, r := range f.preflight {
		var down *apiserver.NotHealthy
		switch {
		case r.name != out.check:
		case errors.As(r.err, &down):
			out.say(broken, down.Hint, "%s", down.Reason)
			if down.Kubelet {
				out.all[len(out.all)-1].turn = 0
			}
		case r.err != nil:
			out.fault(unseen, r.err)
		case r.found.Doubt:
			out.say(doubt, nil, "%s", r.found.Text)
		case r.found.Text != "":
			out.say(fine, nil, "%s", r.found.Text)
		}
	}
}

// rehearsalCheck tells whether a change could be rehearsed.
func (f *facts) rehearsalCheck(out *findings) {
	o := f.live.rehearsal
	switch {
	case o == nil:
	case o.err != nil:
		out.say(doubt, hint.Of(o.err), "a change would not be rehearsed: %v", o.err)
	default:
		out.say(fine, nil, "a second kube-apiserver can try a change out before anything is touched")
	}
}

// restartCheck tells who would serve while a change restarts the API server. Where nothing
// can be rehearsed, nothing can serve meanwhile either.
func (f *facts) restartCheck(out *findings) {
	o, others := f.live.handover, f.live.others
	switch {
	case o == nil || f.live.rehearsal.err != nil || others.err != nil:
	case others.n > 0:
		out.say(fine, nil, "the other control planes serve while this API server restarts")
	case o.err != nil:
		out.say(doubt, hint.Of(o.err), "nobody would serve while the API server restarts: %v", o.err)
	default:
		out.say(fine, nil, "a second kube-apiserver can serve while this one restarts")
	}
}

// journalCheck looks for a change that is going on or died.
func (f *facts) journalCheck(out *findings) {
	switch j := f.journal; {
	case f.target.Stdin():
	case j.err != nil:
		out.fault(unseen, j.err)
	case j.by != nil:
		out.say(broken, hint.Words("wait for it, then").Then(": ", hint.Command("status")), "%s is going on now, pid %d", j.by.Purpose, j.by.PID)
	case j.run != nil:
		out.say(broken, hint.Command("recover"), "the run %s (%s) %s", j.run.ID, j.run.Verb, target.WhyUnfinished(j.held))
	default:
		out.say(fine, nil, "no run died half way")
	}
}

// manifestCheck wants a Pod that the kubelet takes as it is written.
func (f *facts) manifestCheck(out *findings) {
	if f.manifest == nil {
		out.fault(unseen, f.unread)
		return
	}
	dead, change := broken, refused
	if f.state.Offline { // a change only warns of both
		dead, change = hurts, hurts
	}
	nameless := f.manifest.Nameless()
	if out.fault(dead, nameless); nameless == nil {
		out.say(fine, nil, "%s is a Pod that the kubelet takes", f.state.Manifest.Path)
	}
	if _, left := f.now.Annotations[patch.RestartAnnotation]; left {
		next := hint.Command(map[bool]string{true: "enable", false: "disable"}[f.now.Enabled()])
		out.say(broken, next, "the manifest has the annotation %s: a restart of the API server is in progress, or was interrupted", patch.RestartAnnotation)
	}
	out.fault(change, patch.CheckUID(f.manifest))
	for _, u := range f.manifest.Unknown() {
		out.say(hurts, nil, "%s: %s: the kubelet ignores it", f.manifest.Name(), u)
	}
}

// ownerCheck wants nobody else to define the Pod.
func (f *facts) ownerCheck(out *findings) {
	out.fault(refused, patch.CheckManagedBy(f.manifest))
	out.fault(broken, patch.CheckSiblings(f.manifest, f.state))
	if !out.trouble() {
		out.say(fine, nil, "no other program or file defines this Pod")
	}
}

// flagsCheck holds the audit flags against what kube-apiserver takes.
func (f *facts) flagsCheck(out *findings) {
	errs, warns := auditflags.Check(f.now.Flags, f.now.Version)
	if !f.now.Enabled() {
		out.say(off, hint.Command("enable"), "audit logging is off: %s", missing(f.now))
	}
	out.problems(broken, errs...)
	out.problems(hurts, warns...)
	if len(out.all) == 0 {
		out.say(fine, nil, "kube-apiserver takes all %d audit flags", len(f.now.Flags))
	}
}

// missing says what a manifest that logs nothing lacks.
func missing(s patch.Settings) string {
	if s.Policy == nil {
		return "the manifest sets no --audit-policy-file"
	}
	return "the manifest sets neither --audit-log-path nor --audit-webhook-config-file"
}

// mountsCheck wants the paths of the flags on the node, where the API server can use
// them and nothing else needs them.
func (f *facts) mountsCheck(out *findings) {
	out.problems(broken, patch.MountProblems(f.manifest)...)
	out.problems(broken, f.unfit...)
	if !out.trouble() && f.now.Enabled() {
		out.say(fine, nil, "every path of the audit flags lies on this node")
	}
	out.problems(hurts, patch.Places(f.manifest, f.state)...)
}

// enableCheck tells what only the plan of a change would be refused for.
func (f *facts) enableCheck(out *findings) {
	switch {
	case f.enable == nil:
	case f.enable.cause == nil:
		out.say(fine, nil, "a change would not be refused for what lies on this node")
	default:
		out.fault(refused, f.enable.cause)
	}
}

// withoutRepeats leaves out what enable is refused for where a check has said so.
func withoutRepeats(all []Finding) []Finding {
	said := func(refusal Finding) bool {
		return slices.ContainsFunc(all, func(f Finding) bool {
			return f.Check != refusal.Check && f.Verdict == Wrong && strings.Contains(refusal.Detail, f.Detail)
		})
	}
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.err != nil && f.Check == "enable" && said(f) })
}
