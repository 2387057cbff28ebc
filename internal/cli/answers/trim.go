package answers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/compose"
	"auditpatch/internal/policy/lint"
	"auditpatch/internal/simulate"
)

// trimFlags are those of policy trim.
type trimFlags struct {
	chosen
	*observed
	save, write       string
	people, overwrite bool
}

func (p *program) trimCommand() *cli.Command {
	f := &trimFlags{observed: p.newObserved("policy trim")}
	return p.Command(&cli.Command{
		Name:  "trim",
		Usage: "rules that would make a log smaller, with what each saves and hides",
		Description: "Looks in a log for reads that components and service accounts make again and again, and proposes\n" +
			"rules of level None for them. It never proposes to hide writes, secrets and other contents, ways into\n" +
			"containers, access rights, impersonation, anonymous callers, failures that the log has, nor people.\n" +
			"A rule cannot see how a request ends: later failures of what it hides are hidden too.\n" +
			"With --write it lays the rules over the policy, and proves by the log that nothing else changes.",
		Flags: slices.Concat(f.chosen.flags("the policy that they are laid over; without it, the node's"), []cli.Flag{
			&cli.StringFlag{Name: "save", Destination: &f.save, Category: commands.WhatCategory, Usage: "`SHARE` of the log's bytes to save, such as 80%; without it, each rule that saves 1 %, at most 20"},
			&cli.BoolFlag{Name: "people", Destination: &f.people, Category: commands.WhatCategory, Usage: "hide what people read, too"},
			&cli.StringFlag{Name: "write", Destination: &f.write, Category: commands.WhatCategory, Usage: "write the policy with these rules in front to `FILE`, - for standard output"},
			&cli.BoolFlag{Name: "overwrite", Destination: &f.overwrite, Category: commands.WhatCategory, Usage: "write it also where FILE is there already"},
		}, f.observed.flags(), p.OutputFlags()),
		Action: func(c *cli.Context) error { return p.trim(c, f) },
	})
}

func (p *program) trim(c *cli.Context, f *trimFlags) error {
	r, err := f.request(p, c)
	if err != nil {
		return err
	}
	if err := f.mayWrite(r); err != nil {
		return err
	}
	if err := p.EndsItself(); err != nil {
		return err
	}
	r.Progress = f.progress.show
	ctx, cancel := reading(c.Context, r.Logs)
	defer cancel()
	found, err := simulate.Trim(ctx, r)
	f.progress.clear()
	if err != nil {
		return readError(f.command, err)
	}
	found.Read.Cut = found.Read.Cut || c.Context.Err() != nil
	t := trimmed{Trimmed: found, base: r.Base}
	if len(found.Rules) > 0 && !fromStdin(r.Logs) && !found.Read.Cut {
		t.result, t.proof, err = found.Compose(c.Context, r)
		f.progress.clear()
		if err != nil {
			return err
		}
		t.proven, found.Read.Cut = !t.proof.Cut, t.proof.Cut
		t.findings = lint.Check("the trimmed policy", t.result.Text, policy.Version{}).Findings
	}
	unwritten := p.writeTrimmed(f, &t)
	if p.JSON() && unwritten == nil {
		p.PrintJSON(t.document())
	} else if !p.JSON() && (f.write != "-" || unwritten != nil) {
		if err := p.printTrimmed(f, t); err != nil {
			return err
		}
	}
	if unwritten != nil {
		return unwritten
	}
	return f.unread(&simulate.Report{Read: found.Read, Log: &simulate.Tally{All: found.All}})
}

// request is what the flags ask for.
func (f *trimFlags) request(p *program, c *cli.Context) (r simulate.TrimRequest, err error) {
	name, err := f.chosen.name()
	if err != nil {
		return r, err
	}
	if err := oneStdin(append(f.names.Value(), name)...); err != nil {
		return r, err
	}
	if r.Save, err = shareOf(f.save); err != nil {
		return r, err
	}
	if r.Logs, err = f.find(c); err != nil {
		return r, err
	}
	r.People, r.Strict = f.people, f.strict
	if name == "" {
		if r.Base = f.current(); r.Base != nil {
			r.Source = compose.Source{Name: f.logging.PolicyName, Data: f.logging.Policy}
		}
		return r, nil
	}
	from, text, err := p.policyText("policy", name)
	if err != nil {
		return r, err
	}
	r.Source = compose.Source{Name: from, Data: text}
	r.Base, err = policy.Load(from, text)
	return r, err
}

// shareOf reads 80% or 80.
func shareOf(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(n > 0 && n <= 100) {
		return 0, hint.Errorf(hint.Spaced("save", "80%"), "--save %q: it is no share, from 1%% to 100%%", text)
	}
	return n / 100, nil
}

