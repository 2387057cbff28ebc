package patch

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
)

// access is what the kernel lets the API server's process do with files.
type access struct {
	uid, gid int
	groups   []int // supplementary ones; a mounted hostPath does not get the Pod's fsGroup, the process does
	// override and search are root's capabilities to pass over permissions: all of
	// them, and those to read. A root without them is bound like anybody else.
	override, search bool
	// unknown is set when the image names the user, and it is not root.
	unknown bool
}

// Permission bits as the kernel checks them.
const (
	mayRead   = 4
	mayWrite  = 2
	maySearch = 1
)

// accessOf reads the Pod's and the container's security contexts.
func accessOf(m *manifest.File) access {
	a := access{}
	a.uid, a.gid = runsAs(m)
	nonRoot, named := false, false
	if p := m.Pod().Spec.SecurityContext; p != nil {
		for _, g := range p.SupplementalGroups {
			a.groups = append(a.groups, int(g))
		}
		if p.FSGroup != nil {
			a.groups = append(a.groups, int(*p.FSGroup))
		}
		nonRoot, named = p.RunAsNonRoot != nil && *p.RunAsNonRoot, p.RunAsUser != nil
	}
	c := m.Container().SecurityContext
	if c != nil {
		if c.RunAsNonRoot != nil {
			nonRoot = *c.RunAsNonRoot
		}
		named = named || c.RunAsUser != nil
	}
	a.unknown = nonRoot && !named
	a.override = a.uid == 0 && capable(c, "DAC_OVERRIDE", true)
	a.search = a.override || a.uid == 0 && capable(c, "DAC_READ_SEARCH", false)
	return a
}

// capable tells whether a container has a capability; byDefault, whether the
// container runtime gives it. What is dropped by name stays dropped, what is added
// by name outlives a drop of all (containerd pkg/cri, CRI-O the same).
func capable(c *corev1.SecurityContext, name string, byDefault bool) bool {
	if c == nil || c.Privileged != nil && *c.Privileged || c.Capabilities == nil {
		return byDefault || c != nil && c.Privileged != nil && *c.Privileged
	}
	lists := func(list []corev1.Capability, name string) bool {
		return slices.ContainsFunc(list, func(c corev1.Capability) bool {
			return strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_") == name
		})
	}
	switch {
	case lists(c.Capabilities.Drop, name):
		return false
	case lists(c.Capabilities.Add, name), lists(c.Capabilities.Add, "ALL"):
		return true
	case lists(c.Capabilities.Drop, "ALL"):
		return false
	}
	return byDefault
}

// may tells whether the process may do all of bits with what has this mode and
// owner. The first class that fits decides, as in the kernel.
func (a access) may(f File, bits uint32) bool {
	searches := f.Mode.Perm()&0o111 != 0 || f.Dir
	switch {
	case a.unknown, a.override && (bits&maySearch == 0 || searches), a.search && bits&mayWrite == 0 && (bits&maySearch == 0 || f.Dir):
		return true
	}
	return uint32(f.Mode.Perm())>>a.class(f)&bits == bits
}

// class is how far the mode's bits of the class that decides are shifted.
func (a access) class(f File) int {
	switch {
	case a.uid == f.UID:
		return 6
	case a.gid == f.GID || slices.Contains(a.groups, f.GID):
		return 3
	}
	return 0
}

// give changes owner or mode of a file that is written anew, so that the process
// can read it, and says so; "" when it can already. Whoever could read the file
// still can: root in any case, another owner since only a group that had no
// rights is replaced.
func (a access) give(c *Change) string {
	if a.may(File{Mode: c.Mode, UID: c.UID, GID: c.GID}, mayRead) {
		return ""
	}
	if c.UID != 0 && c.UID != a.uid && c.Mode&0o070 == 0 {
		c.GID, c.Mode = a.gid, c.Mode|0o040
	} else {
		c.UID, c.Mode = a.uid, c.Mode|0o400
	}
	return fmt.Sprintf("%04o %d:%d, so that the API server can read it", c.Mode.Perm(), c.UID, c.GID)
}

