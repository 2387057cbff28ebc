package patch

import (
	"fmt"
	"path"
	"strings"

	"auditpatch/manifest"
)

// podManifests is where the kubelet that kubeadm sets up reads static Pods from.
const podManifests = "/etc/kubernetes/manifests/"

// folder is a directory of a node or of a container image that is not there for
// audit logs. self says what it is when the log would be right in it, within
// when it would be further down; "" where that does no harm.
type folder struct{ path, self, within string }

const (
	ofImage   = "it holds programs of the node or the image"
	ofKernel  = "the kernel and the container runtime manage it"
	ofSetting = "it holds configuration of the node or the image"
	ofKeys    = "it holds the cluster's keys"
	ofRuntime = "the kubelet and the container runtime work in it"
	ofPeople  = "it holds home directories"
	ofAnybody = "any user can create files in it, and they are cleaned up"
	shared    = "other programs keep their files in it"
)

// folders are those of the Filesystem Hierarchy Standard, those of Kubernetes,
// and what else is known to be in use. Of two that fit the longer one counts.
var folders = []folder{
	{"/", shared, ""},
	{"/bin", ofImage, ofImage}, {"/sbin", ofImage, ofImage}, {"/usr", ofImage, ofImage},
	{"/lib", ofImage, ofImage}, {"/lib32", ofImage, ofImage}, {"/lib64", ofImage, ofImage}, {"/libx32", ofImage, ofImage},
	{"/boot", ofImage, ofImage}, {"/snap", ofImage, ofImage}, {"/nix", ofImage, ofImage}, {"/go-runner", ofImage, ofImage},
	{"/dev", ofKernel, ofKernel}, {"/proc", ofKernel, ofKernel}, {"/sys", ofKernel, ofKernel}, {"/run", ofKernel, ofKernel},
	{"/var/run", ofKernel, ofKernel}, {"/var/lock", ofKernel, ofKernel}, {"/lost+found", ofKernel, ofKernel},
	{"/etc", ofSetting, ofSetting},
	{"/etc/kubernetes", ofKeys, ""}, {"/etc/kubernetes/pki", ofKeys, ofKeys},
	{"/etc/kubernetes/manifests", ofRuntime, ofRuntime}, {"/etc/kubernetes/tmp", "kubeadm keeps its backups in it", "kubeadm keeps its backups in it"},
	{"/root", ofPeople, ofPeople}, {"/home", ofPeople, ofPeople},
	{"/tmp", ofAnybody, ofAnybody}, {"/var/tmp", ofAnybody, ofAnybody},
	{"/mnt", shared, ""}, {"/media", shared, ""}, {"/opt", shared, ""}, {"/srv", shared, ""}, {"/opt/cni", ofRuntime, ofRuntime},
	{"/var", shared, ""}, {"/var/cache", shared, ""}, {"/var/spool", shared, ""}, {"/var/spool/cron", ofSetting, ofSetting}, {"/var/lib", shared, ""},
	{"/var/lib/kubelet", ofRuntime, ofRuntime}, {"/var/lib/containerd", ofRuntime, ofRuntime}, {"/var/lib/containers", ofRuntime, ofRuntime},
	{"/var/lib/docker", ofRuntime, ofRuntime}, {"/var/lib/crio", ofRuntime, ofRuntime}, {"/var/lib/cni", ofRuntime, ofRuntime},
	{"/var/lib/etcd", "it holds the cluster's data", "it holds the cluster's data"},
	{"/var/lib/dpkg", ofImage, ofImage}, {"/var/lib/rpm", ofImage, ofImage}, {"/var/lib/systemd", ofSetting, ofSetting},
	{"/var/log", "it holds the logs of the whole node", ""},
	{"/var/log/pods", ofRuntime, ofRuntime}, {"/var/log/containers", ofRuntime, ofRuntime},
	{"/var/log/journal", "the node's journal is written to it", "the node's journal is written to it"},
	{"/var/log/audit", "the node's auditd writes its own audit.log to it", ""},
}

// notForLogs says why a directory is no place for the log, "" when it is one.
func notForLogs(dir string) string {
	dir = path.Clean(dir)
	f := folder{}
	for _, known := range folders {
		if under(dir, known.path) && len(known.path) >= len(f.path) {
			f = known
		}
	}
	switch {
	case f.path == dir:
		return f.self
	case f.within != "":
		return f.within
	}
	return ""
}

// occupied are files that image, node or container runtime need, besides all in
// the folders of programs and of the kernel: no file of auditing may take their
// place.
var occupied = []string{
	"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
	"/etc/nsswitch.conf", "/etc/fstab", "/etc/sudoers", "/etc/machine-id", "/etc/crontab",
}

// notForFiles says why a policy or webhook config must not be at a path, "" when
// it may.
func notForFiles(file string) string {
	switch why := notForLogs(file); {
	case why == ofImage, why == ofKernel:
		return why
	}
	for _, f := range occupied {
		if path.Clean(file) == f {
			return "the node or the image needs the file at that path"
		}
	}
	return ""
}

// below tells whether p is below dir, and is not dir itself.
func below(p, dir string) bool { return under(p, dir) && path.Clean(p) != path.Clean(dir) }

