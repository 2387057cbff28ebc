package change

import (
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
)

// Kept is what to think of a file that is there and stays: whether Enable refuses it,
// and what it warns of.
type Kept struct {
	Refused  error
	Warnings []patch.Problem
	// Rules counts those of a policy, 0 when it cannot be read.
	Rules int
	// Server is where the config of a webhook leads, without anything secret.
	Server string
}

// JudgePolicy judges the policy that an API server is to go on with. The one that it
// was started with has passed already, by the rules of its day.
func JudgePolicy(name string, data []byte, now patch.Settings) Kept {
	pol, warnings, err := policyFile{name, data, true}.load(now.Version)
	k := Kept{Refused: err, Warnings: warnings}
	if pol != nil {
		k.Rules = pol.Rules()
	}
	if err != nil && now.Annotations[patch.PolicyAnnotation] == patch.Checksum(data) {
		k.Refused, k.Warnings = nil, append(k.Warnings, patch.Problem{Message: err.Error(), Hint: hint.Of(err)})
	}
	return k
}

// judgeRestored judges a policy that an API server is to go back to: what it starts with
// is not refused. The annotation says nothing here, since the plan may have set it.
func judgeRestored(name string, data []byte, after patch.Settings) Kept {
	_, warnings, err := policyFile{name, data, true}.load(after.Version)
	k := Kept{Refused: err, Warnings: warnings}
	if err != nil && policy.Starts(data) {
		k.Refused, k.Warnings = nil, append(k.Warnings, patch.Problem{Message: err.Error(), Hint: hint.Of(err)})
	}
	return k
}

// JudgeWebhook judges the webhook's config that an API server is to go on with.
func JudgeWebhook(name string, data []byte, now patch.Settings) Kept {
	cfg, errs, warnings := webhookconfig.CheckOnNode(name, data)
	k := Kept{Refused: problems(errs), Warnings: warnings, Server: cfg.Server}
	if now.Annotations[patch.WebhookAnnotation] == patch.Checksum(data) {
		k.Refused, k.Warnings = nil, append(errs, warnings...)
	}
	return k
}

// policyFile is a policy that is to be loaded.
type policyFile struct {
	name   string
	data   []byte
	onNode bool // the name is a path on the node, and not on this machine
}

// load loads a policy with which kube-apiserver would start, and warns of what would
// come of it all the same. A policy whose version alone does not fit comes with the
// error.
func (f policyFile) load(v patch.Version) (pol *policy.Policy, warnings []patch.Problem, err error) {
	pol, ignored, err := policy.LoadStartable(f.name, f.data, policy.Version{Major: v.Major, Minor: v.Minor})
	if f.onNode {
		err, ignored = policy.OnNode(err), policy.OnNode(ignored)
	}
	if err != nil {
		return pol, nil, err
	}
	if ignored != nil {
		warnings = append(warnings, patch.Problem{Message: ignored.Error(), Hint: hint.Of(ignored)})
	}
	if !pol.Records() {
		warnings = append(warnings, patch.Problem{Message: policy.RecordsNothing(f.name), Hint: hint.Command("policy list")})
	}
	return pol, warnings, nil
}
