// Package presets holds the audit policies that come with the tool.
//
// Each is a YAML file that an operator can read, with a comment on each rule.
// All lists them, the recommended one first; Get finds one by its name; Policy
// returns the text that is to be installed. What a preset is for, what it costs
// and what it does not show stands in the head of its file and nowhere else, so
// that a list of presets says the same as the installed file.
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
// unless there is a reason, more of it, less of it, then special purposes.
var names = []string{
	"baseline",
	"metadata",
	"writes",
	"kubernetes-docs",
	"pod-deletions",
	"falco",
	"none",
}

// Default is the name of the preset for whoever does not choose.
const Default = "baseline"

// Preset is one policy with what there is to know before choosing it.
type Preset struct {
	Name       string
	Purpose    string // one line
	Cost       string // how much it writes, and what of that is large
	Hides      string // what it does not show
	Leaks      string // contents of sensitive objects that it writes; empty for none
	Namespaced bool   // Policy takes namespaces

	text string
}

// All returns the presets, the recommended one first.
func All() []Preset {
	var all []Preset
	for _, name := range names {
		all = append(all, read(name))
	}
	return all
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

// anywhere is the line that stands in a file where namespaces may be put.
const anywhere = "    # in every namespace\n"

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
	line := "    namespaces: [" + strings.Join(quoted, ", ") + "]\n"
	return []byte(strings.ReplaceAll(p.text, anywhere, line)), nil
}

// read takes a preset out of the binary. The files are compiled in under these
// names and have a head: the tests see to that.
func read(name string) Preset {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		panic(err)
	}
	p := Preset{Name: name, text: string(text)}
	p.Namespaced = strings.Contains(p.text, anywhere)
	head := readHead(p.text)
	p.Purpose, p.Cost, p.Hides, p.Leaks = head["Purpose"], head["Cost"], head["Hides"], head["Leaks"]
	return p
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
