package change

import (
	"errors"
	"io/fs"

	"auditpatch/internal/node"
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
	"auditpatch/patch"
	"auditpatch/presets"
)

// Refusal is why Enable without settings would refuse this node before it looks at
// what runs there, nil when it would not. It plans the change and holds the plan
// against what lies on the node.
func Refusal(t *target.Target) error {
	j := &job{target: t, result: newResult("enable")}
	if err := t.CheckOwnRoot("enable"); err != nil {
		return err
	}
	plan, err := j.enablePlan(Settings{Flags: map[string]string{}})
	if err == nil && plan.Empty() {
		// A change that changes something: of policy and manifest.
		plan, err = j.enablePlan(Settings{Flags: map[string]string{}, Preset: otherPreset(plan)})
	}
	if err != nil {
		return err
	}
	return checkNode(t.Node, plan)
}

// otherPreset is a preset that is not the policy of a node that is as asked.
func otherPreset(plan *patch.Plan) string {
	for _, p := range presets.All() {
		data, err := p.Policy(nil)
		if err == nil && plan.After.Annotations[patch.PolicyAnnotation] != patch.Checksum(data) {
			return p.Name
		}
	}
	return ""
}

// checkNode refuses a plan for what lies on the node: its files, and the state
// directory with the journal. Who may not look at that learns it from the change.
func checkNode(n *node.Node, plan *patch.Plan) error {
	if _, err := n.Unfinished(); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return rollout.CheckFiles(n, plan)
}
