package patch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/manifest"
)

// need is one path that the API server has to see.
type need struct {
	flag   string
	path   string // in the container
	volume string // name of a new volume
	kind   corev1.HostPathType
	write  bool
}

// needs lists what the wanted flags make necessary. The log's directory is
// mounted, never the file: a mounted file cannot be renamed, so it would
// never rotate.
func (p *planner) needs() []need {
	var out []need
	if v := p.want[policyFlag]; v != "" {
		out = append(out, need{policyFlag, v, "audit", corev1.HostPathFile, false})
	}
	if v := p.want[logFlag]; v != "" && v != "-" {
		dir := strings.TrimSuffix(path.Dir(v), "/") + "/"
		out = append(out, need{logFlag, dir, "audit-log", corev1.HostPathDirectoryOrCreate, true})
	}
	if v := p.want[webhookFlag]; v != "" {
		out = append(out, need{webhookFlag, v, "audit-webhook", corev1.HostPathFile, false})
	}
	return out
}

// mounts plans what brings the files into the container, and takes out what
// an earlier path had needed.
func (p *planner) mounts() error {
	var mounts, volumes []manifest.Edit
	needs := p.needs()
	taken := p.volumeNames()
	for _, n := range needs {
		host, m, v, err := p.cover(n, taken)
		if err != nil {
			return err
		}
		mounts, volumes = append(mounts, m...), append(volumes, v...)
		switch n.flag {
		case policyFlag:
			p.policyHost = host
		case logFlag:
			p.logHost = host
		case webhookFlag:
			p.webhookHost = host
		}
	}
	keep := map[string]bool{}
	for _, at := range []string{p.want[policyFlag], p.want[webhookFlag], p.want[logFlag], path.Dir(p.want[logFlag])} {
		if l := locate(p.m, at); at != "" && l.Mount != nil {
			keep[l.Mount.MountPath] = true
		}
	}
	p.dropStale(keep, &leftovers{})
	p.plan.Edits = append(append(p.plan.Edits, mounts...), volumes...)
	return nil
}

func (p *planner) volumeNames() map[string]bool {
	names := map[string]bool{}
	for _, v := range p.m.Pod().Spec.Volumes {
		names[v.Name] = true
	}
	return names
}

// cover makes sure that a path of the container lies on the node: by a mount
// that is there in the right mode, or by a new one. It returns where.
func (p *planner) cover(n need, taken map[string]bool) (host string, mounts, volumes []manifest.Edit, err error) {
	if host, mounted, err := p.fileMounted(n); mounted || err != nil {
		return host, nil, nil, err
	}
	l := locate(p.m, n.path)
	if l.Mount == nil {
		mounts, volumes = p.bring(n, taken)
		return path.Clean(n.path), mounts, volumes, nil
	}
	at := p.mountPosition(l)
	exact := path.Clean(l.Mount.MountPath) == path.Clean(n.path)
	switch {
	case !l.Covered():
		return "", nil, nil, refuse(fmt.Sprintf("--%s=%s", n.flag, defaultOf(n.flag)),
			"%s: --%s: the mount %s covers it, and its volume %q is not a hostPath: the file would not lie on the node",
			at, n.flag, l.Mount.MountPath, l.Mount.Name)
	case exact && !p.now.Enabled():
		p.found.mounts = append(p.found.mounts, l.Mount.MountPath)
		p.found.volumes = append(p.found.volumes, l.Mount.Name)
	}
	if n.write && l.Mount.ReadOnly {
		if !exact {
			return "", nil, nil, refuse(fmt.Sprintf("--%s=%s", n.flag, defaultOf(n.flag)),
				"%s: --%s: the mount %s covers it, and is read-only", at, n.flag, l.Mount.MountPath)
		}
		writable := *l.Mount
		writable.ReadOnly = false
		mounts = []manifest.Edit{manifest.DropMount{MountPath: l.Mount.MountPath}, manifest.AddMount{Mount: writable}}
	}
	return path.Clean(l.Host), mounts, nil, nil
}