// mayWrite refuses what cannot be written before the log is read.
func (f *trimFlags) mayWrite(r simulate.TrimRequest) error {
	if f.write == "" {
		return nil
	}
	if r.Base == nil {
		return hint.Errorf(hint.Spaced("policy", "FILE").Then(", or ", hint.Spaced("preset", "metadata")), "--write: the policy that the rules are laid over is missing")
	}
	if fromStdin(r.Logs) {
		return hint.Errorf(hint.Spaced("log", "FILE"), "--write: the log is read twice, to prove what the rules do, and standard input cannot be")
	}
	if f.write == "-" && f.JSON() {
		return hint.Errorf(hint.Spaced("write", "FILE"), "--write - and -o json: the JSON has the policy")
	}
	if folder := filepath.Dir(f.write); f.write != "-" && !isFolder(folder) {
		return hint.Errorf(hint.Shell("mkdir -p %s", folder), "--write %s: there is no folder %s", f.write, folder)
	}
	if f.write != "-" && isFolder(f.write) {
		return hint.Errorf(hint.Spaced("write", filepath.Join(f.write, "policy.yaml")), "--write %s: it is a folder", f.write)
	}
	if read.Holds(r.Logs, f.write) {
		return hint.Errorf(hint.Spaced("write", "policy.yaml"), "--write %s: it is one of the logs that are read, and would be lost", f.write)
	}
	if _, err := os.Lstat(f.write); err == nil && !f.overwrite && f.write != "-" {
		return hint.Errorf(hint.Spaced("write", f.write).Switch("overwrite"), "--write %s: there is such a file, and it would be overwritten", f.write)
	}
	return nil
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// writeTrimmed writes the policy. A file is whole or is not there.
func (p *program) writeTrimmed(f *trimFlags, t *trimmed) error {
	switch {
	case f.write == "" || t.Read.Cut || t.Read.Events == 0:
		return nil
	case !t.proven:
		return hint.Errorf(hint.Command(f.command).Switch("people"), "--write %s: there is no rule that is worth it, so there is nothing to write", f.write)
	case f.write == "-":
		if _, err := p.Stdout().Write(t.result.Text); err != nil {
			return fmt.Errorf("write the policy: %w", err)
		}
		for _, note := range slices.Concat(t.result.Notes, t.findingLines()) {
			p.Say("warning", note)
		}
		return nil
	}
	if err := writeWhole(f.write, t.result.Text, f.overwrite); err != nil {
		return err
	}
	t.changed = true
	p.SetChanged(hint.Command("policy lint").Spaced("policy", f.write))
	return nil
}

// writeWhole writes a file beside its place, and puts it there. It goes through no link: one
// that has the name is replaced.
func writeWhole(name string, text []byte, overwrite bool) (err error) {
	folder, base := filepath.Split(name) // not cleaned: behind a link, its .. is another folder
	beside := folder + "." + base + "-" + rand.Text()
	w, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("--write: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("--write: %w", errors.Join(err, os.Remove(beside)))
		}
	}()
	_, err = w.Write(text)
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		return err
	}
	if overwrite {
		return os.Rename(beside, name)
	}
	if err = os.Link(beside, name); errors.Is(err, fs.ErrExist) {
		return err // it has come since it was looked for
	} else if err != nil {
		return os.Rename(beside, name) // this file system has no links
	}
	return os.Remove(beside)
}

// trimmed are proposals, for printing.
type trimmed struct {
	*simulate.Trimmed
	base     *policy.Policy
	result   compose.Result
	proof    simulate.Proof
	proven   bool
	changed  bool
	findings []lint.Finding
}

func (t trimmed) findingLines() (out []string) {
	for _, f := range t.findings {
		out = append(out, fmt.Sprintf("the trimmed policy:%d:%d: %s (%s)", f.Line, f.Col, f.Message, f.Code.ID))
	}
	return out
}

func (p *program) printTrimmed(f *trimFlags, t trimmed) error {
	under := ""
	if t.base != nil {
		under = ", as " + t.base.Name() + " writes them"
	}
	p.Outf("log   %s, %s%s", counted(t.All.Events, "event"), size(t.All.Bytes), under)
	for i, r := range t.Rules {
		p.Outf("")
		p.Outf("%-5d saves %s of the bytes: %s, %s", i+1, simulate.Share(r.Bytes, t.All.Bytes), counted(r.Events, "event"), size(r.Bytes))
		p.Outf("      - %s", flow(r.Rule))
		p.Outf("      hides %s", r.Lost)
	}
	p.Outf("")
	p.Outf("all   %s, %s of the bytes: %s, %s", policy.Count(len(t.Rules)), simulate.Share(t.Saved.Bytes, t.All.Bytes), counted(t.Saved.Events, "event"), size(t.Saved.Bytes))
	if err := p.printStays(t); err != nil {
		return err
	}
	for _, note := range t.notes(f) {
		p.Outf("note  %s", note)
	}
	if t.proven {
		p.Outf("proof %s hidden, each of them as said; with %s nothing changes", counted(t.proof.Hidden, "event"), counted(t.proof.Same, "event"))
	}
	for _, note := range slices.Concat(t.result.Notes, t.findingLines()) {
		p.Say("warning", note)
	}
	if t.changed {
		p.Printf("%s: %s, checked with policy lint: %s", f.write, policy.Count(t.result.Rules), counted(int64(len(t.findings)), "finding"))
	}
	return nil
}

