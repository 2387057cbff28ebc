package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/answers"
	"auditpatch/internal/cli/policies"
	"auditpatch/internal/policy/lint"
	"auditpatch/internal/policy/verdict"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
	"auditpatch/presets"
)

// The completion scripts ask the program itself: it gets the words before the
// one that is being typed, then --generate-bash-completion, and prints what may
// follow, one candidate a line. The shell picks those that fit. Where there is
// no candidate, the word is the name of a file.
const (
	// Bash makes three words of --flag=value, and does not expand the ~ of ~/auditpatch.
	bashCompletion = `_auditpatch() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  local -a words=("${COMP_WORDS[@]:0:COMP_CWORD}")
  if [[ $cur == = ]]; then
    cur=
  elif [[ ${words[-1]} == = ]]; then
    unset 'words[-1]'
  fi
  words[0]=${words[0]/#\~/$HOME}
  mapfile -t COMPREPLY < <(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur")
}
complete -o default -F _auditpatch auditpatch
`
	// The first line is for compinit, which finds the file in fpath and calls it as the
	// function; the last one for those who source it.
	zshCompletion = `#compdef auditpatch
_auditpatch() {
  local -a before candidates
  before=("${(@)words[1,CURRENT-1]}")
  before[1]=${before[1]/#\~/$HOME}
  if [[ $PREFIX == --*=* ]]; then
    before+=("${PREFIX%%=*}")
    compset -P '*='
  fi
  candidates=("${(@f)$("${before[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n $candidates ]]; then compadd -a candidates; else _files; fi
}
if [[ $funcstack[1] == _auditpatch ]]; then _auditpatch "$@"; else compdef _auditpatch auditpatch; fi
`
	fishCompletion = `function __auditpatch
  set -l before (commandline -opc)
  set -l flag (string match -r -- '^--[^=]+=' (commandline -ct))
  set -l value (string replace -- "$flag" '' (commandline -ct))
  if set -q flag[1]
    set before $before (string trim -r -c = -- $flag)
  end
  set -l candidates ($before --generate-bash-completion 2>/dev/null)
  if not set -q candidates[1]
    set candidates (__fish_complete_path $value)
  end
  string replace -r -- '^' "$flag" $candidates
end
complete -c auditpatch -f -a '(__auditpatch)'
`
)

func (p *program) completionCommand() *cli.Command {
	shell := func(name, script, where string) *cli.Command {
		return p.command(&cli.Command{
			Name: name, Usage: "the script for " + name,
			Description: "Put it in place:   auditpatch completion " + name + " > " + where,
			Action: func(*cli.Context) error {
				_, err := fmt.Fprint(p.Out, script)
				return err
			},
		})
	}
	return p.group(&cli.Command{
		Name:  "completion",
		Usage: "print a shell's completion script",
		Subcommands: []*cli.Command{
			shell("bash", bashCompletion, "/etc/bash_completion.d/auditpatch"),
			shell("zsh", zshCompletion, `"${fpath[1]}/_auditpatch"`),
			shell("fish", fishCompletion, "~/.config/fish/completions/auditpatch.fish"),
		},
	})
}

// complete prints what may follow the words of an unfinished command line: the
// values of the flag that stands last, where they are known; nothing, where its
// value can be anything; else the flags that were not given yet.
func (p *program) complete(c *cli.Context) {
	last := p.words[len(p.words)-2] // before --generate-bash-completion
	for _, f := range c.Command.Flags {
		if doc, ok := f.(cli.DocGenerationFlag); ok && doc.TakesValue() && slices.Contains(dashed(f), last) {
			if known := formats([]cli.Flag{f}); len(known) > 0 {
				p.candidates("", known)
				return
			}
			p.candidates("", flagValues(c.Command.Name, f.Names()[0]))
			return
		}
	}
	for _, f := range c.Command.Flags {
		if repeats(f) || !p.given(f) {
			p.candidates("--", f.Names()[:1])
		}
	}
}

// flagValues are the values that a flag can have, none if there are too many.
func flagValues(command, name string) []string {
	if command == "events" {
		return answers.FlagValues(name)
	}
	switch name {
	case "preset":
		var names []string
		for _, preset := range presets.All() {
			names = append(names, preset.Name)
		}
		return names
	case "restart":
		var names []string
		for _, s := range rollout.Strategies {
			names = append(names, string(s.Restart))
		}
		return names
	case "rehearse":
		var names []string
		for _, c := range rehearsal.Choices {
			names = append(names, string(c.When))
		}
		return names
	case "benchmark":
		return verdict.Benchmarks()
	case "fail-on":
		return policies.Failures
	case "code", "ignore":
		var ids []string
		for _, c := range lint.Codes() {
			ids = append(ids, c.ID)
		}
		return ids
	case "api-version":
		return patch.KubeadmAPIs(patch.Version{})
	}
	return nil
}

func (p *program) candidates(prefix string, words []string) {
	for _, w := range words {
		fmt.Fprintln(p.Out, prefix+w)
	}
}

// given says whether the command line has the flag already.
func (p *program) given(f cli.Flag) bool {
	return slices.ContainsFunc(p.words, func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return slices.Contains(dashed(f), name)
	})
}

// dashed are a flag's names as they are typed.
func dashed(f cli.Flag) []string {
	var typed []string
	for _, name := range f.Names() {
		if len(name) == 1 {
			typed = append(typed, "-"+name)
			continue
		}
		typed = append(typed, "--"+name)
	}
	return typed
}

// repeats says whether a flag can be given more than once.
func repeats(f cli.Flag) bool {
	if named, ok := f.(namedFlag); ok {
		f = named.fullFlag
	}
	slice, ok := f.(cli.DocGenerationSliceFlag)
	return ok && slice.IsSliceFlag()
}