// checkPlace refuses a log folder or a file's path that something else needs. A
// log that the API server writes there already is a reason for a warning only,
// as long as nothing has to be made writable for it.
func (p *planner) checkPlace(n need, l Location) error {
	why := p.placeFault(n, l)
	if why == "" {
		return nil
	}
	message := fmt.Sprintf("--%s=%s: %s", n.flag, p.desired[n.flag], why)
	if line := p.current.Line[n.flag]; line > 0 && p.current.Flags[n.flag] == p.desired[n.flag] {
		message = fmt.Sprintf("%s:%d: %s", p.m.Name(), line, message)
	}
	next := p.propose(n.flag, nil)
	if p.runsSo(n, l) {
		p.plan.Warnings = append(p.plan.Warnings, Problem{Flags: []string{n.flag}, Message: message, Hint: next.As("enable")})
		return nil
	}
	return refuse(next, "%s", message)
}

// runsSo tells whether the manifest has this path already, in a mount that does.
func (p *planner) runsSo(n need, l Location) bool {
	return p.current.Flags[n.flag] == p.desired[n.flag] && l.Covered() && !(n.write && l.Mount.ReadOnly)
}

// placeFault says what else needs the place, "" when nothing does.
func (p *planner) placeFault(n need, l Location) string {
	host := path.Clean(n.path)
	if l.Covered() {
		host = path.Clean(l.Host)
	}
	if !n.write {
		return p.fileFault(n, l, host)
	}
	what := "the folder would be mounted writable"
	if p.runsSo(n, l) {
		what = "the folder is mounted writable"
	}
	for _, dir := range []string{n.path, host} {
		if why := notForLogs(dir); why != "" {
			return fmt.Sprintf("%s, and %s is not a suitable place for it: %s", what, path.Clean(dir), why)
		}
	}
	if flag, file := p.heldBy(n, path.Clean(n.path), host); flag != "" {
		return fmt.Sprintf("%s, and %s of --%s lies in it", what, file, flag)
	}
	if other := p.mountWithin(n.path, l); other != "" {
		return fmt.Sprintf("%s, and the mount %s lies in it", what, other)
	}
	for _, own := range []string{p.manifests(), p.state.StateDir} {
		if own != "" && under(own, host) {
			return fmt.Sprintf("%s, and %s lies in it", what, own)
		}
	}
	return p.inState(host)
}

// fileFault is placeFault for a file, which is mounted alone and read-only. What
// an existing mount brings already does no harm there.
func (p *planner) fileFault(n need, l Location, host string) string {
	if p.runsSo(n, l) {
		return ""
	}
	for _, file := range []string{n.path, host} {
		if why := notForFiles(file); why != "" {
			return fmt.Sprintf("%s is not a suitable place for it: %s", path.Clean(file), why)
		}
		if why := kubeconfigOf(path.Clean(file)); why != "" && n.flag == webhookFlag {
			return why + ", and events would be posted where it leads, with its rights"
		}
	}
	if other := p.mountWithin(n.path, l); other != "" {
		return fmt.Sprintf("it is a folder: the mount %s lies in it", other)
	}
	if flag, file := p.heldBy(n, path.Clean(n.path), host); flag != "" {
		return fmt.Sprintf("%s of --%s lies there", file, flag)
	}
	return p.inState(host)
}

// inState says that a path is where auditpatch keeps its own files.
func (p *planner) inState(host string) string {
	if dir := p.state.StateDir; dir != "" && under(host, dir) {
		return fmt.Sprintf("it lies in %s, where auditpatch keeps its backups", dir)
	}
	return ""
}

// heldBy finds a flag whose file is at or below a path, of the container or of
// the node.
func (p *planner) heldBy(n need, at, host string) (flag, file string) {
	for _, f := range p.m.Flags() {
		if strings.HasPrefix(f.Name, "audit-") {
			continue
		}
		for _, file := range pathsIn(f.Value) {
			if l := locate(p.m, file); under(file, at) || l.Covered() && under(l.Host, host) {
				return f.Name, file
			}
		}
	}
	for _, name := range []string{policyFlag, webhookFlag, logFlag} {
		file := p.desired[name]
		if name == n.flag || file == "" || file == "-" {
			continue
		}
		if l := locate(p.m, file); under(file, at) || l.Covered() && under(l.Host, host) {
			return name, file
		}
	}
	return "", ""
}

// pathsIn are the paths in a word of a command line or a value of the environment:
// alone, behind a flag's name, in a list, or of a socket.
func pathsIn(value string) (out []string) {
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("=,:; \t\n\"'", r) }) {
		if path.IsAbs(part) && path.Clean(part) != "/" {
			out = append(out, path.Clean(part))
		}
	}
	return out
}

// mountWithin finds another mount of the container at or below a path. l is what
// brings the path itself.
func (p *planner) mountWithin(at string, l Location) string {
	for _, m := range p.m.Container().VolumeMounts {
		if under(m.MountPath, at) && (l.Mount == nil || m.MountPath != l.Mount.MountPath) {
			return m.MountPath
		}
	}
	return ""
}

// manifests is the directory that the kubelet reads.
func (p *planner) manifests() string {
	if dir := path.Dir(p.state.Manifest.Path); path.IsAbs(dir) {
		return dir
	}
	return strings.TrimSuffix(podManifests, "/")
}

// Places warns of an audit log in a folder that something else needs, and of one that
// has no folder of its own.
func Places(m *manifest.File, s State) []Problem {
	p := newPlanner("", m, s, Options{})
	p.plan.Warnings = nil
	for name, value := range p.current.Flags {
		p.desired[name] = value
	}
	for _, n := range p.needs() {
		if _, mounted, _ := p.fileMounted(n); mounted {
			continue // a fault of the mount is among the MountProblems
		}
		if l := locate(m, n.path); n.write && p.runsSo(n, l) {
			_ = p.checkPlace(n, l) // a log that runs so is only warned of
		}
	}
	return p.plan.Warnings
}
