package contract

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completions are command lines that end where Tab is pressed, and candidates
// that must and must not be offered there.
var completions = []struct{ line, want, not string }{
	{"auditpatch en", "enable", "disable"},
	{"auditpatch policy ", "lint", "enable"},
	{"auditpatch policy li", "lint list", "show"},
	{"auditpatch enable --pre", "--preset", "--policy"},
	{"auditpatch enable --", "--audit-log-maxage --quiet", "enable"},
	{"auditpatch enable ", "--preset --quiet", "enable"},
	{"auditpatch enable --quiet --", "--preset", "--quiet"},
	{"auditpatch enable --namespace a --", "--namespace", ""},
	{"auditpatch enable --preset ", "baseline falco", "--preset"},
	{"auditpatch enable --preset=ba", "baseline", "falco"},
	{"auditpatch policy show --preset=", "baseline falco", "--preset"},
	{"auditpatch enable --restart g", "graceful", "quick"},
	{"auditpatch status -o ", "text json", "--check"},
	{"auditpatch events -o ", "text wide flat", "--log"},
	{"auditpatch events --stage ", "ResponseComplete Panic", "--log"},
	{"auditpatch events --top na", "namespace name", "user"},
	{"auditpatch events --user a --", "--user --verb", ""},
	{"auditpatch enable --policy mi", "mine.yaml", "--preset"},
	{"auditpatch enable --policy=mi", "mine.yaml", "--preset"},
}

// TestCompletion has each shell complete these lines with the script that
// auditpatch prints for it.
func TestCompletion(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs each shell many times")
	}
	for name, complete := range map[string]func(t *testing.T, script, line string) []string{
		"bash": completeBash, "zsh": completeZsh, "fish": completeFish,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed", name)
			}
			script := shellHome(t, name)
			for _, c := range completions {
				got := complete(t, script, c.line)
				for want := range strings.FieldsSeq(c.want) {
					if !slices.Contains(got, want) {
						t.Errorf("%q: no %s in %q", c.line, want, got)
					}
				}
				if c.not != "" && slices.Contains(got, c.not) {
					t.Errorf("%q: %s in %q", c.line, c.not, got)
				}
			}
		})
	}
}

// shellHome makes the folder that shells run in, with mine.yaml, and returns the
// path of the completion script there.
func shellHome(t *testing.T, shell string) string {
	t.Helper()
	dir := t.TempDir()
	script, err := program(t, "completion", shell).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"mine.yaml":   "",
		"_auditpatch": string(script),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "_auditpatch")
}

// inShell runs a shell's script in the folder of the completion script.
func inShell(t *testing.T, script string, command ...string) []string {
	t.Helper()
	dir := filepath.Dir(script)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(withProgram(t), "HOME="+dir, "TERM=dumb",
		"XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n")
}

// completeBash calls the function as bash does. Where it has nothing to say,
// bash itself offers files: complete -o default.
func completeBash(t *testing.T, script, line string) []string {
	words := strings.Split(strings.ReplaceAll(line, "=", " = "), " ")
	if strings.HasSuffix(line, "=") {
		words = words[:len(words)-1] // bash is at the = itself
	}
	command := `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _auditpatch
		[[ $(complete -p auditpatch) == *"-o default"* ]] || exit 1
		[ ${#COMPREPLY[@]} != 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[-1]}")
		printf '%s\n' "${COMPREPLY[@]}"`
	return inShell(t, script, append([]string{"bash", "--norc", "-c", command, script}, words...)...)
}

// completeZsh types the line and Tab at a terminal. What zsh lists is taken
// from compadd, which is given the candidates that it is to match.
func completeZsh(t *testing.T, script, line string) []string {
	const command = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; unsetopt zle_bracketed_paste prompt_sp; fpath=('"${1:h}"' $fpath); autoload -U compinit; compinit -u -d ./dump'
zpty -w shell 'compadd() { if [[ ${@[1,-2]} == *-[ODA]* ]]; then builtin compadd "$@"; return; fi
  local -a hits; builtin compadd -O hits "$@"; print -rl -- $hits >> hits; builtin compadd "$@"; }'
zpty -w shell 'finish() { print ready >> done; zle send-break }; zle -N finish; bindkey "^X" finish; bindkey "^I" complete-word; print -r -- go''ing'
zpty -r shell answer '*going*'
zpty -w -n shell "$2"$'\t\x18'
for i in {1..1000}; do [[ -s done ]] && break; sleep 0.01; done
[[ -s done ]] || { print -r -- "no answer: $answer"; exit 1; }
zpty -d shell
cat hits
rm -f hits done`
	return inShell(t, script, "zsh", "-f", "-c", command, "zsh", script, line)
}

// completeFish asks fish itself. It gives the whole word, also of --flag=value.
func completeFish(t *testing.T, script, line string) []string {
	got := inShell(t, script, "fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, line)
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], "\t")
		if flag, value, found := strings.Cut(got[i], "="); found && strings.HasPrefix(flag, "--") {
			got[i] = value
		}
	}
	return got
}
