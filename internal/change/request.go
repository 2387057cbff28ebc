package change

import (
	"time"

	"auditpatch/internal/hint"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
)

// EnableRequest asks for audit logging as the settings say.
type EnableRequest struct {
	Target   target.Options
	Settings Settings
	How      How
}

// DisableRequest asks for no audit logging.
type DisableRequest struct {
	Target target.Options
	Purge  bool // also remove the policy and the webhook config
	How    How
}

// RestoreRequest asks for what was there before a change.
type RestoreRequest struct {
	Target target.Options
	To     string // ID of a backup; "" for the one before the last change
	// Repeatable makes a second restore find the backup of the first, and not undo
	// it.
	Repeatable bool
	How        How
}

// RecoverRequest asks for the end of a run that died half way.
type RecoverRequest struct {
	Target target.Options
	How    How
}

// Settings are what a user asks for; what is left out stays as it is on the node.
type Settings struct {
	Flags map[string]string // kube-apiserver's, by name; "" takes one out
	// Preset and its namespaces, or Policy; neither keeps the policy that is there.
	Preset     string
	Namespaces []string
	// AcceptLeaks: it is known and wanted that the preset writes contents of Secrets.
	AcceptLeaks bool
	Policy      *Input
	// Webhook is a kubeconfig, WebhookTarget makes one; at most one is given.
	Webhook       *Input
	WebhookTarget *webhookconfig.Target
	LogGroup      *int   // that may read the log
	LogFileMode   uint32 // 0 for the default
}

// Input is the text of a file, and the name that messages have for it.
type Input struct {
	Name string
	Data []byte
}

// How says how a change is carried out.
type How struct {
	DryRun      bool // nothing is changed
	Force       bool // begin although the API server is not healthy
	NoWait      bool // return when the files are written
	Persist     bool // the same in the cluster's kubeadm-config
	Restart     rollout.Restart
	Rehearse    rehearsal.When // "" is rehearsal.Never
	Timeout     time.Duration
	LockTimeout time.Duration
	Version     string // the program's own, noted in the backup
	Listener    Listener
}

// check refuses what contradicts itself.
func (h How) check() error {
	switch {
	case h.Restart != rollout.Seamless:
	case h.Rehearse == rehearsal.Never:
		return hint.New(hint.Flag("rehearse", rehearsal.Auto), "--restart=seamless and --rehearse=never exclude each other: the API server that is rehearsed serves meanwhile")
	case h.NoWait:
		return hint.New(hint.Flag("restart", rollout.Auto), "--restart=seamless and --no-wait exclude each other: nobody would give the connections back")
	}
	return nil
}

// Listener hears of a change while it goes on; what is nil hears nothing.
type Listener struct {
	// Begin comes before anything is touched, and its error keeps it from being
	// touched. Spared says that nothing was after all.
	Begin  func() error
	Spared func()
	Warn   func(patch.Problem)
	// Recover says that an earlier run is going to be ended, and then how it was.
	Recover func(id, what string)
	Plan    func(*patch.Plan) // is about to be carried out
	Backup  func(id string)   // all files are written
	Step    func(rollout.Progress)
}

func (l Listener) begin() error {
	if l.Begin == nil {
		return nil
	}
	return l.Begin()
}

func (l Listener) spared() {
	if l.Spared != nil {
		l.Spared()
	}
}

func (l Listener) warn(p patch.Problem) {
	if l.Warn != nil {
		l.Warn(p)
	}
}

func (l Listener) recover(id, what string) {
	if l.Recover != nil {
		l.Recover(id, what)
	}
}

func (l Listener) plan(p *patch.Plan) {
	if l.Plan != nil {
		l.Plan(p)
	}
}

func (l Listener) backup(id string) {
	if l.Backup != nil {
		l.Backup(id)
	}
}

func (l Listener) step(p rollout.Progress) {
	if l.Step != nil {
		l.Step(p)
	}
}
