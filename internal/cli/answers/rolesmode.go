package answers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/answer/roles"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
)

// rolesFlags are those of --rbac and --unused.
type rolesFlags struct {
	rbac                    bool
	unused                  string
	name, subject, names    string
	includeDenied, defaults bool

	granted []roles.Granted // in the file of --unused
	others  []string        // that is in it besides
}

// namesModes are the values of --names.
var namesModes = []string{"auto", "always", "never"}

// rolesMode prints the roles that would have allowed what users did, or what a role grants that
// they did not use.
func rolesMode(q *question) mode {
	f := &rolesFlags{}
	return mode{
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "rbac", Destination: &f.rbac, Category: shownCategory, Usage: "the smallest roles and bindings that would have allowed what --user did, as YAML for kubectl apply -f -"},
			&cli.StringFlag{Name: "unused", Destination: &f.unused, Category: shownCategory, Usage: "what the Roles and ClusterRoles in `FILE` grant and nobody used; with --rbac, the same roles without that"},
			&cli.StringFlag{Name: "names", Destination: &f.names, Value: "auto", Category: shownCategory, Usage: "whether the roles of --rbac name objects: auto, always or never (`WHEN`); auto does where a rule has at most ten names that will last"},
			&cli.BoolFlag{Name: "include-denied", Destination: &f.includeDenied, Category: shownCategory, Usage: "--rbac also allows what RBAC refused"},
			&cli.BoolFlag{Name: "with-defaults", Destination: &f.defaults, Category: shownCategory, Usage: "--rbac also allows what everybody may do anyhow, such as discovery"},
			&cli.StringFlag{Name: "rbac-name", Destination: &f.name, Category: shownCategory, Usage: "`NAME` of the roles of --rbac; auditpatch:USER or auditpatch-to:SUBJECT unless it is given"},
			&cli.StringFlag{Name: "rbac-subject", Destination: &f.subject, Category: shownCategory, Usage: "bind the roles of --rbac to `SUBJECT` in the user's place: user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME"},
		},
		outputs: []string{"text", "json"},
		asked: func() string {
			switch {
			case f.unused != "":
				return "unused"
			case f.rbac:
				return "rbac"
			}
			return ""
		},
		prepare: func() error { return q.prepareRoles(f) },
		answer:  func() (answer, error) { return q.roles(f) },
	}
}

// prepareRoles checks the flags, and reads what roles grant.
func (q *question) prepareRoles(f *rolesFlags) error {
	if err := f.check(q.given["user"]); err != nil || f.unused == "" {
		return err
	}
	if f.unused == "-" && slices.ContainsFunc(q.logs, func(l read.Log) bool { return l.Stdin != nil }) {
		return hint.New(hint.Spaced("unused", "FILE"), "--log and --unused: only one can be standard input")
	}
	in, err := q.ReadInput("unused", f.unused)
	if err != nil {
		return err
	}
	f.granted, f.others, err = roles.ReadGranted(in.Name, in.Data)
	return err
}

// roles makes the answer. Its filter does not ask who logged in: what somebody else did as the
// user is the user's, too.
func (q *question) roles(f *rolesFlags) (answer, error) {
	o := roles.Options{IncludeDenied: f.includeDenied, Defaults: f.defaults, Together: f.subject != "", Subject: f.subject,
		Names: []roles.Names{roles.Auto, roles.Always, roles.Never}[slices.Index(namesModes, f.names)]}
	if len(q.given["user"]) > 0 {
		who, err := newFilter(map[string][]string{"user": q.given["user"]})
		if err != nil {
			return nil, err
		}
		o.Who = func(user string) bool {
			return who.Match(&event.Event{User: event.Subject{Has: true, Name: []byte(user)}})
		}
		others := maps.Clone(q.given)
		delete(others, "user")
		if q.filter, err = newFilter(others); err != nil {
			return nil, err
		}
	}
	if f.unused == "" {
		return &rolesAnswer{q, f, roles.New(o)}, nil
	}
	return &unusedAnswer{rolesAnswer{q, f, roles.NewComparison(o)}, f.granted, f.others}, nil
}

func (f *rolesFlags) check(users []string) error {
	if !slices.Contains(namesModes, f.names) {
		return hint.Errorf(hint.Spaced("names", "auto"), "--names %q: it is %s", f.names, spelling.Either(namesModes))
	}
	if f.name != "" {
		if err := roles.CheckName(f.name); err != nil {
			return fmt.Errorf("--rbac-name: %w", err)
		}
	}
	if f.subject != "" {
		if _, err := roles.ParseSubject(f.subject); err != nil {
			return fmt.Errorf("--rbac-subject: %w", err)
		}
	}
	if f.unused == "" && len(users) == 0 {
		return hint.New(hint.Switch("rbac").Spaced("user", "alice"), "--rbac: --user is missing, whose roles these are to be")
	}
	return nil
}

