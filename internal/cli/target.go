package cli

import (
	"errors"
	"os"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/node"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// target is the node that a command works on.
type target struct {
	node     *node.Node
	manifest string // path on the node
	stdin    bool   // the manifest comes from standard input, and nothing else is looked at
	live     bool   // this very machine, where an API server may run
}

// newTarget reads the node's flags.
func newTarget(c *cli.Context) (*target, error) {
	t := &target{manifest: c.String("manifest"), live: c.String("root") == ""}
	t.node = node.New(c.String("root"), c.String("state-dir"))
	if t.manifest == "-" {
		t.stdin, t.live = true, false
		return t, nil
	}
	for _, f := range []string{"manifest", "state-dir"} {
		if v := c.String(f); !path.IsAbs(v) {
			return nil, hinted("--"+f+"=/"+v, "--%s %q: the path has to start with /", f, v)
		}
	}
	t.node.Manifests = path.Dir(t.manifest)
	// The folder of export kind lies on the machine of whoever made the cluster, and
	// is theirs. Every image of a kind node has this file.
	if f, err := t.node.Stat("/kind/version"); err == nil && f.Exists && f.UID == 0 {
		t.node.Shared = patch.KindDir
	}
	if dir := path.Dir(t.manifest); strings.HasPrefix(path.Clean(c.String("state-dir"))+"/", dir+"/") {
		return nil, hinted("--state-dir=/var/lib/auditpatch", "--state-dir is the directory of the manifests: the kubelet would run the backups")
	}
	return t, nil
}

// readManifest reads the manifest and its neighbours.
func (t *target) readManifest(p *program) (patch.State, error) {
	if t.stdin {
		data, err := p.readInput("manifest", "-")
		return patch.State{Manifest: patch.File{Path: "<stdin>", Exists: true, Data: data}, Offline: true, StateDir: t.node.StateDir}, err
	}
	f, err := t.node.Read(t.manifest)
	if err != nil {
		return patch.State{}, err
	}
	if !f.Exists {
		return patch.State{}, hinted("auditpatch COMMAND --manifest PATH, on a control-plane node; before kubeadm init or join: auditpatch enable --root /", "there is no manifest %s: is this a control-plane node made by kubeadm or kind?", t.manifest)
	}
	s := patch.State{Manifest: rollout.PatchFile(f), Files: map[string]patch.File{}, Offline: !t.live, StateDir: t.node.StateDir}
	siblings, err := t.node.Siblings(path.Dir(t.manifest))
	if err != nil {
		return patch.State{}, err
	}
	for _, sib := range siblings {
		if sib.Err == nil && sib.Path != t.manifest {
			s.Siblings = append(s.Siblings, rollout.PatchFile(sib.File))
		}
	}
	return s, nil
}

// readFiles adds files of the node to the state: contents of files, the mere
// existence of directories and of the log.
func (t *target) readFiles(s *patch.State, paths []string, content func(path string) bool) error {
	if t.stdin {
		return nil
	}
	for _, name := range paths {
		if dir, known := s.Files[path.Dir(name)]; known && dir.Exists && !dir.Dir {
			continue // the plan refuses the directory; nothing can lie in it
		}
		f, err := t.node.Stat(name)
		if err == nil && f.Exists && !f.Dir && content(name) {
			f, err = t.node.Read(name)
		}
		if err != nil {
			return err
		}
		s.Files[name] = rollout.PatchFile(f)
	}
	return nil
}

// recover ends an earlier run that died half way, and says so.
func (t *target) recover(c *cli.Context, p *program) (rollout.Recovered, error) {
	if t.stdin {
		return rollout.Recovered{}, nil
	}
	if err := t.checkOwnRoot(c.Command.Name); err != nil {
		return rollout.Recovered{}, err
	}
	if err := p.gate.enter(); err != nil {
		return rollout.Recovered{}, err
	}
	r, err := rollout.Recover(c.Context, t.node, func(run *node.Run) (rollout.Watcher, error) {
		if !t.live || c.Bool("no-wait") {
			return nil, nil
		}
		p.say("recover   %-46s %s", run.ID, run.Verb+" "+unfinished(run))
		l, err := p.liveAgain(c, t, run)
		if l == nil || err != nil {
			return nil, err
		}
		return l, nil
	})
	if r.ID == "" {
		p.gate.leave()
	} else {
		p.changed = true
	}
	if r.Outcome != "" {
		p.say("recover   %-46s %s", r.ID, recovered(r.Outcome))
		p.steps = append(p.steps, step{Step: "recover", Text: r.ID + ": " + recovered(r.Outcome)})
	}
	var left *node.ForeignError
	var not *rollout.NotRestored
	if r.Outcome != "" && errors.As(err, &left) && !errors.As(err, &not) {
		p.warn(patch.Problem{Message: left.Error()}) // the run has ended all the same
		err = nil
	}
	return r, err
}

// warnUnfinished says of a preview that the change itself ends an earlier run first.
func (t *target) warnUnfinished(p *program) {
	if t.stdin {
		return
	}
	run, by, err := t.underWay()
	if run == nil || by != nil || err != nil {
		return // who holds the lock, and a damaged journal, are for the change to refuse
	}
	p.warn(patch.Problem{
		Message: "the run " + run.ID + " (" + run.Verb + ") " + unfinished(run) + ": a change ends it first, and may then differ from what is shown here",
		Hint:    "auditpatch recover",
	})
}

// recovered says how a run that died was ended.
func recovered(o node.Outcome) string {
	switch o {
	case node.Finished:
		return "this run was unfinished and is now finished"
	case node.Left:
		return "this run was unfinished; somebody else has changed the manifest since, which was left as it is"
	}
	return "this run was unfinished and is now undone"
}

// ownFiles lets somebody who is not root prepare a file tree: what root would
// own there belongs to whoever builds the image, and gets its owner when the
// image is packed. On a live node the plan stays, and fails as it should.
func (t *target) ownFiles(plan *patch.Plan) {
	uid, gid := os.Geteuid(), os.Getegid()
	if t.live || t.stdin || uid == 0 {
		return
	}
	for i := range plan.Changes {
		if c := &plan.Changes[i]; !c.Old.Exists && c.UID == 0 {
			if c.UID = uid; c.GID == 0 {
				c.GID = gid
			}
		}
	}
}
