package answers

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/simulate"

	"auditpatch/internal/lazyregexp"
)

// retentionFlags are those of policy retention.
type retentionFlags struct {
	chosen
	*observed
	disk     string
	days     int64
	compress bool
}

func (p *program) retentionCommand() *cli.Command {
	f := &retentionFlags{observed: p.newObserved("policy retention")}
	const wish = "1. What is wanted"
	return p.Command(&cli.Command{
		Name:  "retention",
		Usage: "rotation settings for a disk or a number of days, by what is really written",
		Description: "Measures how much a log grows, and makes maxage, maxbackup, maxsize and compress of it: as many\n" +
			"days as fit on a disk, or the disk for as many days. With --policy or --preset the rate is that of\n" +
			"the log under this policy, as policy simulate has it. It says what would have to give where 30 days,\n" +
			"which CIS asks for, do not fit, and prints the command that sets it. Nothing is changed.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "disk", Destination: &f.disk, Category: wish, Usage: "`SIZE` that the log may take, such as 10G or 500M"},
			&cli.Int64Flag{Name: "days", Destination: &f.days, Category: wish, Usage: "`DAYS` that the log is to reach back; without this and --disk, 30"},
			&cli.BoolFlag{Name: "audit-log-compress", Destination: &f.compress, Category: wish, Usage: "pack rotated files; without it, they are packed where it is needed"},
		}, f.chosen.flags("the rate of the log under this policy"), f.observed.flags(), p.OutputFlags()),
		Action: func(c *cli.Context) error { return p.retention(c, f) },
	})
}

// diskSize is a size as people type it. The units are those of the rotation flags: 1 M is
// 1024*1024 bytes.
var diskSize = lazyregexp.New(`^([0-9]+(?:\.[0-9]+)?) ?([KMGT]?)(?:I?B)?$`)

