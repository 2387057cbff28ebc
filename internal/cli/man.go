package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/exit"
	"auditpatch/patch"
)

// The parts of the man page that the command tree does not tell.
var (
	manStatuses = []struct {
		status  int
		meaning string
	}{
		{0, "success, whether or not something had to be changed"},
		{exit.Differs, "differences: diff, status --check, policy diff; findings: policy lint, doctor, policy verdict --check; expectations that are not met: policy test; lines that are no event: policy explain --strict, events --strict; a log without events, or with --strict one that cannot be read in full: policy simulate, policy retention, policy trim"},
		{exit.Refused, "refused, failed or interrupted; nothing has changed, except that an earlier unfinished run may have been completed"},
		{exit.RolledBack, "failed, and rolled back: the earlier settings are in place and the API server is healthy"},
		{exit.NotRestored, "failed, and not restored: the message names the backup and the command that restores it; or audit logging is on, but kubeadm-config could not be changed as --persist asks; or the change was made, but its result could not be printed; or a bug in auditpatch ended the run"},
	}
	manFiles = []struct{ path, what string }{
		{DefaultManifest, "the manifest of kube-apiserver, which is rewritten in place"},
		{patch.DefaultPolicyPath, "the policy, 0600; one that is there keeps its mode and owner"},
		{patch.DefaultWebhookPath, "the kubeconfig of the webhook, 0600, if there is a webhook"},
		{"/var/log/kubernetes/audit/", "the folder of the log, 0700; one that is there stays as it is"},
		{"/var/lib/auditpatch/", "backups, and the journal of a run that is not finished, 0700"},
		{"/var/lib/auditpatch/spool", "audit events of a hand-over that is under way, 0600; spool-into names their log"},
		{"/run/auditpatch.lock", "keeps a second run out that has another state directory, 0600"},
	}
	manExamples = []struct{ what, command string }{
		{"See what would change, and change nothing:", "auditpatch diff"},
		{"Turn audit logging on, wait for the API server and prove that an event is written:", "auditpatch enable"},
		{"The same with a policy of your own, for log shippers in the group adm:", "auditpatch enable --policy mine.yaml --log-group adm"},
		{"Send events to a webhook as well:", "auditpatch enable --preset falco --webhook-url https://192.0.2.7:9765/k8s-audit"},
		{"From cron: say nothing, and exit with status 1 on any drift:", "auditpatch status --check --quiet"},
		{"As a filter:", "auditpatch enable --manifest - < kube-apiserver.yaml > new.yaml"},
		{"Undo the last change:", "auditpatch restore"},
		{"Put everything back, byte for byte:", "auditpatch disable"},
		{"Learn why the API server does not run:", "auditpatch doctor"},
	}
)

