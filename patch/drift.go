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
	errs, _ := CheckFlags(now.Flags, now.Version)
	out := append(errs, MountProblems(m)...)
	if err := checkSiblings(m, s); err != nil {
		out = append(out, Problem{Message: err.Error()})
	}
	if _, ok := now.Annotations[RestartAnnotation]; ok {
		out = append(out, Problem{
			Message: "the manifest has the annotation " + RestartAnnotation + ": a restart of the API server is under way, or has died half way",
			Hint:    "auditpatch " + map[bool]string{true: "enable", false: "disable"}[now.Enabled()],
		})
	}
	return out
}

// MountProblems lists paths of the audit flags that no fitting mount brings to
// the node.
func MountProblems(m *manifest.File) (out []Problem) {
	now := Inspect(m)
	for _, l := range []struct {
		flag  string
		at    *Location
		write bool
	}{{policyFlag, now.Policy, false}, {logFlag, now.Log, true}, {webhookFlag, now.Webhook, false}} {
		wrong := func(format string, a ...any) {
			out = append(out, Problem{Flags: []string{l.flag}, Message: fmt.Sprintf(format, a...)})
		}
		switch {
		case l.at == nil:
		case !l.at.Covered():
			wrong("no mount brings --%s=%s to the node", l.flag, l.at.Path)
		case l.write && path.Clean(l.at.Mount.MountPath) == path.Clean(l.at.Path):
			wrong("the log file %s itself is mounted: it cannot be rotated", l.at.Path)
		case l.write && l.at.Mount.ReadOnly:
			wrong("the mount %s of --%s is read-only", l.at.Mount.MountPath, l.flag)
		}
	}
	return out
}

// CheckOwner refuses a Pod that another file defines too, or that another
// program writes anew.
func CheckOwner(m *manifest.File, s State) error {
	if err := checkKeeper(m); err != nil {
		return err
	}
	return checkSiblings(m, s)
}
