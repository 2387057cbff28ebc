package patch

import (
	"maps"
	"path"

	"auditpatch/internal/hint"
)

// places are where a file may be when its usual place cannot be had, best first.
// Those of files are in folders that exist on every node: nothing else creates them.
var places = map[string][]string{
	policyFlag:  {DefaultPolicyPath, "/etc/kubernetes/auditpatch-policy.yaml", "/etc/auditpatch-policy.yaml"},
	webhookFlag: {DefaultWebhookPath, "/etc/kubernetes/auditpatch-webhook.yaml", "/etc/auditpatch-webhook.yaml"},
	logFlag:     {DefaultLogPath, "/var/log/kubernetes-audit/audit.log", "/var/log/auditpatch/audit.log", "/srv/audit/audit.log"},
}

// propose is a flag with a place that the same plan takes: a hint that is refused in
// its turn leads in a circle. Without any it is otherwise.
func (p *planner) propose(flag string, otherwise hint.Hint) hint.Hint {
	if p.proposed {
		return nil
	}
	for _, place := range places[flag] {
		if path.Clean(place) == path.Clean(p.desired[flag]) {
			continue
		}
		opts := p.opts
		opts.Flags = maps.Clone(p.opts.Flags)
		if opts.Flags == nil {
			opts.Flags = map[string]string{}
		}
		opts.Flags[flag] = place
		try := newPlanner(p.plan.Verb, p.m, p.state, opts)
		if try.proposed = true; try.settle() == nil {
			return hint.Flag(flag, place)
		}
	}
	return otherwise
}

// editMount is what to type in the manifest where no flag helps.
func (p *planner) editMount(l Location) hint.Hint {
	line, _ := p.m.MountAt(l.Mount.MountPath)
	return hint.Words("edit %s, line %d: the mount %s", hint.Path(p.m.Name()), line, l.Mount.MountPath)
}

// defaultOf is where a flag's file is unless the manifest or the user says
// otherwise.
func defaultOf(flag string) string { return places[flag][0] }
