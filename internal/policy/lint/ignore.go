package lint

import (
	"fmt"
	"slices"
	"strings"

	"auditpatch/internal/lazyregexp"
)

var ignoreCodes = []*Code{
	{ID: "AP090", Name: "ignore-comment", Severity: Info, Title: "a comment that switches off findings, and has a mistake",
		Why:  "A comment \"# auditpatch:ignore AP066 reason\" above a line, or at its end, switches that finding off for the line, and above a rule for the rule. One with an unknown code, without a reason or without anything to switch off misleads its reader.",
		Bad:  rules("# auditpatch:ignore AP066 monitoring asks every second\n- level: None\n  verbs: [get]\n  users: [monitor]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  users: [monitor]\n")},
}

// ignoreMark is a comment that switches off findings.
var ignoreMark = lazyregexp.New(`#\s*auditpatch:\s*ignore\b[ \t]*((?:AP[0-9]{3}[ \t,]*)*)(.*)`)

var codeMark = lazyregexp.New(`AP[0-9]{3}`)

// ignoring is such a comment.
type ignoring struct {
	line   int // the comment's own
	col    int
	covers int // the line that it is about
	codes  []string
	reason string
	used   map[string]bool // by code
}

// withoutIgnored takes out the findings that comments and the codes in ignore
// switch off, and adds those about the comments themselves.
func (l *linter) withoutIgnored(ignore []string) (kept, ignored []Finding) {
	comments := readIgnoring(string(l.src))
	for _, f := range l.findings {
		switch {
		case f.Code.Refusal():
			kept = append(kept, f)
		case l.ignored(f, comments):
			ignored = append(ignored, f)
		case !slices.Contains(ignore, f.Code.ID):
			kept = append(kept, f)
		}
	}
	if l.policy == nil || slices.Contains(ignore, "AP090") {
		return kept, ignored // what is switched off is not known yet
	}
	for _, c := range comments {
		if problem, hint := c.problem(ignore); problem != "" {
			kept = append(kept, Finding{Code: byID["AP090"], Line: c.line, Col: c.col, Message: problem, Hint: hint})
		}
	}
	sortFindings(kept)
	return kept, ignored
}

// ignored reports whether a comment switches the finding off: one about its line,
// or about the first line of its rule.
func (l *linter) ignored(f Finding, comments []*ignoring) (off bool) {
	lines := []int{f.Line}
	if i := strings.Index(f.Field, "]"); i >= 0 && strings.HasPrefix(f.Field, "rules[") && l.text != nil {
		line, _ := l.text.Position(f.Field[:i+1])
		lines = append(lines, line)
	}
	for _, c := range comments {
		if slices.Contains(lines, c.covers) && slices.Contains(c.codes, f.Code.ID) {
			c.used[f.Code.ID], off = true, true
		}
	}
	return off
}

// readIgnoring finds the comments. One that has its line for itself is about the
// next line that is no comment.
func readIgnoring(text string) (out []*ignoring) {
	if !strings.Contains(text, "auditpatch:") {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		at := ignoreMark().FindStringSubmatchIndex(line)
		if at == nil || inQuotes(line[:at[0]]) {
			continue
		}
		c := &ignoring{line: i + 1, col: len([]rune(line[:at[0]])) + 1, covers: i + 1, used: map[string]bool{}, reason: strings.Trim(line[at[4]:at[5]], " \t\r:-")}
		c.codes = codeMark().FindAllString(line[at[2]:at[3]], -1)
		if strings.TrimSpace(line[:at[0]]) == "" {
			c.covers = next(lines, i)
		}
		out = append(out, c)
	}
	return out
}

// inQuotes reports whether the end of a line's beginning is within a quoted string. One
// that goes over several lines is not noticed.
func inQuotes(text string) bool {
	var open rune
	for i, c := range text {
		switch {
		case open == 0 && (c == '"' || c == '\'') && (i == 0 || strings.ContainsRune(" \t[{,:", rune(text[i-1]))):
			open = c
		case c == open && !(c == '"' && text[i-1] == '\\'):
			open = 0
		}
	}
	return open != 0
}

// next is the number of the next line after index i that is no comment.
func next(lines []string, i int) int {
	for i++; i < len(lines); i++ {
		if text := strings.TrimSpace(lines[i]); text != "" && !strings.HasPrefix(text, "#") {
			return i + 1
		}
	}
	return 0
}

// problem tells what is wrong with a comment; "" for nothing.
func (c *ignoring) problem(ignore []string) (problem, hint string) {
	const form = `write "# auditpatch:ignore AP066 reason"`
	unknown := slices.IndexFunc(c.codes, func(id string) bool { return byID[id] == nil })
	switch {
	case len(c.codes) == 0:
		return "the comment names no code", form
	case unknown >= 0:
		return fmt.Sprintf("there is no finding %s", c.codes[unknown]), "auditpatch policy rules lists them"
	case byID[c.codes[0]].Refusal():
		return fmt.Sprintf("%s cannot be switched off: such a policy is refused", c.codes[0]), "remove the comment"
	case c.reason == "":
		return fmt.Sprintf("the comment switches off %s without a reason", strings.Join(c.codes, ", ")), form
	}
	idle := slices.DeleteFunc(slices.Clone(c.codes), func(id string) bool { return c.used[id] || slices.Contains(ignore, id) })
	if len(idle) > 0 {
		return fmt.Sprintf("the comment switches off %s, and there is no such finding", strings.Join(idle, ", ")), either(len(idle) == len(c.codes), "remove the comment", "remove "+strings.Join(idle, ", "))
	}
	return "", ""
}