// printStays says what no rule hides, and why.
func (p *program) printStays(t trimmed) error {
	rows := [][]string{{"STAYS", "EVENTS", "BYTES", "SHARE"}}
	for _, reason := range simulate.Reasons() {
		if c := t.Stays[reason]; c.Events > 0 {
			rows = append(rows, []string{string(reason), strconv.FormatInt(c.Events, 10), size(c.Bytes), simulate.Share(c.Bytes, t.All.Bytes)})
		}
	}
	if len(rows) == 1 {
		return nil
	}
	p.Outf("")
	return p.Table(rows)
}

// notes are what whoever takes the rules should know.
func (t trimmed) notes(f *trimFlags) (out []string) {
	want, err := shareOf(f.save)
	if err == nil && want > 0 && float64(t.Saved.Bytes) < want*float64(t.All.Bytes) {
		out = append(out, fmt.Sprintf("%s cannot be saved: what stays is not to be hidden", f.save))
	}
	if t.Crowded {
		out = append(out, "the log has more than 100,000 kinds of requests: nothing is proposed, since not all failures are known")
	}
	if len(t.Rules) > 0 {
		out = append(out, "a rule cannot see how a request ends: if one of these fails later on, that is hidden too")
	}
	if t.Leases.Bytes*50 > t.All.Bytes {
		out = append(out, fmt.Sprintf("renewals of leases are %s of the bytes; they are writes, and stay: policy compose --quiet-leases hides them", simulate.Share(t.Leases.Bytes, t.All.Bytes)))
	}
	if t.base == nil {
		out = append(out, "the policy that recorded the log is not known: --policy FILE, for --write")
	} else if len(t.Rules) > 0 && f.write == "" {
		out = append(out, "the policy with these rules: --write FILE")
	}
	return out
}

// flow is a rule in one line of YAML.
func flow(r auditv1.PolicyRule) string {
	parts := []string{"level: " + string(r.Level)}
	add := func(name string, list []string) {
		if len(list) > 0 {
			parts = append(parts, name+": "+quoted(list))
		}
	}
	add("users", r.Users)
	add("userGroups", r.UserGroups)
	add("verbs", r.Verbs)
	var groups []string
	for _, g := range r.Resources {
		groups = append(groups, fmt.Sprintf("{group: %q, resources: %s}", g.Group, quoted(g.Resources)))
	}
	if len(groups) > 0 {
		parts = append(parts, "resources: ["+strings.Join(groups, ", ")+"]")
	}
	add("namespaces", r.Namespaces)
	add("nonResourceURLs", r.NonResourceURLs)
	return "{" + strings.Join(parts, ", ") + "}"
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.QuoteToASCII(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// trimming is the JSON of policy trim, and has the fields of that documented object.
type trimming struct {
	Changed  bool            `json:"changed"`          // --write has written a file
	Base     string          `json:"policy,omitempty"` // that the rules are laid over
	Events   int64           `json:"events"`
	Bytes    int64           `json:"bytes"`
	Rules    []trimRule      `json:"rules"`
	Saved    trimCount       `json:"saved"`
	Stays    []trimStay      `json:"stays"`
	Proof    *simulate.Proof `json:"proof"`              // null where it could not be made
	Text     string          `json:"composed,omitempty"` // the policy with the rules
	Findings []string        `json:"findings"`           // of policy lint about it
	Cut      bool            `json:"cut"`
}

type trimCount struct {
	Events int64   `json:"events"`
	Bytes  int64   `json:"bytes"`
	Share  float64 `json:"share"` // of the bytes
}

type trimRule struct {
	trimCount
	Rule auditv1.PolicyRule `json:"rule"`
	Lost string             `json:"lost"`
}

type trimStay struct {
	Reason simulate.Reason `json:"reason"`
	trimCount
}

func (t trimmed) count(c simulate.Count) trimCount {
	return trimCount{c.Events, c.Bytes, float64(c.Bytes) / float64(max(t.All.Bytes, 1))}
}

func (t trimmed) document() trimming {
	out := trimming{Changed: t.changed, Events: t.All.Events, Bytes: t.All.Bytes, Rules: []trimRule{}, Saved: t.count(t.Saved), Stays: []trimStay{},
		Findings: append([]string{}, t.findingLines()...), Text: string(t.result.Text), Cut: t.Read.Cut}
	if t.base != nil {
		out.Base = t.base.Name()
	}
	for _, r := range t.Rules {
		out.Rules = append(out.Rules, trimRule{t.count(r.Count), r.Rule, r.Lost})
	}
	for _, reason := range simulate.Reasons() {
		if c := t.Stays[reason]; c.Events > 0 {
			out.Stays = append(out.Stays, trimStay{reason, t.count(c)})
		}
	}
	if t.proven {
		out.Proof = &t.proof
	}
	return out
}