// fileMounted tells whether the log file itself is mounted: it cannot be
// renamed then, so it never rotates. What the manifest has stays, with a
// warning; a path that the user gives is refused.
func (p *planner) fileMounted(n need) (host string, mounted bool, err error) {
	file := p.want[logFlag]
	if n.flag != logFlag {
		return "", false, nil
	}
	if path.Clean(n.path) == "/" {
		return "", false, refuse("--"+logFlag+"="+DefaultLogPath, "--%s=%s: the log needs a directory of its own", logFlag, file)
	}
	l := locate(p.m, file)
	if l.Mount == nil || path.Clean(l.Mount.MountPath) != path.Clean(file) {
		return "", false, nil
	}
	why := fmt.Sprintf("%s: --%s: the log file itself is mounted, so it cannot be rotated and events are lost once it is full; its directory has to be mounted", p.mountPosition(l), logFlag)
	hint := "--" + logFlag + "=" + DefaultLogPath
	if _, asked := p.opts.Flags[logFlag]; asked || !l.Covered() {
		return "", true, refuse(hint, "%s", why)
	}
	p.plan.Warnings = append(p.plan.Warnings, Problem{Flags: []string{logFlag}, Message: why, Hint: "auditpatch enable " + hint})
	return path.Dir(path.Clean(l.Host)), true, nil
}

// mountPosition is file:line:col of a mount.
func (p *planner) mountPosition(l Location) string {
	line, col := p.m.MountAt(l.Mount.MountPath)
	return fmt.Sprintf("%s:%d:%d", p.m.Name(), line, col)
}

func defaultOf(flag string) string {
	switch flag {
	case policyFlag:
		return DefaultPolicyPath
	case webhookFlag:
		return DefaultWebhookPath
	}
	return DefaultLogPath
}

// bring plans a new mount, with a new volume or with one that brings the same
// path of the node already.
func (p *planner) bring(n need, taken map[string]bool) (mounts, volumes []manifest.Edit) {
	name := ""
	for _, v := range p.m.Pod().Spec.Volumes {
		if v.HostPath != nil && path.Clean(v.HostPath.Path) == path.Clean(n.path) && name == "" {
			name = v.Name
			if !p.now.Enabled() {
				p.found.volumes = append(p.found.volumes, v.Name)
			}
		}
	}
	if name == "" {
		name = freeName(n.volume, taken)
		taken[name] = true
		volumes = append(volumes, manifest.AddVolume{Volume: corev1.Volume{
			Name:         name,
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: n.path, Type: &n.kind}},
		}})
	}
	mounts = append(mounts, manifest.AddMount{Mount: corev1.VolumeMount{Name: name, MountPath: n.path, ReadOnly: !n.write}})
	return mounts, volumes
}

// freeName gives a name a number when something else has it.
func freeName(name string, taken map[string]bool) string {
	free := name
	for i := 2; taken[free]; i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	return free
}

// dropStale takes out the mounts that only the present audit paths need, and
// their volumes, except those in keep and those that were there before.
func (p *planner) dropStale(keep map[string]bool, before *leftovers) {
	gone := map[string]bool{}
	for _, m := range p.m.Container().VolumeMounts {
		if !p.onlyForAudit(m) || keep[m.MountPath] || slices.Contains(before.mounts, m.MountPath) {
			continue
		}
		gone[m.MountPath] = true
		p.edit(manifest.DropMount{MountPath: m.MountPath})
	}
	for _, v := range p.m.Pod().Spec.Volumes {
		if p.lastUse(v.Name, gone) && !slices.Contains(before.volumes, v.Name) {
			p.edit(manifest.DropVolume{Name: v.Name})
		}
	}
}

// onlyForAudit tells whether a mount is of exactly one of the paths that the
// manifest's audit flags name, and of the node.
func (p *planner) onlyForAudit(m corev1.VolumeMount) bool {
	at := path.Clean(m.MountPath)
	exact := false
	for _, l := range []*Location{p.now.Policy, p.now.Webhook, p.now.Log} {
		exact = exact || l != nil && at == path.Clean(l.Path)
	}
	exact = exact || p.now.Log != nil && at == path.Dir(path.Clean(p.now.Log.Path))
	if !exact {
		return false // before the volume is looked for: a Pod may have thousands
	}
	if v := volume(p.m, m.Name); v == nil || v.HostPath == nil {
		return false
	}
	for _, f := range p.m.Flags() {
		if !strings.HasPrefix(f.Name, "audit-") && path.IsAbs(f.Value) && under(f.Value, at) {
			return false
		}
	}
	return true
}

// lastUse tells whether the mounts that go are all that use a volume.
func (p *planner) lastUse(name string, gone map[string]bool) bool {
	if len(gone) == 0 {
		return false
	}
	used := false
	spec := p.m.Pod().Spec
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, m := range c.VolumeMounts {
			if m.Name != name {
				continue
			}
			if c.Name != p.m.Container().Name || !gone[m.MountPath] {
				return false
			}
			used = true
		}
	}
	return used
}
