package policies

import (
	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/presets"
)

// policySource is the policy that a command is about, without a node.
type policySource struct{ file, preset string }

func (s *policySource) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "policy", Destination: &s.file, Category: commands.WhatCategory, Usage: "the policy `FILE`, - for standard input"},
		&cli.StringFlag{Name: "preset", Destination: &s.preset, Category: commands.WhatCategory, Usage: "or the preset of that `NAME`, see: auditpatch policy list"},
	}
}

// load reads the policy; its name is for messages.
func (s *policySource) load(p *program, command string) (*policy.Policy, error) {
	switch {
	case s.file != "" && s.preset != "":
		return nil, hint.Errorf(hint.Command(command).Spaced("policy", s.file), "--policy and --preset: only one can be the policy")
	case s.file == "" && s.preset == "":
		return nil, hint.Errorf(hint.Spaced("policy", "FILE").Then(", or ", hint.Spaced("preset", presets.Default)), "--policy is missing")
	case s.file != "":
		in, err := p.ReadInput("policy", s.file)
		if err != nil {
			return nil, err
		}
		return policy.Load(in.Name, in.Data)
	}
	preset, err := presets.Get(s.preset)
	if err != nil {
		return nil, hint.Errorf(hint.Command("policy list"), "%v", err)
	}
	text, err := preset.Policy(nil)
	if err != nil {
		return nil, err
	}
	return policy.Load("preset "+s.preset, text)
}