// rolesAnswer is that of --rbac.
type rolesAnswer struct {
	*question
	flags *rolesFlags
	*roles.Collector
}

func (a *rolesAnswer) Fields() event.Fields { return roles.Fields }

func (a *rolesAnswer) Add(e *event.Event) error {
	if err := a.Collector.Add(e); err != nil {
		if a.flags.unused != "" { // it needs the names
			return hint.Errorf(hint.Spaced("since", "24h").Then(", or ", hint.Spaced("user", "alice")), "--unused: %v", err)
		}
		return hint.Errorf(hint.Spaced("names", "never").Then(", or ", hint.Spaced("since", "24h")), "--rbac: %v", err)
	}
	return nil
}

func (a *rolesAnswer) Print(total read.Total) error {
	sets := a.Sets(a.flags.name)
	if len(sets) == 0 {
		return hint.Errorf(hint.Command("events").Without(hint.NodeFlags...), "the log has no request of %s", strings.Join(a.given["user"], ", "))
	}
	if len(sets) > 1 && a.flags.name != "" {
		return hint.Errorf(hint.Spaced("user", sets[0].User).Then(", or ", hint.Spaced("rbac-subject", "group:devs")),
			"--rbac-name: %d users match --user, and roles of one name would replace each other", len(sets))
	}
	if a.JSON() {
		a.PrintJSON(a.report(sets))
	}
	for _, s := range sets {
		if !a.JSON() {
			if total.Cut {
				if _, err := fmt.Fprintln(a.out, "# The log was not read to its end."); err != nil {
					return err
				}
			}
			if err := s.WriteYAML(a.out, a.subject(s)); err != nil {
				return err
			}
		}
		for _, w := range s.Warnings() {
			a.Say("warning", w)
		}
	}
	a.Say("hint", "a log has what its policy records: auditpatch policy explain --policy FILE --kubectl \"get pods\"")
	return nil
}

// subject is to whom the roles of a set are bound.
func (a *rolesAnswer) subject(s roles.Set) roles.Subject {
	if a.flags.subject != "" {
		to, _ := roles.ParseSubject(a.flags.subject) // it was checked
		return to
	}
	return roles.SubjectOf(s.User)
}

// rolesReport is the JSON of --rbac.
type rolesReport struct {
	Changed bool        `json:"changed"`
	Sets    []setReport `json:"sets"`
}

type setReport struct {
	User     string       `json:"user"`
	Counts   roles.Counts `json:"counts"`
	Warnings []string     `json:"warnings"`
	Objects  []any        `json:"objects"`
}

func (a *rolesAnswer) report(sets []roles.Set) (r rolesReport) {
	for _, s := range sets {
		r.Sets = append(r.Sets, setReport{s.User, s.Counts, append([]string{}, s.Warnings()...), append([]any{}, s.Objects(a.subject(s))...)})
	}
	return r
}

// unusedAnswer is that of --unused.
type unusedAnswer struct {
	rolesAnswer
	granted []roles.Granted
	others  []string
}

func (a *unusedAnswer) Print(total read.Total) error {
	used := a.Compare(a.granted)
	counts := a.Counts()
	switch {
	case a.JSON():
		a.PrintJSON(struct {
			Changed  bool            `json:"changed"`
			Requests int64           `json:"requests"`
			Roles    []roles.RoleUse `json:"roles"`
		}{false, counts.Requests, used})
	case a.flags.rbac:
		if err := roles.WriteSmaller(a.out, used); err != nil {
			return err
		}
	default:
		for _, r := range used {
			for _, line := range r.Lines() {
				a.Outf("%s", line)
			}
		}
	}
	a.warn(used, counts, total)
	if counts.Requests == 0 {
		return exit.Status(exit.Differs)
	}
	return nil
}

// warn says what an answer to --unused does not cover.
func (a *unusedAnswer) warn(used []roles.RoleUse, counts roles.Counts, total read.Total) {
	if len(a.others) > 0 {
		slices.Sort(a.others)
		a.Say("warning", "--unused: left out "+strings.Join(slices.Compact(a.others), ", ")+", which is no Role or ClusterRole")
	}
	for _, r := range used {
		if r.Aggregated {
			a.Say("warning", "ClusterRole "+r.Name+" is aggregated: the API server fills in its rules from other ClusterRoles")
		}
	}
	if len(a.given["user"]) == 0 {
		a.Say("warning", "these are the requests of all users, whether or not the role is theirs: --user says whose count")
	}
	if total.Cut {
		a.Say("warning", "the log was not read to its end: what is not used so far may be used later in it")
	}
	if counts.Requests == 0 {
		a.Say("warning", "the log has no request that counts: nothing is known of what is used")
	}
}
