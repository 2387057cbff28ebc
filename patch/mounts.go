package patch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/internal/hint"
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
	if v := p.desired[policyFlag]; v != "" {
		out = append(out, need{policyFlag, v, "audit", corev1.HostPathFile, false})
	}
	if v := p.desired[logFlag]; v != "" && v != "-" {
		dir := strings.TrimSuffix(path.Dir(v), "/") + "/"
		out = append(out, need{logFlag, dir, "audit-log", corev1.HostPathDirectoryOrCreate, true})
	}
	if v := p.desired[webhookFlag]; v != "" {
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
	for _, at := range []string{p.desired[policyFlag], p.desired[webhookFlag], p.desired[logFlag], path.Dir(p.desired[logFlag])} {
		if l := locate(p.m, at); at != "" && l.Mount != nil {
			keep[l.Mount.MountPath] = true
		}
	}
	before := decodePreexisting(p.current.Annotations[PreexistingAnnotation])
	p.dropStale(keep, before)
	p.restoreReadOnly(keep, before)
	p.plan.Edits = append(append(p.plan.Edits, mounts...), volumes...)
	return nil
}

// restoreReadOnly makes a mount read-only again if it was read-only before the log
// was put there.
func (p *planner) restoreReadOnly(keep map[string]bool, before *preexisting) {
	for _, m := range p.m.Container().VolumeMounts {
		if slices.Contains(before.readOnly, m.MountPath) && !keep[m.MountPath] && !m.ReadOnly {
			p.edit(manifest.SetMountReadOnly{MountPath: m.MountPath, ReadOnly: true})
		}
	}
}

func (p *planner) volumeNames() map[string]bool {
	names := map[string]bool{}
	for _, v := range p.m.Pod().Spec.Volumes {
		names[v.Name] = true
	}
	return names
}

// lies is the kind of what is at the path.
func (n need) lies() string {
	if n.kind == corev1.HostPathFile {
		return KindFile
	}
	return KindDirectory
}

// cover makes sure that a path of the container is on the node: by a mount
// that is there in the right mode, or by a new one. It returns where.
func (p *planner) cover(n need, taken map[string]bool) (host string, mounts, volumes []manifest.Edit, err error) {
	if host, mounted, err := p.fileMounted(n); mounted || err != nil {
		return host, nil, nil, err
	}
	l := locate(p.m, n.path)
	if err := p.checkPlace(n, l); err != nil {
		return "", nil, nil, err
	}
	if l.Mount == nil {
		mounts, volumes = p.addMount(n, taken)
		return path.Clean(n.path), mounts, volumes, nil
	}
	at := p.mountPosition(l)
	exact := path.Clean(l.Mount.MountPath) == path.Clean(n.path)
	switch {
	case !l.Covered() && l.Mount.SubPathExpr != "":
		return "", nil, nil, refuse(p.propose(n.flag, p.editMount(l)), "%s: --%s: the mount %s covers it with a subPathExpr, so its path on the node is not known", at, n.flag, l.Mount.MountPath)
	case !l.Covered():
		return "", nil, nil, refuse(p.propose(n.flag, p.editMount(l)),
			"%s: --%s: the mount %s covers it, and its volume %q is not a hostPath: the file would not be on the node",
			at, n.flag, l.Mount.MountPath, l.Mount.Name)
	case exact && !p.current.Enabled():
		p.preexisting.mounts = append(p.preexisting.mounts, l.Mount.MountPath)
		p.preexisting.volumes = append(p.preexisting.volumes, l.Mount.Name)
	}
	if volumes, err = p.fitType(n, &l); err != nil {
		return "", nil, nil, err
	}
	if n.write && l.Mount.ReadOnly {
		if mounts, err = p.makeWritable(n, &l); err != nil {
			return "", nil, nil, err
		}
	}
	return path.Clean(l.Host), mounts, volumes, nil
}

// fitType gives the volume of an existing mount the type that the kubelet's
// check lets pass, where it serves nothing else.
func (p *planner) fitType(n need, l *Location) ([]manifest.Edit, error) {
	kind := n.lies()
	fault := typeFault(l, kind)
	if fault == "" {
		return nil, nil
	}
	if !fixable(p.m, l) {
		line, col := p.m.VolumeAt(l.Volume.Name)
		return nil, refuse(typeHint(l, kind), "%s:%d:%d: --%s: %s", p.m.Name(), line, col, n.flag, fault)
	}
	p.preexisting.types = append(p.preexisting.types, l.Volume.Name+"/"+string(typeOf(l.Volume)))
	return []manifest.Edit{manifest.SetVolumeType{Name: l.Volume.Name, Type: typeWanted(kindNeeded(l, kind))}}, nil
}

