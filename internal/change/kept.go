package change

import (
	"bytes"
	"fmt"
	"slices"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/lint"
	"auditpatch/internal/policy/verdict"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
	"auditpatch/presets"
)

// Judgeable is what checkers see of a manifest's settings, without the policy.
func Judgeable(s patch.Settings) verdict.Input {
	end := len(s.Server.Command) - s.Server.InArgs
	return verdict.Input{Flags: s.Flags, Command: s.Server.Command[:end], Args: s.Server.Command[end:],
		Version: policy.Version{Major: s.Version.Major, Minor: s.Version.Minor}}
}

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
	pol, warnings, err := policyFile{name: name, data: data, onNode: true}.load(now.Version)
	if pol == nil { // what the API server makes of it counts, if it starts with it
		pol, _ = policy.LoadRunning(name, data, policy.Version{Major: now.Version.Major, Minor: now.Version.Minor})
	}
	k := Kept{Refused: err, Warnings: append(warnings, leak(name, data, pol)...)}
	if pol != nil {
		k.Rules = pol.Rules()
	}
	if err != nil && now.Annotations[patch.PolicyAnnotation] == patch.Checksum(data) {
		k.Refused, k.Warnings = nil, append(k.Warnings, patch.Problem{Message: err.Error(), Hint: hint.Of(err)})
	}
	return k
}

// leak warns, in one line, of a policy that writes Secrets or tokens with their contents.
// Of a preset that is meant to there is nothing to mend.
func leak(name string, data []byte, pol *policy.Policy) []patch.Problem {
	if pol == nil {
		return nil
	}
	found := lint.Leaks(pol)
	if len(found) == 0 {
		return nil
	}
	for _, p := range presets.All() {
		if text, err := p.Policy(nil); err == nil && p.LeaksSecrets() && bytes.Equal(text, data) {
			return []patch.Problem{{Message: fmt.Sprintf("%s is preset %s, which puts the contents of Secrets into the log", name, p.Name)}}
		}
	}
	first := found[0]
	return []patch.Problem{{Message: fmt.Sprintf("%s:%d:%d: %s", name, first.Line, first.Col, first.Message), Hint: hint.Words("%s", first.Hint)}}
}

// judgeRestored judges a policy that an API server is to go back to: what it starts with
// is not refused. The annotation says nothing here, since the plan may have set it.
func judgeRestored(name string, data []byte, after patch.Settings) Kept {
	pol, warnings, err := policyFile{name: name, data: data, onNode: true}.load(after.Version)
	k := Kept{Refused: err, Warnings: append(warnings, leak(name, data, pol)...)}
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

// isPreset tells whether a policy is that of a preset, as it comes without --namespace.
func isPreset(data []byte) bool {
	return slices.ContainsFunc(presets.All(), func(p presets.Preset) bool {
		text, err := p.Policy(nil)
		return err == nil && bytes.Equal(text, data)
	})
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
		w := patch.Problem{Message: ignored.Error(), Hint: hint.Of(ignored)}
		if isPreset(f.data) { // whoever asked for it cannot edit it
			w.Hint = hint.Words("nothing has to be done: its events are longer until the cluster is upgraded, and lack nothing")
		}
		warnings = append(warnings, w)
	}
	if !pol.Records() {
		warnings = append(warnings, patch.Problem{Message: policy.RecordsNothing(f.name), Hint: hint.Command("policy list")})
	}
	return pol, warnings, nil
}
