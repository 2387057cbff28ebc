package change

import (
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
)

// Refusal is why Enable without settings would refuse this node before it looks at
// what runs there, nil when it would not. It plans the change and holds the plan
// against what lies on the node.
func Refusal(t *target.Target) error {
	j := &job{target: t, result: newResult("enable")}
	plan, err := j.enablePlan(Settings{Flags: map[string]string{}})
	if err != nil {
		return err
	}
	return rollout.CheckFiles(t.Node, plan)
}
