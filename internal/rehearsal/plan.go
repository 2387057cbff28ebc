package rehearsal

import (
	"fmt"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/proc"
	"auditpatch/patch"
)

func impossible(format string, a ...any) *Impossible {
	return &Impossible{Reason: fmt.Sprintf(format, a...)}
}

// spec is what the second API server is to be.
func (r Rehearsal) spec(port int) (spec, error) {
	running, err := runs(r.Server)
	if err != nil {
		return spec{}, err
	}
	if err := possible(r.Server, running); err != nil {
		return spec{}, err
	}
	if why := r.New.Server.Unlike(r.Server.Spec); why != "" {
		return spec{}, impossible("%s", why)
	}
	machine, err := os.Hostname()
	if err != nil {
		return spec{}, impossible("%v", err)
	}
	s := spec{PID: running.PID, Hostname: hostName(machine)}
	if r.logs() {
		s.Log = path.Clean(r.New.Log.Path)
	}
	if err := s.fill(r.Server.Host, running); err != nil {
		return spec{}, impossible("the API server that runs cannot be looked at: %v", err)
	}
	if r.sharesPorts() {
		s.Listen = net.JoinHostPort(r.loopback(), strconv.Itoa(port))
	}
	env := variables(s.Env)
	s.Env = r.environ(s.Env)
	s.Args = append(r.New.Server.ArgsIn(env), r.overrides(port)...)
	return s, r.addMounts(&s)
}

// runs is the one API server that runs with the manifest as it is.
func runs(s *apiserver.Server) (proc.Process, error) {
	all, err := s.Processes()
	if err != nil {
		return proc.Process{}, impossible("%v", err)
	}
	ending := s.Leaving(slices.Clone(all))
	all = slices.DeleteFunc(all, func(p proc.Process) bool { return slices.ContainsFunc(ending, p.Same) })
	if len(all) != 1 {
		return proc.Process{}, impossible("no kube-apiserver runs as the manifest has it, whose container could be used")
	}
	return all[0], nil
}

// fill takes from the API server that runs what the new one has in common with it.
func (s *spec) fill(h proc.Host, running proc.Process) (err error) {
	if s.Program, err = h.Program(running); err != nil {
		return err
	}
	if s.Dir, err = h.Dir(running); err != nil {
		return err
	}
	if s.Env, err = h.Environ(running); err != nil {
		return err
	}
	s.As, err = h.Credentials(running)
	return err
}

// variables are an environment by name.
func variables(env []string) map[string]string {
	out := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		out[name] = value
	}
	return out
}

// environ is the environment of the API server that runs, with the values of the new
// manifest.
func (r Rehearsal) environ(running []string) []string {
	was, is := r.Server.Spec.Env, r.New.Server.Env
	out := slices.DeleteFunc(slices.Clone(running), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, had := was[name]
		_, has := is[name]
		return had || has
	})
	for name, value := range is {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	if r.Serve == nil {
		return out
	}
	return withGodebug(out, "multipathtcp=0")
}

// withGodebug adds a setting to GODEBUG. The kernel takes no MPTCP listener into a map of
// sockets, and Go 1.24 and later make one.
func withGodebug(env []string, setting string) []string {
	for i, v := range env {
		switch {
		case v == "GODEBUG=":
			env[i] = v + setting
		case strings.HasPrefix(v, "GODEBUG="):
			env[i] = v + "," + setting
		default:
			continue
		}
		return env
	}
	return append(env, "GODEBUG="+setting)
}

// overrides come after the flags of the manifest, and the last value of a flag counts. They
// keep the second API server out of the way of the first: it listens elsewhere, leaves the
// endpoints of the Service kubernetes alone, which would be emptied when it ends, and
// writes a log of its own, since two processes cannot rotate one file.
func (r Rehearsal) overrides(port int) []string {
	flags := []string{
		"--secure-port=" + strconv.Itoa(port), "--bind-address=" + r.loopback(),
		"--endpoint-reconciler-type=none", "--shutdown-delay-duration=0s",
	}
	if r.logs() {
		flags = append(flags, "--audit-log-path="+r.logPath())
	}
	if r.sharesPorts() {
		flags = append(flags, "--permit-port-sharing=true")
	}
	if r.Serve == nil {
		// Without a watch cache it takes 250 MB whatever the size of the cluster.
		return append(flags, "--watch-cache=false")
	}
	if r.logs() {
		flags = append(flags, "--audit-log-maxsize="+neverRotated)
	}
	// Of each hundred requests two end their HTTP/2 connection in a manner that the client
	// does not notice: so all have left for the new API server soon after that takes over.
	flags = append(flags, "--goaway-chance=0.02")
	if v := r.Serve.Version; v != (patch.Version{}) && v.AtLeast(patch.Version{Major: 1, Minor: 28}) {
		flags = append(flags, "--shutdown-watch-termination-grace-period=2s")
	}
	return flags
}

