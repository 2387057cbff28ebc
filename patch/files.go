package patch

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"auditpatch/internal/hint"
)

// files plans what has to be on the node before the manifest names it.
func (p *planner) files() error {
	for _, step := range []func() error{
		p.checkReal, p.checkParentDirs, p.parents, p.logDir, p.policyFile, p.webhookFile, p.logContent, p.checkLog, p.checkUser,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// dirs are the folders of policy and webhook config on a node before its first
// boot: nothing may have made them yet.
func (p *planner) dirs() (out []string) {
	if p.state.Manifest.Exists {
		return nil
	}
	for _, f := range []string{p.policyHost, p.webhookHost} {
		if d := path.Dir(f); f != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// MoveAway makes room at a path of the node.
func MoveAway(name string) hint.Hint {
	return hint.Shell("mv %s %s", hint.Path(name), hint.Path(name+".old"))
}

// parents makes those that are missing, as kubeadm and its packages do.
func (p *planner) parents() error {
	for _, d := range p.dirs() {
		if old := p.state.Files[d]; !old.Exists {
			p.plan.Changes = append(p.plan.Changes, Change{Path: d, Kind: MakeDir, Old: old, Mode: 0o755, Why: "new folder"})
		}
	}
	return nil
}

// logDir makes the log's directory: 0700, for the API server's user alone, or
// 0750 for a group that ships the log. A directory that is there stays as it
// is: others may use it.
func (p *planner) logDir() error {
	if p.logHost == "" {
		return nil
	}
	switch old := p.state.Files[p.logHost]; {
	case old.Exists && !old.Dir:
		return refuse(MoveAway(p.logHost), "%s is a file, but the log needs a directory there", p.logHost)
	case old.Exists && !p.access.allows(old, mayRead|mayWrite|maySearch): // rotation lists the files too
		return p.access.denied(old, "written", hint.Shell("chown %d:%d %s", p.current.UID, p.current.GID, hint.Path(p.logHost)))
	case old.Exists:
		return nil
	default:
		c := Change{Path: p.logHost, Kind: MakeDir, Old: old, Mode: 0o700, UID: p.current.UID, GID: p.current.GID}
		if p.opts.LogGroup != nil {
			c.Mode, c.GID = 0o750, *p.opts.LogGroup
		}
		c.Why = fmt.Sprintf("new folder, %04o %d:%d", c.Mode, c.UID, c.GID)
		p.plan.Changes = append(p.plan.Changes, c)
		return nil
	}
}

func (p *planner) policyFile() error {
	old := p.state.Files[p.policyHost]
	if p.policyHost == "" {
		return nil
	}
	if p.opts.Policy == nil && !old.Exists {
		return refuse(hint.Flag("preset", "baseline"), "there is no policy at %s", p.policyHost)
	}
	if p.opts.Policy == nil {
		p.plan.Kept = append(p.plan.Kept, "policy "+p.policyHost)
	}
	return p.content(policyFlag, p.policyHost, p.opts.Policy)
}

func (p *planner) webhookFile() error {
	old := p.state.Files[p.webhookHost]
	if p.webhookHost == "" {
		return nil
	}
	if nothing := !old.Exists || old.Dir && old.Empty; p.opts.Webhook == nil && nothing {
		return p.noWebhook(old)
	}
	return p.content(webhookFlag, p.webhookHost, p.opts.Webhook)
}

// noWebhook refuses to go on with a webhook's config that is not there. On a node
// before its first boot it may still come, and better so: what is in it is secret, and
// an image is not. There the API server does not start before kubeadm has run.
func (p *planner) noWebhook(old File) error {
	instead := ""
	if old.Dir {
		instead = ", only an empty directory"
	}
	gone := refuse(hint.Flag("webhook-config", "FILE"), "there is no webhook config at %s%s: the API server would not start", p.webhookHost, instead)
	if p.state.Manifest.Exists {
		return gone
	}
	p.plan.Warnings = append(p.plan.Warnings, Problem{Message: gone.Reason, Hint: gone.Hint})
	return nil
}

// content plans a file that only the API server has to read: 0600. The mode
// and owner of a file that is there are kept, unless the API server could not
// read it so. An empty directory is nobody's: a container runtime makes one for a
// mount whose source is missing.
func (p *planner) content(flag, host string, want *Content) error {
	old := p.state.Files[host]
	if old.Dir && old.Empty && want != nil {
		old.Exists = false
	} else if old.Dir {
		return refuse(MoveAway(host), "%s is a directory, not a file", host)
	}
	if want == nil {
		if old.Exists && !p.access.allows(old, mayRead) {
			return p.access.denied(old, "read", p.access.chown(old, "r", 0o400))
		}
		return nil
	}
	c := Change{Path: host, Kind: WriteFile, Old: old, Data: want.Data, Mode: 0o600, UID: p.current.UID, GID: p.current.GID}
	word := "new"
	if old.Exists {
		c.Mode, c.UID, c.GID, word = old.Mode, old.UID, old.GID, "changed"
	}
	given := p.access.grantRead(&c)
	if old.Exists && bytes.Equal(old.Data, want.Data) && given == "" {
		return nil
	}
	if err := p.checkOverwrite(c, flag); err != nil {
		return err
	}
	c.Why = word + ": " + want.Origin
	for _, more := range []string{want.Detail, given} {
		if more != "" {
			c.Why += ", " + more
		}
	}
	p.plan.Changes = append(p.plan.Changes, c)
	return nil
}

// checkReal looks at the places again where a symlink leads elsewhere. What the
// API server uses already it goes on using.
func (p *planner) checkReal() error {
	for _, n := range p.needs() {
		host := map[string]string{policyFlag: p.policyHost, logFlag: p.logHost, webhookFlag: p.webhookHost}[n.flag]
		real := p.state.Files[host].Real
		if real == "" || p.current.Flags[n.flag] == p.desired[n.flag] {
			continue
		}
		l := locate(p.m, n.path)
		l.Host = real
		if why := p.placeFault(n, l); why != "" {
			return refuse(p.propose(n.flag, nil), "--%s=%s: %s is a symlink to %s: %s", n.flag, p.desired[n.flag], host, real, why)
		}
	}
	return nil
}

// checkLog refuses a log file that is there and that the API server could not
// open. It opens it for reading and appending (apiserver, ensureLogFile).
func (p *planner) checkLog() error {
	file := p.logFile()
	old := p.state.Files[file]
	if file == "" {
		return nil
	}
	// The API server has the folder alone: for it a link out of that leads nowhere, and
	// what it leads to here is not a log. One that is in use already goes on being so.
	used := p.current.Flags[logFlag] == p.desired[logFlag]
	if old.Real != "" && !used && !below(old.Real, cmp.Or(p.state.Files[p.logHost].Real, p.logHost)) {
		return refuse(p.propose(logFlag, nil), "%s is a symlink to %s, which is outside the directory that is mounted into the API server", file, old.Real)
	}
	if !old.Exists {
		return nil
	}
	for _, c := range p.plan.Changes {
		if c.Path == file {
			old.Mode, old.UID, old.GID = c.Mode, c.UID, c.GID
		}
	}
	switch {
	case old.Dir:
		return refuse(MoveAway(file), "%s is a directory, not a log file", file)
	case !p.access.allows(old, mayRead|mayWrite):
		return p.access.denied(old, "written", p.access.chown(old, "rw", 0o600))
	}
	return nil
}

// logContent makes the log file before the API server does, where others have
// to read it: the API server would make it 0600, and mode and owner survive
// rotation.
func (p *planner) logContent() error {
	if p.logHost == "" || p.opts.LogGroup == nil && p.opts.LogFileMode == 0 {
		return nil
	}
	file := p.logFile()
	old := p.state.Files[file]
	mode, gid := fs.FileMode(p.opts.LogFileMode), p.current.GID
	if p.opts.LogGroup != nil {
		gid = *p.opts.LogGroup
	}
	if mode == 0 {
		mode = 0o640
	}
	c := Change{Path: file, Kind: EnsureFile, Old: old, Mode: mode, UID: p.current.UID, GID: gid}
	if old.Exists && p.access.allows(File{Mode: mode, UID: old.UID, GID: gid}, mayRead|mayWrite) {
		c.UID = old.UID
	}
	switch {
	case !p.access.allows(File{Mode: mode, UID: c.UID, GID: gid}, mayRead|mayWrite):
		return refuse(hint.Flag("log-file-mode", "0640"), "--log-file-mode=%04o: the API server, which runs as user %d, could not write the log", mode, p.current.UID)
	case old.Exists && old.Mode.Perm() == mode && old.GID == gid && old.UID == c.UID:
		return nil
	}
	c.Why = fmt.Sprintf("for readers of the log, %04o %d:%d", c.Mode, c.UID, c.GID)
	p.plan.Changes = append(p.plan.Changes, c)
	return nil
}
