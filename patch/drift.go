package patch

import (
	"fmt"
	"path"

	"auditpatch/manifest"
)

// Drift lists what is wrong with a manifest as it stands: flags that
// kube-apiserver refuses, paths that do not lie on the node, another file with
// the same Pod.
func Drift(m *manifest.File, s State) []Problem {
	now := Inspect(m)
	out, _ := CheckFlags(now.Flags, now.Version)
	for _, l := range []struct {
		flag  string
		at    *Location
		write bool
	}{{policyFlag, now.Policy, false}, {logFlag, now.Log, true}, {webhookFlag, now.Webhook, false}} {
		switch {
		case l.at == nil:
		case !l.at.Covered():
			out = append(out, Problem{Flags: []string{l.flag}, Message: fmt.Sprintf("no mount brings --%s=%s to the node", l.flag, l.at.Path)})
		case l.write && path.Clean(l.at.Mount.MountPath) == path.Clean(l.at.Path):
			out = append(out, Problem{Flags: []string{l.flag}, Message: fmt.Sprintf("the log file %s itself is mounted: it cannot be rotated", l.at.Path)})
		case l.write && l.at.Mount.ReadOnly:
			out = append(out, Problem{Flags: []string{l.flag}, Message: fmt.Sprintf("the mount %s of --%s is read-only", l.at.Mount.MountPath, l.flag)})
		}
	}
	if err := checkSiblings(m, s); err != nil {
		out = append(out, Problem{Message: err.Error()})
	}
	return out
}
