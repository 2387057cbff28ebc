package policies

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy/compose"
	"auditpatch/presets"
)

// composeFlags are those of policy compose.
type composeFlags struct {
	preset, policy, version           string
	add, users, namespaces, groupsOwn cli.StringSlice
	quietLeases                       bool
}

func (p *program) policyComposeCommand() *cli.Command {
	f := &composeFlags{}
	return p.Command(&cli.Command{
		Name:  "compose",
		Usage: "lay rules over a preset or a policy, and print the result",
		Description: "Prints one policy: the base as it stands, with rules in front of its own. Comments say where each\n" +
			"comes from. Every part keeps what it means, its stages and managed fields too. The parts come in\n" +
			"the order --add, --quiet-leases, --quiet-user, --group-profile, base; the first rule that matches\n" +
			"decides. A part that would do nothing is refused. Whatever it lays over, it says on stderr if\n" +
			"the result puts contents of Secrets, tokens or ConfigMaps into the log.\n\n" +
			"Check it, then use it:\n" +
			"   auditpatch policy compose --quiet-leases > policy.yaml\n" +
			"   auditpatch policy diff --from preset:baseline --to policy.yaml\n" +
			"   auditpatch enable --policy policy.yaml",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "preset", Destination: &f.preset, Category: commands.WhatCategory, Usage: "the base: the preset of this `NAME`; without it and --policy, " + presets.Default},
			&cli.StringFlag{Name: "policy", Destination: &f.policy, Category: commands.WhatCategory, Usage: "the base: the policy in `FILE`, - for standard input"},
			&cli.StringSliceFlag{Name: "add", Destination: &f.add, Category: commands.WhatCategory, Usage: "put the rules of the policy in `FILE` in front; may be repeated"},
			&cli.BoolFlag{Name: "quiet-leases", Destination: &f.quietLeases, Category: commands.WhatCategory, Usage: "do not record that the control plane, kubelets and service accounts renew leases"},
			&cli.StringSliceFlag{Name: "quiet-user", Destination: &f.users, Category: commands.WhatCategory, Usage: "do not record what this `USER` reads, nor its leases and events; what else it writes, its reads of secrets and its ways into containers stay; may be repeated"},
			&cli.StringSliceFlag{Name: "group-profile", Destination: &f.groupsOwn, Category: commands.WhatCategory, Usage: "of a group's members, record what another policy says: `GROUP=PRESET`, or GROUP=FILE; may be repeated"},
			&cli.StringSliceFlag{Name: "namespace", Destination: &f.namespaces, Category: commands.WhatCategory, Usage: "namespace of a preset that takes namespaces; else, the only one that the added rules are about; may be repeated"},
			&cli.StringFlag{Name: "target-version", Destination: &f.version, Category: commands.WhatCategory, Usage: "`VERSION` of Kubernetes that the parts have to fit, such as 1.30"},
		}, p.OutputFlags()),
		Action: func(c *cli.Context) error { return p.compose(c, f) },
	})
}

func (p *program) compose(c *cli.Context, f *composeFlags) error {
	r, err := f.request(p, c)
	if err != nil {
		return err
	}
	out, err := compose.Compose(r)
	if err != nil {
		return err
	}
	out.Notes = append(out.Notes, out.Leaks...)
	for _, note := range out.Notes {
		p.Say("warning", note)
	}
	if p.JSON() {
		p.PrintJSON(composed{false, out.Rules, out.Parts, append([]string{}, out.Notes...), string(out.Text)})
		return nil
	}
	if _, err := p.Stdout().Write(out.Text); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	return nil
}

// composed is the JSON of policy compose.
type composed struct {
	Changed  bool           `json:"changed"` // always false
	Rules    int            `json:"rules"`
	Parts    []compose.Part `json:"parts"` // in the order of the rules
	Warnings []string       `json:"warnings"`
	Policy   string         `json:"policy"` // the text
}

