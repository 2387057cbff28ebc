package contract

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
	"auditpatch/presets"
)

// TestPagesPresets compares docs/presets.md with the presets, and with the level that
// the API server's evaluator gives to each request of the catalogue under each of them.
func TestPagesPresets(t *testing.T) {
	for _, p := range pages(t) {
		if p.Path != "docs/presets.md" {
			continue
		}
		all := presets.All()
		compareTables(t, p, map[string]string{
			"levels 1": levelTable(t, all[:len(all)/2]), "levels 2": levelTable(t, all[len(all)/2:]), "records": presetRecords(t, all),
		})
		return
	}
	t.Fatal("there is no docs/presets.md")
}

// loadPreset is a preset as the API server has it.
func loadPreset(t *testing.T, p presets.Preset) *policy.Policy {
	t.Helper()
	text, err := p.Policy(nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := policy.Load(p.Name+".yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// cells are the levels as the page has them.
var cells = map[string]string{"None": "-", "Metadata": "M", "Request": "R", "RequestResponse": "RR"}

func levelTable(t *testing.T, some []presets.Preset) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| request |")
	for _, p := range some {
		fmt.Fprintf(&b, " [%s](#%s) |", p.Name, p.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat(":-:|", len(some)) + "\n")
	topic := ""
	for _, r := range requests.All() {
		if r.Topic != topic {
			topic = r.Topic
			fmt.Fprintf(&b, "| **%s** |%s\n", topic, strings.Repeat(" |", len(some)))
		}
		fmt.Fprintf(&b, "| %s |", r.Name)
		for _, p := range some {
			fmt.Fprintf(&b, " %s |", cells[string(loadPreset(t, p).Evaluate(r.Request.Attributes()).Level)])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func presetRecords(t *testing.T, all []presets.Preset) string {
	t.Helper()
	var b strings.Builder
	for _, p := range all {
		loaded := loadPreset(t, p)
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n\n| | |\n|---|---|\n", p.Name, strings.ToUpper(p.Purpose[:1])+p.Purpose[1:])
		row := func(name, value string) {
			if value != "" {
				fmt.Fprintf(&b, "| %s | %s |\n", name, value)
			}
		}
		row("for", p.For)
		row("volume", p.Volume)
		row("costs", p.Cost)
		row("hides", p.Hides)
		row(unwritten(loaded))
		row("leaks", p.Leaks)
		row("may leak", strings.Join(p.MayLeak, ", "))
		row("passes", strings.Join(p.Passes, ", "))
		var fails []string
		for _, f := range p.Fails {
			fails = append(fails, f.Checker+": "+f.Why)
		}
		row("does not pass", strings.Join(fails, "<br>"))
		var lint []string
		for _, e := range p.Lint {
			lint = append(lint, strings.Join(e.Codes, ", ")+": "+e.Why)
		}
		row("lint finds", strings.Join(lint, "<br>"))
		if p.Namespaced {
			row("namespaces", "can be limited with `--namespace`")
		}
		row("facts from", p.Sources)
		row("rules", fmt.Sprint(loaded.Rules()))
	}
	return b.String() + "\n"
}

// unwritten is a row with the requests that leave no event or, where they are fewer, with
// those that do.
func unwritten(p *policy.Policy) (name, value string) {
	name, which := "not written", requests.Hidden(p)
	if written := requests.Written(p); len(written) < len(which) {
		name, which = "only written", written
	}
	var names []string
	for _, r := range which {
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		return name, "nothing"
	}
	return name, strings.Join(slices.Clip(names), "; ")
}
