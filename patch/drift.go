package patch

import (
	"fmt"
	"path"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
)

// audited is one path of the audit flags and what has to be there.
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
			wrong("no hostPath mount covers --%s=%s", a.flag, Inspect(m).Flags[a.flag])
		case a.write && a.at.Mount.ReadOnly:
			wrong("the mount %s of --%s is read-only", a.at.Mount.MountPath, a.flag)
		}
	}
	return append(out, typeProblems(m)...)
}

// typeProblems lists the volumes of audit paths whose type does not fit what is
// there: the kubelet does not start the container with them.
func typeProblems(m *manifest.File) (out []Problem) {
	for _, a := range auditPaths(m) {
		fault := typeFault(a.at, a.kind)
		if fault == "" {
			continue
		}
		line, col := m.VolumeAt(a.at.Volume.Name)
		next := hint.Command("enable")
		if !fixable(m, a.at) {
			next = typeHint(a.at, a.kind)
		}
		out = append(out, Problem{Flags: []string{a.flag}, Message: fmt.Sprintf("%s:%d:%d: %s", m.Name(), line, col, fault), Hint: next})
	}
	return out
}