// sharesPorts tells whether the API server can be told to listen on a port that is held for it
// (--permit-port-sharing, from 1.20 on).
func (r Rehearsal) sharesPorts() bool {
	v := r.New.Version
	if r.Serve != nil {
		v = r.Serve.Version
	}
	return v != (patch.Version{}) && v.AtLeast(patch.Version{Major: 1, Minor: 20})
}

// neverRotated is a size in MB that no log gets to in the time of a restart: a file that is
// mounted by itself cannot be renamed.
const neverRotated = "1000000"

// addMounts works out what the second API server finds where: what lies on the node, and
// in its place what the change writes.
func (r Rehearsal) addMounts(s *spec) error {
	was := r.Server.Spec.Mounts
	for _, m := range was {
		if m.Host != "" {
			s.Hidden = append(s.Hidden, m.Path)
		}
	}
	for _, m := range r.New.Server.Mounts {
		if m.Host == "" {
			if !slices.Contains(was, m) {
				return impossible("the mount %s is new, and its volume is not a hostPath", m.Path)
			}
			continue
		}
		added, err := r.mount(m)
		if err != nil {
			return err
		}
		s.Mounts = append(s.Mounts, added)
	}
	for _, c := range r.Changes {
		r.addFile(s, c)
	}
	switch {
	case r.logs() && r.Serve != nil:
		s.Mounts = append(s.Mounts, mount{Path: r.logPath(), Host: r.Serve.Log})
	case r.logs():
		s.Mounts = append(s.Mounts, mount{Path: logDir, Stand: file{Mode: 0o700, UID: s.As.UID, GID: s.As.GID}})
	}
	return s.checkBelow()
}

// mount is one mount of the new Pod.
func (r Rehearsal) mount(m patch.Mount) (mount, error) {
	out := mount{Path: m.Path, Host: m.Host, ReadOnly: m.ReadOnly}
	out.Stand = file{Mode: 0o755}
	planned := false
	for _, c := range r.Changes {
		if path.Clean(c.Path) != path.Clean(m.Host) {
			continue
		}
		switch c.Kind {
		case patch.WriteFile:
			out.File = &file{Path: m.Path, Data: c.Data, Mode: c.Mode, UID: c.UID, GID: c.GID}
			return out, nil
		case patch.MakeDir:
			planned, out.Stand = true, file{Mode: c.Mode, UID: c.UID, GID: c.GID}
		}
	}
	kind, err := r.Server.Node.Kind(m.Host)
	switch {
	case err != nil:
		return out, impossible("%v", err)
	case kind != patch.KindNothing:
		return out, nil
	case m.Type == "FileOrCreate":
		out.File = &file{Path: m.Path, Mode: 0o644}
	case planned || m.Type == "DirectoryOrCreate" || m.Type == "":
		out.Host = ""
	default:
		return out, impossible("%s is missing, which the API server mounts", m.Host)
	}
	return out, nil
}

// addFile adds what a change makes below a mount.
func (r Rehearsal) addFile(s *spec, c patch.Change) {
	if c.Kind != patch.WriteFile && c.Kind != patch.MakeDir {
		return
	}
	for _, m := range s.Mounts {
		rest, below := strings.CutPrefix(path.Clean(c.Path), strings.TrimSuffix(path.Clean(m.Host), "/")+"/")
		if m.Host == "" || m.File != nil || !below {
			continue
		}
		at := path.Join(m.Path, rest)
		nearer := func(o mount) bool {
			return len(o.Path) > len(m.Path) && (o.Path == at || strings.HasPrefix(at, o.Path+"/"))
		}
		if slices.ContainsFunc(s.Mounts, nearer) {
			continue // the API server sees that one there
		}
		s.Files = append(s.Files, file{Path: at, Data: c.Data, Dir: c.Kind == patch.MakeDir, Mode: c.Mode, UID: c.UID, GID: c.GID})
	}
}

// checkBelow refuses to put a file into a mount with further file systems of the node below
// it: what stands in for the mount would hide them.
func (s *spec) checkBelow() error {
	if len(s.Files) == 0 {
		return nil
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return impossible("%v", err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		at := unescape(fields[4])
		for _, m := range s.Mounts {
			if m.Host != "" && s.changes(m) && at != path.Clean(m.Host) && within(at, path.Clean(m.Host)) {
				return impossible("a file of the change lies in %s, below which the file system %s is mounted", m.Host, at)
			}
		}
	}
	return nil
}

// changes tells whether a file of the change lies in a mount, and in none within that.
func (s *spec) changes(m mount) bool {
	return slices.ContainsFunc(s.Files, func(f file) bool { return s.nearest(f.Path) == m.Path })
}

// nearest is the mount that a path lies in.
func (s *spec) nearest(at string) (found string) {
	for _, m := range s.Mounts {
		if within(at, m.Path) && len(m.Path) >= len(found) {
			found = m.Path
		}
	}
	return found
}

// unescape undoes what the kernel does to blanks in paths (proc_pid_mountinfo(5)).
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// within tells whether a path is dir or lies below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