// request is what the flags ask for.
func (f *composeFlags) request(p *program, c *cli.Context) (r compose.Request, err error) {
	if err := p.Conflict(c, "preset", f.preset, "policy", f.policy); err != nil {
		return r, err
	}
	if err := f.oneStdin(); err != nil {
		return r, err
	}
	if r.Version, err = TargetVersion("target-version", f.version); err != nil {
		return r, err
	}
	r.QuietLeases, r.QuietUsers, r.Namespaces = f.quietLeases, f.users.Value(), commands.Names(f.namespaces)
	if r.Base, err = f.base(p, &r); err != nil {
		return r, err
	}
	for _, name := range f.add.Value() {
		s, err := p.source("add", name)
		if err != nil {
			return r, err
		}
		r.Add = append(r.Add, s)
	}
	for _, words := range f.groupsOwn.Value() {
		group, name := groupAndPolicy(words)
		if name == "" {
			return r, hint.Errorf(hint.Spaced("group-profile", cmp.Or(group, "GROUP")+"=metadata"), "--group-profile %q: the form is GROUP=PRESET or GROUP=FILE", words)
		}
		s, err := p.profile(group, name)
		if err != nil {
			return r, err
		}
		r.Profiles = append(r.Profiles, compose.Profile{Group: group, Source: s})
	}
	return r, nil
}

// groupAndPolicy are the two sides of the last =, since the names of groups in a directory
// have some too.
func groupAndPolicy(words string) (group, name string) {
	at := strings.LastIndex(words, "=")
	if at < 0 {
		return words, ""
	}
	return words[:at], words[at+1:]
}

// oneStdin refuses to read standard input twice.
func (f *composeFlags) oneStdin() error {
	n := 0
	for _, name := range append(f.add.Value(), f.policy) {
		if name == "-" {
			n++
		}
	}
	for _, words := range f.groupsOwn.Value() {
		if strings.HasSuffix(words, "=-") {
			n++
		}
	}
	if n > 1 {
		return hint.Errorf(hint.Spaced("add", "FILE"), "only one input can come from standard input")
	}
	return nil
}

// base is the policy that rules are laid over. A preset that takes namespaces gets them,
// and nothing else does.
func (f *composeFlags) base(p *program, r *compose.Request) (compose.Source, error) {
	if f.policy != "" {
		return p.source("policy", f.policy)
	}
	name := cmp.Or(f.preset, presets.Default)
	preset, err := presets.Get(name)
	if err != nil || !preset.Namespaced || len(r.Namespaces) == 0 {
		return p.source("preset", presetPrefix+name)
	}
	data, err := preset.Policy(r.Namespaces)
	r.Namespaces = nil
	if err != nil {
		return compose.Source{}, hint.Errorf(hint.Spaced("namespace", "NAME"), "--namespace: %v", err)
	}
	return compose.Source{Name: "preset " + name, Data: data}, nil
}

// presetPrefix is before a preset's name where a file could be meant.
const presetPrefix = "preset:"

// source reads FILE, - or preset:NAME for a flag.
func (p *program) source(flag, name string) (compose.Source, error) {
	return p.sourceMeant(flag, name, func(preset string) hint.Hint { return hint.Spaced(flag, presetPrefix+preset) })
}

// profile reads the policy for a group: PRESET, FILE, - or preset:NAME.
func (p *program) profile(group, name string) (compose.Source, error) {
	if presets.Has(name) {
		name = presetPrefix + name
	}
	return p.sourceMeant("group-profile", name, func(preset string) hint.Hint { return hint.Spaced("group-profile", group+"="+preset) })
}

// sourceMeant is a source; where there is no such file, meant is what may have been meant,
// with a preset.
func (p *program) sourceMeant(flag, name string, meant func(preset string) hint.Hint) (compose.Source, error) {
	if preset, ok := strings.CutPrefix(name, presetPrefix); ok {
		pre, err := presets.Get(preset)
		if err != nil {
			return compose.Source{}, hint.Errorf(hint.Command("policy list"), "%v", err)
		}
		data, err := pre.Policy(nil)
		return compose.Source{Name: "preset " + preset, Data: data}, err
	}
	in, err := p.ReadInput(flag, name)
	if near := presets.Near(name); errors.Is(err, fs.ErrNotExist) && near != "" {
		return compose.Source{}, hint.Errorf(meant(near), "%v", err)
	}
	if err != nil {
		return compose.Source{}, err
	}
	return compose.Source{Name: in.Name, Data: in.Data}, nil
}
