package cli

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

func (p *program) versionCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "version",
		Usage: "print the version",
		Flags: outputFlags(),
		Action: func(*cli.Context) error {
			if p.json {
				p.printJSON(struct {
					Changed  bool   `json:"changed"`
					Version  string `json:"version"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{false, p.version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
				return nil
			}
			fmt.Fprintf(p.Out, "auditpatch %s (%s, %s/%s)\n", p.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	})
}

// The completion scripts ask the program itself, which prints one candidate a
// line for --generate-bash-completion.
const (
	bashCompletion = `_auditpatch() {
  local cur words
  cur="${COMP_WORDS[COMP_CWORD]}"
  words=("${COMP_WORDS[@]:0:$COMP_CWORD}")
  if [[ "$cur" == -* ]]; then words+=("$cur"); fi
  mapfile -t COMPREPLY < <(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur")
}
complete -o default -F _auditpatch auditpatch
`
	zshCompletion = `#compdef auditpatch
_auditpatch() {
  local -a candidates
  local cur="${words[CURRENT]}"
  if [[ "$cur" == -* ]]; then
    candidates=("${(@f)$(${words[1,CURRENT]} --generate-bash-completion 2>/dev/null)}")
  else
    candidates=("${(@f)$(${words[1,CURRENT-1]} --generate-bash-completion 2>/dev/null)}")
  fi
  compadd -- ${candidates%%:*}
}
compdef _auditpatch auditpatch
`
	fishCompletion = `function __auditpatch
  set -l words (commandline -opc)
  set -l cur (commandline -ct)
  string match -q -- '-*' $cur; and set words $words $cur
  $words --generate-bash-completion 2>/dev/null
end
complete -c auditpatch -a '(__auditpatch)'
`
)

func (p *program) completionCommand() *cli.Command {
	shell := func(name, script, how string) *cli.Command {
		return p.command(&cli.Command{
			Name: name, Usage: how,
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
			shell("bash", bashCompletion, "auditpatch completion bash > /etc/bash_completion.d/auditpatch"),
			shell("zsh", zshCompletion, `auditpatch completion zsh > "${fpath[1]}/_auditpatch"`),
			shell("fish", fishCompletion, "auditpatch completion fish > ~/.config/fish/completions/auditpatch.fish"),
		},
	})
}
