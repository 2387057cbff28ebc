package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
	"auditpatch/patch"
	"auditpatch/presets"
)

// presetEntry is one preset of policy list as JSON.
type presetEntry struct {
	Name        string   `json:"name"`
	Purpose     string   `json:"purpose"`
	For         string   `json:"for"`
	Volume      string   `json:"volume"`
	Cost        string   `json:"cost"`
	Hides       string   `json:"hides"`
	Leaks       string   `json:"leaks,omitempty"`
	MayLeak     []string `json:"mayLeak"`
	AcceptLeaks bool     `json:"acceptLeaks"` // enable wants --accept-leaks
	Passes      []string `json:"passes"`
	Rules       int      `json:"rules"`
}

// presetRecord is the whole record of a preset as JSON.
type presetRecord struct {
	presetEntry
	Fails      []checkerFailure `json:"fails"`
	Lint       []lintException  `json:"lint"`
	Sources    string           `json:"sources"`
	Namespaced bool             `json:"namespaced"`
	NotWritten []string         `json:"notWritten"` // requests of the catalogue that leave no event
}

// checkerFailure is a checker that a preset does not pass.
type checkerFailure struct {
	Checker string `json:"checker"`
	Why     string `json:"why"`
}

// lintException are findings of policy lint that a preset has on purpose.
type lintException struct {
	Codes []string `json:"codes"`
	Why   string   `json:"why"`
}

func entry(pre presets.Preset) (presetEntry, *policy.Policy, error) {
	data, err := pre.Policy(nil)
	if err != nil {
		return presetEntry{}, nil, err
	}
	pol, err := policy.Load("preset "+pre.Name, data)
	if err != nil {
		return presetEntry{}, nil, err
	}
	return presetEntry{pre.Name, pre.Purpose, pre.For, pre.Volume, pre.Cost, pre.Hides, pre.Leaks, some(pre.MayLeak), pre.LeaksSecrets(),
		some(pre.Passes), pol.Rules()}, pol, nil
}

// some is a list that is never null as JSON.
func some(list []string) []string { return append([]string{}, list...) }

func (p *program) policyListCommand() *cli.Command {
	return p.Command(&cli.Command{
		Name:  "list",
		Usage: "the policies that ship with auditpatch",
		Flags: p.OutputFlags(),
		Action: func(c *cli.Context) error {
			var entries []presetEntry
			for _, pre := range presets.All() {
				e, _, err := entry(pre)
				if err != nil {
					return err
				}
				entries = append(entries, e)
			}
			if p.JSON() {
				p.PrintJSON(struct {
					Changed bool          `json:"changed"`
					Presets []presetEntry `json:"presets"`
				}{false, entries})
				return nil
			}
			p.listPresets(entries)
			return nil
		},
	})
}

// listPresets prints a line for each preset, with a second one for what it leaks.
func (p *program) listPresets(entries []presetEntry) {
	p.Outf("%-22s  %-15s  %5s  %s", "NAME", "VOLUME", "RULES", "PURPOSE")
	for _, e := range entries {
		p.Outf("%-22s  %-15s  %5d  %s", e.Name, e.Volume, e.Rules, e.Purpose)
		switch {
		case e.AcceptLeaks:
			p.Outf("%-46s  may leak all that is sensitive, secrets too: enable wants --accept-leaks", "")
		case len(e.MayLeak) > 0:
			p.Outf("%-46s  may leak %s", "", strings.Join(e.MayLeak, ", "))
		}
	}
	p.Printf("what each hides, costs and passes: auditpatch policy show --preset NAME")
}

func (p *program) policyShowCommand() *cli.Command {
	var f struct {
		preset     string
		namespaces cli.StringSlice
	}
	return p.Command(&cli.Command{
		Name:  "show",
		Usage: "print a preset as YAML, with its record in the head",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "preset", Destination: &f.preset, Category: commands.WhatCategory, Value: presets.Default, Usage: "`NAME` of the preset"},
			&cli.StringSliceFlag{Name: "namespace", Destination: &f.namespaces, Category: commands.WhatCategory, Usage: "namespace of a preset that takes namespaces; may be repeated"},
		}, p.OutputFlags()),
		Action: func(c *cli.Context) error {
			content, warnings, err := change.Preset(f.preset, commands.Names(f.namespaces), patch.Version{})
			if err != nil {
				return err
			}
			p.Warn(warnings...)
			if !p.JSON() {
				_, err = p.Stdout().Write(content.Data)
				return err
			}
			record, err := record(f.preset)
			if err != nil {
				return err
			}
			p.PrintJSON(struct {
				Changed bool         `json:"changed"`
				Preset  string       `json:"preset"`
				Policy  string       `json:"policy"`
				Record  presetRecord `json:"record"`
			}{false, f.preset, string(content.Data), record})
			return nil
		},
	})
}

// record is what there is to know of a preset; what it does not write is asked of the
// evaluator.
func record(name string) (presetRecord, error) {
	pre, err := presets.Get(name)
	if err != nil {
		return presetRecord{}, err
	}
	e, pol, err := entry(pre)
	if err != nil {
		return presetRecord{}, fmt.Errorf("preset %s: %w", name, err)
	}
	out := presetRecord{presetEntry: e, Fails: []checkerFailure{}, Lint: []lintException{}, Sources: pre.Sources, Namespaced: pre.Namespaced, NotWritten: []string{}}
	for _, f := range pre.Fails {
		out.Fails = append(out.Fails, checkerFailure{f.Checker, f.Why})
	}
	for _, e := range pre.Lint {
		out.Lint = append(out.Lint, lintException{e.Codes, e.Why})
	}
	for _, r := range requests.Hidden(pol) {
		out.NotWritten = append(out.NotWritten, r.Name)
	}
	return out, nil
}
