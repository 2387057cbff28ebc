package patch

import (
	"fmt"
	"path"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
	"auditpatch/patch/auditflags"
)

// Drift lists what is wrong with a manifest as it stands: flags that
// kube-apiserver refuses, paths that do not lie on the node, another file with
// the same Pod.
func Drift(m *manifest.File, s State) []Problem {
	now := Inspect(m)
	errs, _ := auditflags.Check(now.Flags, now.Version)
	out := append(errs, MountProblems(m)...)
	if err := checkSiblings(m, s); err != nil {
		out = append(out, Problem{Message: err.Error()})
	}
	if _, ok := now.Annotations[RestartAnnotation]; ok {
		out = append(out, Problem{
			Message: "the manifest has the annotation " + RestartAnnotation + ": a restart of the API server is under way, or has died half way",
			Hint:    hint.Command(map[bool]string{true: "enable", false: "disable"}[now.Enabled()]),
		})
	}
	return out
}

// audited is one path of the audit flags and what has to lie there.
type audited struct {
	flag  string
	at    *Location
	kind  string
	write bool
}

// auditPaths are the paths that a manifest's audit flags name. The log needs its
// directory, but where the file itself is mounted.
func auditPaths(m *manifest.File) []audited {
	now := Inspect(m)
	log := now.Log
	kind := KindFile
	if log != nil && (log.Mount == nil || path.Clean(log.Mount.MountPath) != path.Clean(log.Path)) {
		dir := locate(m, path.Dir(path.Clean(log.Path)))
		log, kind = &dir, KindDirectory
	}
	return []audited{{policyFlag, now.Policy, KindFile, false}, {logFlag, log, kind, true}, {webhookFlag, now.Webhook, KindFile, false}}
}

// MountProblems lists paths of the audit flags that no fitting mount brings to
// the node, each with what to type.
func MountProblems(m *manifest.File) (out []Problem) {
	for _, a := range auditPaths(m) {
		wrong := func(format string, args ...any) {
			out = append(out, Problem{Flags: []string{a.flag}, Message: fmt.Sprintf(format, args...), Hint: hint.Command("enable")})
		}
		switch {
		case a.at == nil:
		case !a.at.Covered():
			wrong("no mount brings --%s=%s to the node", a.flag, Inspect(m).Flags[a.flag])
		case a.write && a.kind == KindFile:
			wrong("the log file %s itself is mounted: it cannot be rotated", a.at.Path)
		case a.write && a.at.Mount.ReadOnly:
			wrong("the mount %s of --%s is read-only", a.at.Mount.MountPath, a.flag)
		}
	}
	return append(out, typeProblems(m)...)
}

// typeProblems lists the volumes of audit paths whose type does not fit what lies
// there: the kubelet makes no container with them.
func typeProblems(m *manifest.File) (out []Problem) {
	for _, a := range auditPaths(m) {
		fault := typeFault(a.at, a.kind)
		if fault == "" {
			continue
		}
		line, col := m.VolumeAt(a.at.Volume.Name)
		next := hint.Command("enable")
		if !mendable(m, a.at) {
			next = typeHint(a.at, a.kind)
		}
		out = append(out, Problem{Flags: []string{a.flag}, Message: fmt.Sprintf("%s:%d:%d: %s", m.Name(), line, col, fault), Hint: next})
	}
	return out
}

// CheckOwner refuses a Pod that another file defines too, or that another
// program writes anew.
func CheckOwner(m *manifest.File, s State) error {
	if err := checkManagedBy(m); err != nil {
		return err
	}
	return checkSiblings(m, s)
}