// ManPage is the page auditpatch(1) in the language mdoc(7), from the command
// tree. The program itself does not print it: packages install it.
func ManPage(version string, date time.Time) string {
	p := describe(version)
	app := p.app()
	m := &manual{commands: leaves(app.Name, app.Commands)}
	m.sortFlags()
	m.line(".Dd %s", date.UTC().Format("January 2, 2006"))
	m.line(".Dt AUDITPATCH 1")
	m.line(".Os auditpatch %s", escape(version))
	m.line(".Sh NAME\n.Nm auditpatch\n.Nd %s", escape(app.Usage))
	m.line(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar flag ...")
	m.line(".Sh DESCRIPTION")
	m.prose(app.Description)
	m.line(".Pp\nEverything is given with flags, which may be spelled with _ for \\-, as in kube\\-apiserver.")
	m.line("Results go to standard output, all else to standard error.")
	m.line(".Sh COMMANDS")
	for _, c := range m.commands {
		m.command(c)
	}
	m.options()
	m.appendix()
	return m.text.String()
}

// manual is a man page that is being written.
type manual struct {
	text     strings.Builder
	commands []leaf
	// shared are the flags of several commands, by category: they are told once.
	shared []flagGroup
}

// leaf is a command that does something, by its full name.
type leaf struct {
	path string
	*cli.Command
}

type flagGroup struct {
	category string
	flags    []manFlag
}

// manFlag is what a page tells of a flag. Flags of two commands are the same
// when all of it is.
type manFlag struct {
	names, placeholder, usage, preset, category string
}

func leaves(parent string, commands []*cli.Command) (list []leaf) {
	for _, c := range commands {
		path := parent + " " + c.Name
		if list = append(list, leaves(path, c.Subcommands)...); len(c.Subcommands) == 0 {
			list = append(list, leaf{path, c})
		}
	}
	return list
}

// sortFlags finds the flags that several commands have.
func (m *manual) sortFlags() {
	uses := map[manFlag]int{}
	for _, c := range m.commands {
		for _, f := range c.manFlags() {
			if uses[f]++; uses[f] != 2 {
				continue
			}
			i := slices.IndexFunc(m.shared, func(g flagGroup) bool { return g.category == f.category })
			if i < 0 {
				i, m.shared = len(m.shared), append(m.shared, flagGroup{category: f.category})
			}
			m.shared[i].flags = append(m.shared[i].flags, f)
		}
	}
	slices.SortFunc(m.shared, func(a, b flagGroup) int { return strings.Compare(a.category, b.category) })
}

func (c leaf) manFlags() (list []manFlag) {
	for _, f := range c.Flags {
		doc := f.(cli.DocGenerationFlag)
		category := f.(cli.CategorizableFlag).GetCategory()
		usage := strings.ReplaceAll(doc.GetUsage(), "`", "")
		m := manFlag{names: strings.Join(dashed(f), ", "), usage: usage, category: category}
		if doc.TakesValue() {
			m.placeholder, m.preset = "VALUE", strings.Trim(doc.GetDefaultText(), `"`)
			// What stands between `backquotes` is the name of the value.
			if parts := strings.Split(doc.GetUsage(), "`"); len(parts) == 3 {
				m.placeholder = parts[1]
			}
		}
		list = append(list, m)
	}
	return list
}

// command tells one command, with the flags that no other one has.
func (m *manual) command(c leaf) {
	m.line(".Ss %s", escape(c.path))
	m.line("%s.", escape(capital(c.Usage)))
	m.prose(c.Description)
	flags := c.manFlags()
	m.flags(slices.DeleteFunc(slices.Clone(flags), m.isShared))
	var refs []string
	for _, g := range m.shared {
		refs = append(refs, g.mention(flags)...)
	}
	if len(refs) > 0 {
		m.line(".Pp\nFlags of")
		m.line(".Sx OPTIONS :\n%s.", strings.Join(refs, ",\n"))
	}
}

func (m *manual) isShared(f manFlag) bool {
	return slices.ContainsFunc(m.shared, func(g flagGroup) bool { return slices.Contains(g.flags, f) })
}

// mention names those of the group's flags that a command has: the group, if
// it has all of them.
func (g flagGroup) mention(has []manFlag) (names []string) {
	for _, f := range g.flags {
		if slices.Contains(has, f) {
			long, _, _ := strings.Cut(f.names, ",")
			names = append(names, escape(long))
		}
	}
	if len(names) > 3 && len(names) == len(g.flags) {
		return []string{"all of " + escape(`"`+g.title()+`"`)}
	}
	return names
}

// title is the category without the number that sorts it.
func (g flagGroup) title() string {
	if _, title, found := strings.Cut(g.category, " "); found {
		return title
	}
	return "Others"
}

func (m *manual) flags(flags []manFlag) {
	if len(flags) == 0 {
		return
	}
	m.line(".Bl -tag -width Ds")
	for _, f := range flags {
		head := ".It " + escape(f.names)
		if f.placeholder != "" {
			head += " Ar " + escape(f.placeholder)
		}
		m.line("%s\n%s.", head, escape(capital(f.usage)))
		if f.preset != "" {
			m.line("The default is %s.", escape(f.preset))
		}
	}
	m.line(".El")
}

// options tells the flags that several commands have.
func (m *manual) options() {
	m.line(".Sh OPTIONS")
	m.line("Every command has \\-\\-help.")
	for _, g := range m.shared {
		m.line(".Ss %s", escape(g.title()))
		m.flags(g.flags)
	}
}

// appendix is what stands behind commands and flags.
func (m *manual) appendix() {
	m.line(".Sh FILES\n.Bl -tag -width Ds")
	for _, f := range manFiles {
		m.line(".It Pa %s\n%s.", escape(f.path), escape(capital(f.what)))
	}
	m.line(".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds")
	for _, s := range manStatuses {
		m.line(".It %d\n%s.", s.status, escape(capital(s.meaning)))
	}
	m.line(".El\n.Sh EXAMPLES")
	for i, e := range manExamples {
		if i > 0 {
			m.line(".Pp")
		}
		m.line("%s", escape(e.what))
		m.line(".Dl %s", escape(e.command))
	}
	m.line(".Sh SEE ALSO\n.Lk https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/")
}

// prose prints paragraphs; one whose lines are set in columns stays as it is.
func (m *manual) prose(text string) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		switch {
		case paragraph == "":
		case strings.Contains(paragraph, "   "):
			m.line(".Bd -literal\n%s\n.Ed", escapeLiteral(paragraph))
		default:
			m.line(".Pp\n%s", escape(paragraph))
		}
	}
}

func (m *manual) line(format string, a ...any) {
	fmt.Fprintf(&m.text, format+"\n", a...)
}

// escape is text that roff prints as it is, with every sentence on a line of
// its own: roff sets the space behind it.
func escape(text string) string {
	return strings.ReplaceAll(escapeLiteral(text), ". ", ".\n")
}

// escapeLiteral is text that roff prints as it is. A line that begins with a dot
// or a quote would be a command.
func escapeLiteral(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	text = strings.ReplaceAll("\n"+text, "\n.", "\n\\&.")
	return text[1:]
}

func capital(text string) string {
	if text == "" || strings.HasPrefix(text, "auditpatch") || strings.HasPrefix(text, "kube") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
