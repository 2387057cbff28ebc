package inspect

import (
	"cmp"
	"errors"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/patch"
)

// policyCheck looks at the policy that the manifest names.
func (f *facts) policyCheck(out *findings) {
	if f.policy.at == "" {
		return
	}
	f.policy.check(out, kind{"policy", patch.PolicyAnnotation, hint.Command("enable").Flag("preset", "baseline")}, f.now)
	if !out.trouble() {
		out.say(fine, nil, "%s, %s", f.policy.at, policy.Count(f.policy.kept.Rules))
	}
}

// webhookCheck looks at the webhook's config, whose contents are not shown, and at
// the receiver, where requests would wait for that.
func (f *facts) webhookCheck(out *findings) {
	if f.webhook.at != "" {
		f.webhook.check(out, kind{"webhook config", patch.WebhookAnnotation, hint.Command("enable").Flag("webhook-config", "FILE")}, f.now)
		if !out.trouble() {
			out.say(fine, nil, "%s, to %s", f.webhook.at, cmp.Or(f.webhook.kept.Server, "?"))
		}
	}
	f.preflightCheck(out)
}

// kind is what a file that the manifest names is.
type kind struct {
	what       string
	annotation string    // with the checksum of the one that was installed
	install    hint.Hint // what makes a new one
}

// check wants a file that the API server starts with, and has started with.
func (n file) check(out *findings, k kind, now patch.Settings) {
	const lost = "the API server would not start"
	switch {
	case n.err != nil:
		out.fault(unseen, n.err)
		return
	case n.Dir && n.Empty: // the kubelet or a container runtime makes one
		out.say(broken, k.install, "there is no %s at %s, only an empty directory: %s", k.what, n.at, lost)
		return
	case n.Dir:
		out.say(broken, patch.MoveAway(n.at), "%s is a directory, not a file", n.at)
		return
	case !n.Exists:
		out.say(broken, k.install, "there is no %s at %s: %s", k.what, n.at, lost)
		return
	}
	if sum, known := now.Annotations[k.annotation]; known && sum != patch.Checksum(n.Data) {
		out.say(apart, hint.Command("enable"), "the %s %s was changed since the API server was started with it", k.what, n.at)
	}
	out.fault(broken, n.kept.Refused)
	var several *patch.Error
	if errors.As(n.kept.Refused, &several) {
		out.problems(broken, several.More...)
	}
	out.problems(hurts, n.kept.Warnings...)
}

// logCheck looks at the disk.
func (f *facts) logCheck(out *findings) {
	if f.disk == nil {
		return
	}
	if f.noDisk != nil {
		out.fault(unseen, f.noDisk)
		return
	}
	out.fault(broken, f.lost)
	out.fault(hurts, f.stuck)
	d := f.disk
	switch full, tight := d.Full(), d.Tight(); {
	case full != "":
		out.say(broken, d.Relief(), "%s", full)
	case tight != "":
		out.say(hurts, d.Relief(), "%s", tight)
	case !out.trouble():
		out.say(fine, nil, "%s takes %s of at most %s; %s are free",
			f.now.Log.Host, auditlog.FormatSize(d.Usage.Bytes), auditlog.FormatSize(d.Limit), auditlog.FormatSize(d.Space.Free))
	}
}
