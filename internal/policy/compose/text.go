package compose

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/glyph"
	"auditpatch/internal/policy"
)

// lineEnd is how the base ends its lines.
func lineEnd(data []byte) string {
	if bytes.Contains(data, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// result writes the text, at first as an edit of the base's. Where that cannot be done,
// or does not mean what it should, all of it is written anew, and the notes say so.
func (c *composer) result(base []rule) (Result, error) {
	out := Result{Notes: c.notes}
	for _, p := range c.parts {
		out.Parts = append(out.Parts, Part{p.name, len(p.rules)})
		out.Rules += len(p.rules)
	}
	out.Parts = append(out.Parts, Part{c.Base.Name, len(base)})
	out.Rules += len(base)
	common := c.common()
	if text, ok := c.spliced(common); ok && c.prove(text, base) == nil {
		out.Text = text
	} else {
		out.Text = c.written(common, base)
		out.Notes = append(out.Notes, c.Base.Name+" is written anew, without its comments: rules cannot be put into its text as it is")
	}
	if len(common) < len(inOrder(c.base.OmitStages)) {
		out.Notes = append(out.Notes, c.stagesMoved(common))
	}
	return out, c.prove(out.Text, base)
}

// stagesMoved tells why the base's own rules are not as they were.
func (c *composer) stagesMoved(common []auditv1.Stage) string {
	for _, p := range c.parts {
		for _, r := range p.rules {
			for _, s := range c.base.OmitStages {
				if r.Level != auditv1.LevelNone && !slices.Contains(r.OmitStages, s) && !slices.Contains(common, s) {
					return fmt.Sprintf("%s records the stage %s, which %s leaves out: that now stands in each of its rules; with omitStages: [%q] in the former it would not have to",
						r.from, s, c.Base.Name, s)
				}
			}
		}
	}
	return ""
}

// common are the stages that the result can leave out for all its rules.
func (c *composer) common() []auditv1.Stage {
	stages := inOrder(c.base.OmitStages)
	for _, p := range c.parts {
		for _, r := range p.rules {
			if r.Level != auditv1.LevelNone {
				stages = slices.DeleteFunc(stages, func(s auditv1.Stage) bool { return !slices.Contains(r.OmitStages, s) })
			}
		}
	}
	return stages
}

// prove loads a text and compares what it means with what its parts mean.
func (c *composer) prove(text []byte, base []rule) error {
	p, _, err := policy.LoadStartable("the composed policy", text, c.Version)
	if err != nil {
		return err
	}
	got, err := p.V1()
	if err != nil {
		return err
	}
	var want []rule
	for _, part := range c.parts {
		want = append(want, part.rules...)
	}
	want = append(want, base...)
	if len(got.Rules) != len(want) {
		return fmt.Errorf("the composed policy has %s instead of %d: this is a fault of auditpatch", policy.Count(len(got.Rules)), len(want))
	}
	for i, r := range got.Rules {
		if !reflect.DeepEqual(plain(complete(r, got)), plain(want[i].PolicyRule)) {
			return fmt.Errorf("rule %d of the composed policy is not that of %s: this is a fault of auditpatch", i, want[i].from)
		}
	}
	return nil
}

// plain is a rule in which no list and an empty one are the same.
func plain(r auditv1.PolicyRule) auditv1.PolicyRule {
	for _, list := range []*[]string{&r.Users, &r.UserGroups, &r.Verbs, &r.Namespaces, &r.NonResourceURLs} {
		*list = append([]string(nil), *list...)
	}
	groups := append([]auditv1.GroupResources(nil), r.Resources...)
	for i, g := range groups {
		groups[i] = auditv1.GroupResources{Group: g.Group, Resources: append([]string(nil), g.Resources...), ResourceNames: append([]string(nil), g.ResourceNames...)}
	}
	r.Resources, r.OmitStages = groups, append([]auditv1.Stage(nil), r.OmitStages...)
	return r
}

// composed is the head of the result.
func (c *composer) composed() []string {
	lines := []string{"# Composed: in this order, the first rule that matches decides"}
	for _, p := range c.parts {
		lines = append(lines, fmt.Sprintf("#   %s: %s", p.name, policy.Count(len(p.rules))))
	}
	lines = append(lines, fmt.Sprintf("#   %s: %s", c.Base.Name, policy.Count(len(c.base.Rules))),
		"# Ask: what it passes, leaks and hides is not what its parts do by themselves",
		"#   auditpatch policy verdict --policy FILE", "#   auditpatch policy lint --policy FILE",
		"#   auditpatch policy diff --from "+c.Base.typed()+" --to FILE")
	for i, line := range lines {
		lines[i] = strings.Map(printable, line)
	}
	return lines
}

// block is the text of all parts but the base, each line indented.
func (c *composer) block(common []auditv1.Stage, indent, end string) string {
	w := &writer{common: common, managed: c.base.OmitManagedFields, indent: indent, end: end}
	for _, p := range c.parts {
		for _, line := range p.comment {
			w.line("# %s", line)
		}
		from := ""
		for _, r := range p.rules {
			if r.comment != "" {
				w.line("# %s", r.comment)
			} else if r.from != from && strings.Contains(r.from, ":") && !strings.HasPrefix(r.from, "--") {
				w.line("# %s", r.from)
			}
			from = r.from
			w.rule(r.PolicyRule)
		}
		w.blank()
	}
	if len(common) < len(inOrder(c.base.OmitStages)) {
		w.line("# From here on %s, whose omitStages now stands in each rule.", c.Base.Name)
	} else {
		w.line("# From here on %s, as it is.", c.Base.Name)
	}
	return w.String()
}

// written is the whole result, of a base whose text cannot be edited.
func (c *composer) written(common []auditv1.Stage, base []rule) []byte {
	w := &writer{common: common, managed: c.base.OmitManagedFields, end: "\n"}
	w.line("apiVersion: audit.k8s.io/v1")
	w.line("kind: Policy")
	if len(common) > 0 {
		w.line("omitStages: %s", list(common))
	}
	if c.base.OmitManagedFields {
		w.line("omitManagedFields: true")
	}
	w.line("rules:")
	w.Builder.WriteString(c.block(common, "  ", "\n"))
	w.indent = "  "
	for _, r := range base {
		w.line("# %s", r.from)
		w.rule(r.PolicyRule)
	}
	return []byte(w.String())
}

// writer writes rules as YAML.
type writer struct {
	strings.Builder
	common      []auditv1.Stage // that the policy leaves out for all
	managed     bool            // what the policy says for all
	indent, end string
}

func (w *writer) line(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	if strings.HasPrefix(text, "#") {
		text = strings.Map(printable, text) // a file may have any name
	}
	w.WriteString(w.indent + text + w.end)
}

func printable(r rune) rune {
	if !glyph.Seen(r) {
		return '?'
	}
	return r
}

func (w *writer) blank() { w.WriteString(w.end) }

func (w *writer) rule(r auditv1.PolicyRule) {
	w.line("- level: %s", r.Level)
	w.list("users", r.Users)
	w.list("userGroups", r.UserGroups)
	w.list("verbs", r.Verbs)
	if len(r.Resources) > 0 {
		w.line("  resources:")
	}
	for _, g := range r.Resources {
		w.line("    - group: %s", strconv.QuoteToASCII(g.Group))
		w.list("    resources", g.Resources)
		w.list("    resourceNames", g.ResourceNames)
	}
	w.list("namespaces", r.Namespaces)
	w.list("nonResourceURLs", r.NonResourceURLs)
	if r.Level == auditv1.LevelNone {
		return
	}
	own := slices.DeleteFunc(slices.Clone(r.OmitStages), func(s auditv1.Stage) bool { return slices.Contains(w.common, s) })
	if len(own) > 0 {
		w.line("  omitStages: %s", list(own))
	}
	if m := r.OmitManagedFields; m != nil && *m != w.managed {
		w.line("  omitManagedFields: %t", *m)
	}
}

// list writes a list in one line, or an item a line where that would be long.
func (w *writer) list(key string, items []string) {
	if len(items) == 0 {
		return
	}
	inOne := list(items)
	if len(w.indent)+len(key)+len(inOne) < 96 {
		w.line("  %s: %s", key, inOne)
		return
	}
	w.line("  %s:", key)
	for _, item := range items {
		w.line("  %*s- %s", len(key)-len(strings.TrimLeft(key, " "))+2, "", strconv.QuoteToASCII(item))
	}
}

// list is a list in one line. Go's escapes are YAML's too.
func list[S ~string](items []S) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = strconv.QuoteToASCII(string(item))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
