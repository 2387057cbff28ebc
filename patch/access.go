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

// access is what the API server's process may do with files.
type access struct {
	uid, gid int
	groups   []int // supplementary ones; a mounted hostPath does not get the Pod's fsGroup, the process does
	// override and search are root's capabilities to bypass permissions: all of
	// them, or those for reading. Without them root is an ordinary user.
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

// capable tells whether a container has a capability; byDefault says whether the
// container runtime grants it. A capability that is dropped by name stays dropped,
// and one that is added by name survives a drop of ALL (containerd pkg/cri; CRI-O
// does the same).
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

// allows tells whether the process has all permissions in bits for a file with
// this mode and owner. The first class that matches decides, as in the kernel.
func (a access) allows(f File, bits uint32) bool {
	searches := f.Mode.Perm()&0o111 != 0 || f.Dir
	switch {
	case a.unknown, a.override && (bits&maySearch == 0 || searches), a.search && bits&mayWrite == 0 && (bits&maySearch == 0 || f.Dir):
		return true
	}
	return uint32(f.Mode.Perm())>>a.class(f)&bits == bits
}

// class is the shift of the permission bits of the class that decides.
func (a access) class(f File) int {
	switch {
	case a.uid == f.UID:
		return 6
	case a.gid == f.GID || slices.Contains(a.groups, f.GID):
		return 3
	}
	return 0
}

// grantRead changes the owner or mode of a file that is about to be replaced, so
// that the process can read it, and describes the change; "" if it can already.
// Everyone who could read the file still can: root always can, and the group is
// replaced only if it had no permissions.
func (a access) grantRead(c *Change) string {
	if a.allows(File{Mode: c.Mode, UID: c.UID, GID: c.GID}, mayRead) {
		return ""
	}
	if c.UID != 0 && c.UID != a.uid && c.Mode&0o070 == 0 {
		c.GID, c.Mode = a.gid, c.Mode|0o040
	} else {
		c.UID, c.Mode = a.uid, c.Mode|0o400
	}
	return fmt.Sprintf("%04o %d:%d, so that the API server can read it", c.Mode.Perm(), c.UID, c.GID)
}

// denied is the error for a file that the process needs but may not use.
func (a access) denied(f File, what string, h hint.Hint) *Error {
	return refuse(h, "%s cannot be %s by the API server, which runs as user %d (it is %04o %d:%d)", f.Path, what, a.uid, f.Mode.Perm(), f.UID, f.GID)
}

// chown is the command that makes the process the owner of a file, with these
// permissions.
func (a access) chown(f File, rights string, bits fs.FileMode) (todo hint.Hint) {
	if f.UID != a.uid {
		todo = hint.Shell("chown %d %s", a.uid, hint.Path(f.Path))
	}
	if f.Mode&bits != bits {
		todo = todo.Then(" && ", hint.Shell("chmod %s %s", "u+"+rights, hint.Path(f.Path)))
	}
	return todo
}

// parentDirs are the directories between a mount and the files in it, which the API
// server's user has to traverse. Those above a mount do not matter, because the
// mount bypasses them.
func (p *planner) parentDirs() (out []string) {
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

// checkParentDirs refuses directories that the API server's user cannot traverse.
func (p *planner) checkParentDirs() error {
	for _, d := range p.parentDirs() {
		f := p.state.Files[d]
		if !f.Exists || p.access.allows(f, maySearch) {
			continue
		}
		who := map[int]string{6: "u", 3: "g", 0: "o"}[p.access.class(f)]
		return p.access.denied(f, "passed", hint.Shell("chmod %s %s", who+"+x", hint.Path(f.Path)))
	}
	return nil
}

// checkUser refuses to create files for an unknown user.
func (p *planner) checkUser() error {
	for _, c := range p.plan.Changes {
		if p.access.unknown && !c.Old.Exists {
			return refuse(hint.Words("write \"runAsUser: UID\" beside runAsNonRoot"),
				"%s: the Pod sets runAsNonRoot but no runAsUser, so it is not known which user has to read %s", p.m.Name(), c.Path)
		}
	}
	return nil
}

// Unusable lists what the API server's user cannot read or write, of the files
// in s.Files that the manifest names, each with what to type.
func Unusable(m *manifest.File, s State) (out []Problem) {
	a, now := accessOf(m), Inspect(m)
	denied := func(flag string, f File, what string, h hint.Hint) {
		out = append(out, Problem{Flags: []string{flag}, Message: a.denied(f, what, nil).Reason, Hint: h})
	}
	for _, named := range []struct {
		flag string
		at   *Location
	}{{policyFlag, now.Policy}, {webhookFlag, now.Webhook}} {
		if !named.at.Covered() {
			continue
		}
		if f := s.Files[path.Clean(named.at.Host)]; f.Exists && !f.Dir && !a.allows(f, mayRead) {
			denied(named.flag, f, "read", a.chown(f, "r", 0o400))
		}
	}
	if !now.Log.Covered() {
		return out
	}
	file := path.Clean(now.Log.Host)
	if f := s.Files[path.Dir(file)]; f.Dir && !a.allows(f, mayRead|mayWrite|maySearch) {
		denied(logFlag, f, "written", hint.Shell("chown %d:%d %s", a.uid, a.gid, hint.Path(f.Path)))
	}
	if f := s.Files[file]; f.Exists && !f.Dir && !a.allows(f, mayRead|mayWrite) {
		denied(logFlag, f, "written", a.chown(f, "rw", 0o600))
	}
	return out
}