// barred refuses something that the process needs and must not use as it is.
func (a access) barred(f File, what string, h hint.Hint) *Error {
	return refuse(h, "%s cannot be %s by the API server, which runs as user %d (it is %04o %d:%d)", f.Path, what, a.uid, f.Mode.Perm(), f.UID, f.GID)
}

// chown is what gives a file to the process, with the rights of its owner.
func (a access) chown(f File, rights string, bits fs.FileMode) (todo hint.Hint) {
	if f.UID != a.uid {
		todo = hint.Shell("chown %d %s", a.uid, hint.Path(f.Path))
	}
	if f.Mode&bits != bits {
		todo = todo.Then(" && ", hint.Shell("chmod %s %s", "u+"+rights, hint.Path(f.Path)))
	}
	return todo
}

// passages are the directories between a mount and the files in it: the API
// server's user has to get through them. Those above a mount do not matter, since
// the mount leads past them.
func (p *planner) passages() (out []string) {
	if p.access.search || p.access.unknown {
		return nil
	}
	for _, n := range p.needs() {
		l := locate(p.m, n.path)
		if !l.Covered() {
			continue
		}
		top := path.Join(l.Volume.HostPath.Path, l.Mount.SubPath)
		for d := path.Dir(path.Clean(l.Host)); under(d, top) && !slices.Contains(out, d); d = path.Dir(d) {
			out = append(out, d)
		}
	}
	return out
}

// checkPassages refuses directories that the API server's user cannot get
// through.
func (p *planner) checkPassages() error {
	for _, d := range p.passages() {
		f := p.state.Files[d]
		if !f.Exists || p.access.may(f, maySearch) {
			continue
		}
		who := map[int]string{6: "u", 3: "g", 0: "o"}[p.access.class(f)]
		return p.access.barred(f, "passed", hint.Shell("chmod %s %s", who+"+x", hint.Path(f.Path)))
	}
	return nil
}

// checkUser refuses to make files for a user who is not known.
func (p *planner) checkUser() error {
	for _, c := range p.plan.Changes {
		if p.access.unknown && !c.Old.Exists {
			return refuse(hint.Words("write \"runAsUser: UID\" beside runAsNonRoot"),
				"%s: the Pod says runAsNonRoot and no runAsUser: which user has to read %s is not known", p.m.Name(), c.Path)
		}
	}
	return nil
}

// Unusable lists what the API server's user cannot read or write, of the files
// in s.Files that the manifest names, each with what to type.
func Unusable(m *manifest.File, s State) (out []Problem) {
	a, now := accessOf(m), Inspect(m)
	barred := func(flag string, f File, what string, h hint.Hint) {
		out = append(out, Problem{Flags: []string{flag}, Message: a.barred(f, what, nil).Reason, Hint: h})
	}
	for _, named := range []struct {
		flag string
		at   *Location
	}{{policyFlag, now.Policy}, {webhookFlag, now.Webhook}} {
		if !named.at.Covered() {
			continue
		}
		if f := s.Files[path.Clean(named.at.Host)]; f.Exists && !f.Dir && !a.may(f, mayRead) {
			barred(named.flag, f, "read", a.chown(f, "r", 0o400))
		}
	}
	if !now.Log.Covered() {
		return out
	}
	file := path.Clean(now.Log.Host)
	if f := s.Files[path.Dir(file)]; f.Dir && !a.may(f, mayRead|mayWrite|maySearch) {
		barred(logFlag, f, "written", hint.Shell("chown %d:%d %s", a.uid, a.gid, hint.Path(f.Path)))
	}
	if f := s.Files[file]; f.Exists && !f.Dir && !a.may(f, mayRead|mayWrite) {
		barred(logFlag, f, "written", a.chown(f, "rw", 0o600))
	}
	return out
}
