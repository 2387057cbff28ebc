package answers

import (
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/simulate"
	"auditpatch/presets"
)

// Logging is how a node logs.
type Logging struct {
	Log        string // its log as a path on this machine, "" where audit logging is off
	PolicyName string // "" for none
	Policy     []byte
	Rotation   *simulate.Rotation // nil where audit logging is off
	Used       int64              // bytes that the log takes now
	Free       int64              // bytes on the log's file system
	FreeKnown  bool
}

// PolicyCommands are those of auditpatch policy that read an audit log, in the order of
// the help text.
func PolicyCommands(c Console) []*cli.Command {
	p := &program{c}
	return []*cli.Command{p.simulateCommand(), p.retentionCommand(), p.trimCommand()}
}

// observed is what these commands have in common: logs and the node that they are of.
type observed struct {
	*program
	command string
	names   cli.StringSlice
	strict  bool
	node    []cli.Flag
	look    func() (Logging, error)
	// logging is that of the node, zero where there is none.
	logging  Logging
	progress *progress // of reading the logs that find has found
}

func (p *program) newObserved(command string) *observed {
	o := &observed{program: p, command: command}
	o.node, o.look = p.Logging(command)
	return o
}

func (o *observed) flags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		&cli.StringSliceFlag{Name: "log", Destination: &o.names, Category: whichCategory, Usage: "`FILE` or folder of a log, - for standard input; without it, the log that the node's manifest names; may be repeated"},
		&cli.BoolFlag{Name: "strict", Destination: &o.strict, Category: howCategory, Usage: "look at every byte, and exit with status 1 if something in the log cannot be read"},
	}, o.node)
}

// find returns the logs, and looks at the node. Where logs are named, it needs no node,
// unless one is named too.
func (o *observed) find(c *cli.Context) ([]read.Log, error) {
	names := o.names.Value()
	var err error
	if o.logging, err = o.look(); err != nil && (len(names) == 0 || c.IsSet("root") || c.IsSet("manifest")) {
		return nil, err
	}
	if len(names) == 0 {
		if o.logging.Log == "" {
			return nil, hint.Errorf(hint.Spaced("log", "FILE").Then(", or ", hint.Command("enable")), "audit logging is off here, so there is no log to read")
		}
		names = []string{o.logging.Log}
	}
	logs, err := read.Find(names, commands.Interruptible(c.Context, o.Stdin()))
	if err != nil {
		return nil, readError(o.command, err)
	}
	o.progress = o.newProgress(true)
	debug.SetGCPercent(50) // memory is counted in more than time here: little is made anew
	return logs, nil
}

// run replays the logs.
func (o *observed) run(c *cli.Context, r simulate.Request) (*simulate.Report, error) {
	r.Progress, r.Strict = o.progress.show, o.strict
	ctx, cancel := reading(c.Context, r.Logs)
	defer cancel()
	out, err := simulate.Run(ctx, r)
	o.progress.clear()
	if err != nil {
		return nil, readError(o.command, err)
	}
	out.Read.Cut = out.Read.Cut || c.Context.Err() != nil
	return out, nil
}

// current is the node's policy, nil for none. One that cannot be read strictly is told of
// and left out.
func (o *observed) current() *policy.Policy {
	if o.logging.PolicyName == "" {
		return nil
	}
	p, err := policy.Load(o.logging.PolicyName, o.logging.Policy)
	if err != nil {
		o.Say("warning", "the node's policy is left out: "+strings.SplitN(err.Error(), "\n", 2)[0])
		return nil
	}
	return p
}

// presetPrefix is before a preset's name where a file could be meant.
const presetPrefix = "preset:"

// policyText reads FILE, -, preset:NAME or the NAME of a preset.
func (p *program) policyText(flag, name string) (from string, text []byte, err error) {
	preset, isPreset := strings.CutPrefix(name, presetPrefix)
	if !isPreset && presets.Has(name) {
		preset, isPreset = name, true
	}
	if isPreset {
		pre, err := presets.Get(preset)
		if err != nil {
			return "", nil, hint.Errorf(hint.Command("policy list"), "%v", err)
		}
		text, err := pre.Policy(nil)
		return "preset " + preset, text, err
	}
	in, err := p.ReadInput(flag, name)
	if err != nil {
		return "", nil, err
	}
	return in.Name, in.Data, nil
}

func (p *program) policy(flag, name string) (*policy.Policy, error) {
	from, text, err := p.policyText(flag, name)
	if err != nil {
		return nil, err
	}
	return policy.Load(from, text)
}

// chosen is a policy by --policy or --preset.
type chosen struct{ file, preset string }

func (c *chosen) flags(what string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "policy", Destination: &c.file, Category: commands.WhatCategory, Usage: what + ": `FILE`, - for standard input"},
		&cli.StringFlag{Name: "preset", Destination: &c.preset, Category: commands.WhatCategory, Usage: "or the preset of that `NAME`, see: auditpatch policy list"},
	}
}

// name is what was chosen, in the form of policyText; "" for nothing.
func (c *chosen) name() (string, error) {
	switch {
	case c.file != "" && c.preset != "":
		return "", hint.Errorf(hint.Spaced("policy", c.file), "--policy and --preset: only one can be the policy")
	case c.preset != "":
		return presetPrefix + c.preset, nil
	}
	return c.file, nil
}

// oneStdin refuses to read standard input twice.
func oneStdin(names ...string) error {
	n := 0
	for _, name := range names {
		if name == "-" {
			n++
		}
	}
	if n > 1 {
		return hint.Errorf(hint.Spaced("log", "FILE"), "only one input can come from standard input")
	}
	return nil
}
