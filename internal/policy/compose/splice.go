package compose

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/lazyregexp"
)

// edit puts text into the place of some bytes.
type edit struct {
	from, to int
	text     string
}

// splicer edits the base's text, of which it knows where each line begins.
type splicer struct {
	data  []byte
	lines []int
	end   string
	edits []edit
	ok    bool // false: the text cannot be edited so
}

// spliced is the base's text with the parts in front of its rules. ok is false for a
// text that is not written in blocks, or that has a shape which is better left alone.
func (c *composer) spliced(common []auditv1.Stage) (text []byte, ok bool) {
	var doc yaml.Node
	if err := yaml.Unmarshal(c.Base.Data, &doc); err != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, false
	}
	s := &splicer{data: c.Base.Data, lines: lineStarts(c.Base.Data), end: lineEnd(c.Base.Data), ok: true}
	root := doc.Content[0]
	key, rules := field(root, "rules")
	if rules == nil || rules.Kind != yaml.SequenceNode || rules.Style&yaml.FlowStyle != 0 || root.Style&yaml.FlowStyle != 0 ||
		rules.Line <= key.Line || len(rules.Content) != len(c.base.Rules) {
		return nil, false
	}
	if len(c.parts) > 0 {
		at := s.line(key.Line + 1)
		indent := strings.Repeat(" ", rules.Column-1)
		s.edits = append(s.edits, edit{at, at, c.block(common, indent, s.end)})
		s.head(c.composed())
	}
	if all := inOrder(c.base.OmitStages); len(common) < len(all) {
		s.replace(root, "omitStages", common)
		for i, n := range rules.Content {
			if c.base.Rules[i].Level != auditv1.LevelNone {
				own := inOrder(slices.Concat(all, c.base.Rules[i].OmitStages))
				s.leaveOut(n, slices.DeleteFunc(own, func(x auditv1.Stage) bool { return slices.Contains(common, x) }))
			}
		}
	}
	return s.apply(), s.ok
}

// lineStarts are the offsets at which lines begin.
func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// line is where a line begins, counted from 1.
func (s *splicer) line(n int) int {
	if n < 1 || n > len(s.lines) {
		s.ok = false
		return 0
	}
	return s.lines[n-1]
}

// at is where a node begins, so far as only ASCII stands before it in its line.
func (s *splicer) at(n *yaml.Node) int { return s.line(n.Line) + n.Column - 1 }

// replace sets a list of stages that is there, or takes it out.
func (s *splicer) replace(mapping *yaml.Node, name string, stages []auditv1.Stage) {
	key, value := field(mapping, name)
	if key == nil || value.Kind != yaml.SequenceNode || len(value.Content) == 0 {
		s.ok = false
		return
	}
	last := value.Content[len(value.Content)-1]
	if value.Style&yaml.FlowStyle != 0 && last.Line != key.Line {
		s.ok = false // where the bracket closes is not known
		return
	}
	text := name + ": " + list(stages)
	if len(stages) == 0 {
		text = "# omitStages: see each rule" // a rule of its own is never without
	}
	from, to := s.at(key), s.line(last.Line)
	if rest := bytes.IndexByte(s.data[min(to, len(s.data)):], '\n'); rest >= 0 {
		to += rest + 1
	} else {
		to = len(s.data)
	}
	if from > to || !bytes.HasPrefix(s.data[from:], []byte(key.Value)) {
		s.ok = false
		return
	}
	s.edits = append(s.edits, edit{from, to, text + comments(s.data[from:to]) + s.end})
}

// comments are those in some lines with stages, in one line. No stage has a # in it.
func comments(lines []byte) string {
	out := ""
	for line := range bytes.Lines(lines) {
		if at := bytes.IndexByte(line, '#'); at >= 0 {
			out += " " + strings.TrimSpace(string(line[at:]))
		}
	}
	return out
}

// head puts what the result is composed of in the place of the base's record, if it has
// one at its top as presets have: what a preset passes and hides is not so of the result.
func (s *splicer) head(composed []string) {
	if !bytes.Contains(s.data, []byte("# Purpose: ")) && !bytes.Contains(s.data, []byte("# Composed: ")) {
		return
	}
	in, first := false, true
	for i, from := range s.lines {
		to := len(s.data)
		if i+1 < len(s.lines) {
			to = s.lines[i+1]
		}
		line := s.data[from:to]
		if i == 0 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
			from = to - len(line)
		}
		if !bytes.HasPrefix(line, []byte("#")) {
			return
		}
		in = in && bytes.HasPrefix(line, []byte("#   ")) || record().Match(line)
		if !in {
			continue
		}
		text := ""
		if first {
			text, first = strings.Join(composed, s.end)+s.end, false
		}
		s.edits = append(s.edits, edit{from, to, text})
	}
}

// record are the first lines of the fields in the head of a preset, and in that of a
// composed policy.
var record = lazyregexp.New(`^# (Purpose|For|Volume|Cost|Hides|Leaks|May leak|Sources|Passes|Fails|Lint|Not written|Only written|Composed|Ask): `)

// leaveOut lets a rule of the base leave out stages, all of which it names.
func (s *splicer) leaveOut(rule *yaml.Node, stages []auditv1.Stage) {
	if rule.Kind != yaml.MappingNode || rule.Style&yaml.FlowStyle != 0 || rule.Column < 1 {
		s.ok = false
		return
	}
	if key, _ := field(rule, "omitStages"); key != nil {
		s.replace(rule, "omitStages", stages)
		return
	}
	at := s.at(rule)
	s.edits = append(s.edits, edit{at, at, "omitStages: " + list(stages) + s.end + strings.Repeat(" ", rule.Column-1)})
}

// apply makes the edits.
func (s *splicer) apply() []byte {
	slices.SortStableFunc(s.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out []byte
	done := 0
	for _, e := range s.edits {
		if e.from < done || e.to > len(s.data) {
			s.ok = false
			return nil
		}
		out = append(append(out, s.data[done:e.from]...), e.text...)
		done = e.to
	}
	return append(out, s.data[done:]...)
}

// field is a key of a mapping with its value, nil for none.
func field(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}