func parseSize(flag, text string) (int64, error) {
	bad := hint.Errorf(hint.Spaced(flag, "10G"), "--%s %q: it is no size", flag, text)
	m := diskSize().FindStringSubmatch(strings.ToUpper(strings.TrimSpace(text)))
	if m == nil {
		return 0, bad
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if m[2] != "" {
		n *= math.Pow(1024, float64(1+strings.Index("KMGT", m[2])))
	}
	if err != nil || n > 1<<60 {
		return 0, hint.Errorf(hint.Spaced(flag, "10G"), "--%s %q: no disk is so large", flag, text)
	}
	if n < simulate.MinDisk {
		return 0, hint.Errorf(hint.Spaced(flag, "10G"), "--%s %q: a log takes 10M at least", flag, text)
	}
	return int64(n), nil
}

func (p *program) retention(c *cli.Context, f *retentionFlags) error {
	w := simulate.Wish{Days: f.days}
	var err error
	if f.disk != "" {
		if w.Disk, err = parseSize("disk", f.disk); err != nil {
			return err
		}
	}
	if f.days < 0 || c.IsSet("days") && f.days == 0 || f.days > 36500 {
		return hint.Errorf(hint.Spaced("days", "30"), "--days %d: from 1 to 36500", f.days)
	}
	if c.IsSet("audit-log-compress") {
		w.Compress = &f.compress
	}
	r, err := f.request(p, c)
	if err != nil {
		return err
	}
	if err := p.EndsItself(); err != nil {
		return err
	}
	out, err := f.run(c, r)
	if err != nil {
		return err
	}
	if out.Log.All.Events == 0 {
		return f.unread(out)
	}
	w.Rate, w.Times = out.Rate(f.tally(out)), out.Ratio.Times
	if w.Rate.Mean <= 0 {
		return hint.Errorf(hint.Spaced("log", "FILE"), "the log has no two events at different times, or the policy writes none: there is no rate to reckon with")
	}
	if w.Compress == nil && f.logging.Rotation != nil && f.logging.Rotation.Compress {
		packed := true
		w.Compress = &packed // what is set stays
	}
	planned := plan{wish: w, settings: simulate.Plan(w), report: out, logging: f.logging, of: f.policyName(r)}
	if p.JSON() {
		p.PrintJSON(planned.document())
	} else {
		p.printPlan(planned)
	}
	return f.unread(out)
}

// request replays the log under the policy that was chosen, or the node's.
func (f *retentionFlags) request(p *program, c *cli.Context) (r simulate.Request, err error) {
	name, err := f.chosen.name()
	if err != nil {
		return r, err
	}
	if err := oneStdin(append(f.names.Value(), name)...); err != nil {
		return r, err
	}
	if r.Logs, err = f.find(c); err != nil {
		return r, err
	}
	if name != "" {
		r.New, err = p.policy("policy", name)
		return r, err
	}
	r.New, err = policy.Load("everything", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"))
	return r, err
}

// tally is what the rate is of: the log as it is, unless a policy was chosen.
func (f *retentionFlags) tally(r *simulate.Report) *simulate.Tally {
	if f.chosen == (chosen{}) {
		return r.Log
	}
	return r.New
}

func (f *retentionFlags) policyName(r simulate.Request) string {
	if f.chosen == (chosen{}) {
		return ""
	}
	return r.New.Name()
}

// plan is what a wish comes to, for printing.
type plan struct {
	wish     simulate.Wish
	settings simulate.Settings
	report   *simulate.Report
	logging  Logging
	of       string // the policy that the rate is of, "" for the log as it is
}

func (p *program) printPlan(pl plan) {
	s, rate := pl.settings, pl.wish.Rate
	under := "as the log is"
	if pl.of != "" {
		under = "under " + pl.of
	}
	p.Outf("rate     %s an hour on average, %s in the busiest hour, %s", size(int64(rate.Mean)), size(int64(rate.Peak)), under)
	p.Outf("         from %s in %s; reckoned with %s an hour: %s", counted(pl.report.Log.All.Events, "event"), lasting(pl.report.Span()), size(int64(s.Rate)), s.Basis)
	p.Outf("packing  %s", packing(pl.report.Ratio))
	p.Outf("settings files of %d MB, %s, for %s%s", s.MaxSize, files(s.MaxBackup), days(s.MaxAge), map[bool]string{true: ", packed"}[s.Compress])
	p.Outf("history  %s; %s at the average rate, %s if each hour were like the busiest", reaches(s.History),
		lasting(s.Keeps(rate.Mean, pl.wish.Times).Least), lasting(s.Keeps(rate.Peak, pl.wish.Times).Least))
	p.Outf("disk     at most %s%s", size(s.Disk), pl.brief())
	for _, w := range pl.warnings() {
		p.Say("warning", w)
	}
	p.Outf("")
	p.Outf("auditpatch enable %s", strings.Join(s.Flags(), " "))
}

// brief tells what the disk is for beside the rotated files.
func (pl plan) brief() string {
	if pl.settings.Compress {
		return ": while a file is packed it is there twice, and the live file is never packed"
	}
	return ": the live file and the rotated ones"
}

func packing(r simulate.Ratio) string {
	if r.Times <= 1 {
		return "unknown: " + r.From
	}
	return fmt.Sprintf("%.1f times smaller, by %s", r.Times, r.From)
}

// warnings are what does not fit, and how little is known.
func (pl plan) warnings() (out []string) {
	s, w := pl.settings, pl.wish
	if n := s.Needs; n.Days > 0 {
		out = append(out, pl.outOfReach(n))
	}
	if w.Days > 0 && w.Days < 30 {
		out = append(out, fmt.Sprintf("%s are less than the 30 that CIS asks for: maxage is 30, and the number of files keeps it to what was asked", days(w.Days)))
	}
	if w.Disk > 0 && s.Disk > w.Disk {
		out = append(out, fmt.Sprintf("these settings take up to %s, more than the %s that were asked for", size(s.Disk), size(w.Disk)))
	}
	if s.MaxBackup < 10 || s.MaxSize < 100 {
		out = append(out, fmt.Sprintf("CIS asks for 10 rotated files of 100 MB, which are 1.1 GB: %d of %d MB do not pass it", s.MaxBackup, s.MaxSize))
	}
	if s.Compress && w.Times <= 1 {
		out = append(out, "how well the log packs is unknown: the disk is reckoned without it")
	}
	if l := pl.logging; l.FreeKnown && s.Disk > l.Free+l.Used {
		out = append(out, fmt.Sprintf("the log's file system has %s free, and the log takes %s now: %s do not fit", size(l.Free), size(l.Used), size(s.Disk)))
	}
	if covers := pl.report.Span(); covers < 24*time.Hour {
		out = append(out, fmt.Sprintf("the log covers %s: what a day writes is a guess, and a week's bursts are not in it", lasting(covers)))
	}
	if gaps := pl.report.Gaps(); gaps != "" {
		out = append(out, gaps)
	}
	if pl.report.Logs > 1 {
		out = append(out, fmt.Sprintf("the rate is the average of %d logs: a node that writes more needs more", pl.report.Logs))
	}
	return out
}

// outOfReach says that so many days do not fit, and what would have to give.
func (pl plan) outOfReach(n simulate.Needs) string {
	ways := []string{fmt.Sprintf("%s of disk", size(n.DiskPlain))}
	if n.DiskPacked > 0 {
		ways = append(ways, fmt.Sprintf("%s of disk with --audit-log-compress", size(n.DiskPacked)))
	}
	ways = append(ways, fmt.Sprintf("a policy that writes no more than %.0f %% of this (auditpatch policy trim)", math.Floor(n.VolumeShare*100)), "or to ship the events elsewhere")
	who := ""
	if n.Days == 30 {
		who = ", which CIS asks for,"
	}
	return fmt.Sprintf("%s%s are out of reach: it would take %s", days(n.Days), who, strings.Join(ways, ", "))
}

// retained is the JSON of policy retention, and has the fields of that documented object.
type retained struct {
	Changed      bool            `json:"changed"` // always false
	Policy       string          `json:"policy,omitempty"`
	BytesPerHour int64           `json:"bytesPerHour"`
	PeakHour     int64           `json:"bytesInPeakHour"`
	Reckoned     int64           `json:"bytesPerHourReckoned"`
	Basis        string          `json:"basis"`
	CoversHours  float64         `json:"coversHours"`
	Packing      simulate.Ratio  `json:"packing"`
	Settings     rotationJSON    `json:"settings"`
	History      historyJSON     `json:"history"`
	Enough       bool            `json:"enough"` // what was asked for fits
	Needs        *simulate.Needs `json:"needs,omitempty"`
	FreeBytes    *int64          `json:"freeBytes"` // null where it is not known
	Warnings     []string        `json:"warnings"`
	Flags        []string        `json:"flags"` // of auditpatch enable
}

func (pl plan) document() retained {
	s := pl.settings
	out := retained{
		Policy: pl.of, BytesPerHour: int64(pl.wish.Rate.Mean), PeakHour: int64(pl.wish.Rate.Peak), Reckoned: int64(s.Rate), Basis: s.Basis,
		CoversHours: pl.wish.Rate.Hours, Packing: pl.report.Ratio, Settings: rotation{Rotation: s.Rotation}.document(), History: historyOf(s.History),
		Enough: s.Enough, Warnings: append([]string{}, pl.warnings()...), Flags: s.Flags(),
	}
	if s.Needs.Days > 0 {
		out.Needs = &s.Needs
	}
	if pl.logging.FreeKnown {
		out.FreeBytes = &pl.logging.Free
	}
	return out
}