// makeWritable turns a read-only mount round that is there for the log and
// nothing else: the manifest writes its log there already, or it is a folder
// for logs.
func (p *planner) makeWritable(n need, l *Location) ([]manifest.Edit, error) {
	at, mount := p.mountPosition(*l), l.Mount
	inUse := p.current.Log != nil && path.Dir(path.Clean(p.current.Log.Path)) == path.Clean(n.path)
	switch {
	case path.Clean(mount.MountPath) != path.Clean(n.path):
		return nil, refuse(p.propose(n.flag, p.editMount(*l)), "%s: --%s: the mount %s covers it, and is read-only", at, n.flag, mount.MountPath)
	case !inUse && !below(l.Host, "/var/log"):
		return nil, refuse(p.propose(n.flag, p.editMount(*l)), "%s: --%s: the mount %s is read-only and serves something else, so it is not made writable", at, n.flag, mount.MountPath)
	case mount.RecursiveReadOnly != nil && *mount.RecursiveReadOnly != corev1.RecursiveReadOnlyDisabled:
		return nil, refuse(p.propose(n.flag, p.editMount(*l)), "%s: --%s: the mount %s is read-only with all below it (recursiveReadOnly)", at, n.flag, mount.MountPath)
	}
	p.preexisting.readOnly = append(p.preexisting.readOnly, mount.MountPath)
	return []manifest.Edit{manifest.SetMountReadOnly{MountPath: mount.MountPath, ReadOnly: false}}, nil
}

// fileMounted tells whether the log file itself is mounted: it cannot be
// renamed then, so it never rotates. What the manifest has stays, with a
// warning; a path that the user gives is refused.
func (p *planner) fileMounted(n need) (host string, mounted bool, err error) {
	file := p.desired[logFlag]
	if n.flag != logFlag {
		return "", false, nil
	}
	if path.Clean(n.path) == "/" {
		return "", false, refuse(p.propose(logFlag, hint.Flag(logFlag, DefaultLogPath)), "--%s=%s: the log needs a directory of its own", logFlag, file)
	}
	l := locate(p.m, file)
	if l.Mount == nil || path.Clean(l.Mount.MountPath) != path.Clean(file) {
		return "", false, nil
	}
	if fault := typeFault(&l, KindFile); fault != "" {
		line, col := p.m.VolumeAt(l.Volume.Name)
		return "", true, refuse(typeHint(&l, KindFile), "%s:%d:%d: --%s: %s", p.m.Name(), line, col, n.flag, fault)
	}
	why := fmt.Sprintf("%s: --%s: the log file itself is mounted, so it cannot be rotated and events are lost once it is full; its directory has to be mounted", p.mountPosition(l), logFlag)
	next := p.propose(logFlag, p.editMount(l))
	if _, asked := p.opts.Flags[logFlag]; asked || !l.Covered() {
		return "", true, refuse(next, "%s", why)
	}
	if l.Mount.ReadOnly {
		return "", true, refuse(next, "%s: --%s: the mount of the log file is read-only", p.mountPosition(l), logFlag)
	}
	p.plan.Warnings = append(p.plan.Warnings, Problem{Flags: []string{logFlag}, Message: why, Hint: next.As("enable")})
	return path.Dir(path.Clean(l.Host)), true, nil
}

// mountPosition is file:line:col of a mount.
func (p *planner) mountPosition(l Location) string {
	line, col := p.m.MountAt(l.Mount.MountPath)
	return fmt.Sprintf("%s:%d:%d", p.m.Name(), line, col)
}

// addMount plans a new mount, with a new volume or with an existing one for the same
// path on the node.
func (p *planner) addMount(n need, taken map[string]bool) (mounts, volumes []manifest.Edit) {
	name := ""
	for _, v := range p.m.Pod().Spec.Volumes {
		h := HostPath{n.path, string(typeOf(&v)), v.Name}
		if v.HostPath != nil && path.Clean(v.HostPath.Path) == path.Clean(n.path) && name == "" && h.Fault(n.lies()) == "" {
			name = v.Name
			if !p.current.Enabled() {
				p.preexisting.volumes = append(p.preexisting.volumes, v.Name)
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
func (p *planner) dropStale(keep map[string]bool, before *preexisting) {
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
// manifest's audit flags name, and of the node. One of the log file itself is none that
// Enable makes, and stays with whoever made it.
func (p *planner) onlyForAudit(m corev1.VolumeMount) bool {
	at := path.Clean(m.MountPath)
	exact := false
	for _, l := range []*Location{p.current.Policy, p.current.Webhook} {
		exact = exact || l != nil && at == path.Clean(l.Path)
	}
	exact = exact || p.current.Log != nil && at == path.Dir(path.Clean(p.current.Log.Path))
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
