package patch

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// files plans what has to lie on the node before the manifest names it.
func (p *planner) files() error {
	for _, step := range []func() error{p.parents, p.logDir, p.policyFile, p.webhookFile, p.logContent} {
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
		return refuse(fmt.Sprintf("mv %s %s.old", p.logHost, p.logHost), "%s is a file, and the log needs a directory there", p.logHost)
	case old.Exists && !p.readable(old, true):
		return refuse(fmt.Sprintf("chown %d:%d %s", p.now.UID, p.now.GID, p.logHost),
			"%s cannot be written by the API server, which runs as user %d (it is %04o %d:%d)", p.logHost, p.now.UID, old.Mode.Perm(), old.UID, old.GID)
	case old.Exists:
		return nil
	default:
		c := Change{Path: p.logHost, Kind: MakeDir, Old: old, Mode: 0o700, UID: p.now.UID, GID: p.now.GID}
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
		return refuse("--preset=baseline", "there is no policy at %s", p.policyHost)
	}
	if p.opts.Policy == nil {
		p.plan.Kept = append(p.plan.Kept, "policy "+p.policyHost)
	}
	return p.content(p.policyHost, old, p.opts.Policy)
}

func (p *planner) webhookFile() error {
	old := p.state.Files[p.webhookHost]
	if p.webhookHost == "" {
		return nil
	}
	if p.opts.Webhook == nil && !old.Exists {
		gone := refuse("--webhook-config=FILE", "there is no webhook config at %s: the API server would not start", p.webhookHost)
		if !p.state.Offline {
			return gone
		}
		p.plan.Warnings = append(p.plan.Warnings, Problem{Message: gone.Reason, Hint: gone.Hint})
		return nil
	}
	return p.content(p.webhookHost, old, p.opts.Webhook)
}

// content plans a file that only the API server has to read: 0600. The mode
// and owner of a file that is there are kept.
func (p *planner) content(host string, old File, want *Content) error {
	if old.Dir && old.Empty && want != nil { // made by a container runtime for a mount whose source was missing
		old.Exists = false
	}
	switch {
	case old.Dir && old.Exists:
		return refuse("rmdir "+host, "%s is a directory, where a file belongs", host)
	case want == nil || old.Exists && bytes.Equal(old.Data, want.Data):
		if old.Exists && !p.readable(old, false) {
			p.plan.Warnings = append(p.plan.Warnings, Problem{
				Message: fmt.Sprintf("%s cannot be read by the API server, which runs as user %d (it is %04o %d:%d)", host, p.now.UID, old.Mode.Perm(), old.UID, old.GID),
				Hint:    fmt.Sprintf("chown %d %s", p.now.UID, host),
			})
		}
		return nil
	}
	c := Change{Path: host, Kind: WriteFile, Old: old, Data: want.Data, Mode: 0o600, UID: p.now.UID, GID: p.now.GID}
	word := "new"
	if old.Exists {
		c.Mode, c.UID, c.GID, word = old.Mode, old.UID, old.GID, "changed"
	}
	c.Why = word + ": " + want.Origin
	if want.Detail != "" {
		c.Why += ", " + want.Detail
	}
	p.plan.Changes = append(p.plan.Changes, c)
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
	mode, gid := fs.FileMode(p.opts.LogFileMode), p.now.GID
	if p.opts.LogGroup != nil {
		gid = *p.opts.LogGroup
	}
	if mode == 0 {
		mode = 0o640
	}
	if old.Exists && old.Mode.Perm() == mode && old.GID == gid {
		return nil
	}
	c := Change{Path: file, Kind: EnsureFile, Old: old, Mode: mode, UID: p.now.UID, GID: gid}
	if old.Exists {
		c.UID = old.UID
	}
	c.Why = fmt.Sprintf("for readers of the log, %04o %d:%d", c.Mode, c.UID, c.GID)
	p.plan.Changes = append(p.plan.Changes, c)
	return nil
}
