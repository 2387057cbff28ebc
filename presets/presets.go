// Package presets holds the audit policies that come with the tool.
//
// Each is a YAML file that an operator can read, with a comment on each rule.
// All lists them, the recommended one first; Get finds one by its name; Policy
// returns the text that is to be installed. The Record of a preset, what it is
// for, what it costs and what it does not show, stands in the head of its file
// and nowhere else, so that a list of presets says the same as the installed
// file. What the evaluator can tell, tests compare with the head.
package presets

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"auditpatch/internal/spelling"
)

//go:embed *.yaml
var files embed.FS

// names are all presets in the order in which they are listed: what to take
// unless there is a reason, more of it, less of it, special purposes, what
// others prescribe or publish, and the two ends.
var names = []string{
	"baseline",
	"metadata",
	"writes",
	"incident",
	"who-reads-secrets",
	"pod-deletions",
	"falco",
	"cis",
	"stig",
	"kubernetes-docs",
	"gke",
	"openshift-default",
	"openshift-write-bodies",
	"openshift-all-bodies",
	"everything",
	"none",
}

// Default is the name of the preset for whoever does not choose.
const Default = "baseline"

// Preset is one policy with what there is to know before choosing it.
type Preset struct {
	Name string
	Record
	Namespaced bool // Policy takes namespaces

	text string
}

// Record is what the head of a preset's file says of it.
type Record struct {
	Purpose string // one line
	For     string // whom it is for
	Volume  string // one or a few words, such as "very low"
	Cost    string // how much it writes, and what of that is large
	Hides   string // what it does not show, in short
	Leaks   string // contents of sensitive objects that it writes, in short; empty for none
	// MayLeak are the kinds of objects whose contents get into the log, at least of
	// some requests: those of [Sensitive]. Of every other kind none do.
	MayLeak []string
	Sources string   // where the facts are from
	Passes  []string // the checkers that look into a policy and find no fault
	Fails   []Failure
	Lint    []Exception
}

// Failure is a checker that a preset does not pass, and why it does not.
type Failure struct{ Checker, Why string }

// Exception are findings of policy lint, by their codes, that a preset has on purpose.
type Exception struct {
	Codes []string
	Why   string
}

// Sensitive are the kinds of objects that Record.MayLeak tells of. The last stands for
// objects whose contents nobody can know.
func Sensitive() []string {
	return []string{"secrets", "configmaps", "serviceaccounts/token", "tokenreviews",
		"certificatesigningrequests", "podcertificaterequests", "custom resources"}
}

// LeaksSecrets tells whether contents of Secrets get into the log: who wants that
// has to say so.
func (p Preset) LeaksSecrets() bool { return slices.Contains(p.MayLeak, "secrets") }

// All returns the presets, the recommended one first.
func All() []Preset {
	var all []Preset
	for _, name := range names {
		all = append(all, read(name))
	}
	return all
}

// Has tells whether there is a preset of that name.
func Has(name string) bool { return slices.Contains(names, name) }

// Near is the preset that was probably meant by a name, itself among them; "" for none.
func Near(name string) string {
	if Has(name) {
		return name
	}
	return spelling.Nearest(name, names)
}

// Get returns the preset of that name. The error lists the names, and proposes
// the one that was probably meant.
func Get(name string) (Preset, error) {
	if slices.Contains(names, name) {
		return read(name), nil
	}
	choice := "there are " + strings.Join(names, ", ")
	if near := spelling.Nearest(name, names); near != "" {
		choice = fmt.Sprintf("did you mean %q? %s", near, choice)
	}
	return Preset{}, fmt.Errorf("no preset %q: %s", name, choice)
}

// anywhere is the line that stands in a file where namespaces may be put, across where
// lists across all namespaces are to stay in: their namespace is empty.
const (
	anywhere = "    # in every namespace\n"
	across   = "    # in every namespace, and lists across all of them\n"
)

// Policy returns the policy file, for the namespaces where there are any. Only a
// preset that is Namespaced takes them.
func (p Preset) Policy(namespaces []string) ([]byte, error) {
	if len(namespaces) == 0 {
		return []byte(p.text), nil
	}
	if !p.Namespaced {
		return nil, fmt.Errorf("preset %s takes no namespaces, it is about the whole cluster", p.Name)
	}
	var quoted []string
	for _, namespace := range namespaces {
		if faults := validation.IsDNS1123Label(namespace); len(faults) > 0 {
			return nil, fmt.Errorf("%q is not the name of a namespace: %s", namespace, strings.Join(faults, ", "))
		}
		if q := strconv.Quote(namespace); !slices.Contains(quoted, q) {
			quoted = append(quoted, q)
		}
	}
	these := strings.Join(quoted, ", ") + "]\n"
	put := strings.NewReplacer(anywhere, "    namespaces: ["+these, across, `    namespaces: ["", `+these)
	return []byte(put.Replace(p.text)), nil
}

// read takes a preset out of the binary. The files are compiled in under these
// names and have a head: the tests see to that.
func read(name string) Preset {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		panic(err)
	}
	p := Preset{Name: name, text: string(text)}
	p.Namespaced = strings.Contains(p.text, anywhere) || strings.Contains(p.text, across)
	head := readHead(p.text)
	p.Record = Record{
		Purpose: head["Purpose"], For: head["For"], Volume: head["Volume"], Cost: head["Cost"], Hides: head["Hides"],
		Leaks: head["Leaks"], MayLeak: list(head["May leak"]), Sources: head["Sources"], Passes: list(head["Passes"]),
	}
	for _, f := range list(head["Fails"]) {
		checker, why := reasoned(f)
		p.Fails = append(p.Fails, Failure{checker, why})
	}
	for _, f := range list(head["Lint"]) {
		codes, why := reasoned(f)
		p.Lint = append(p.Lint, Exception{strings.Split(codes, ", "), why})
	}
	return p
}

// reasoned is an item with its reason in parentheses.
func reasoned(item string) (what, why string) {
	what, why, _ = strings.Cut(strings.TrimSuffix(item, ")"), " (")
	return what, why
}

// list are the items of a field, which a semicolon separates.
func list(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, "; ")
}

// readHead reads the fields at the top of a file. Each begins with "# Name: ";
// lines that are indented further belong to the one above. A line of another
// form ends the head.
func readHead(text string) map[string]string {
	head := map[string]string{}
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if more, ok := strings.CutPrefix(line, "#   "); ok && last != "" {
			head[last] += " " + more
			continue
		}
		comment, ok := strings.CutPrefix(line, "# ")
		name, value, found := strings.Cut(comment, ": ")
		if !ok || !found {
			break
		}
		head[name], last = value, name
	}
	return head
}
