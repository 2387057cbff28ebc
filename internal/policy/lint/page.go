package lint

import (
	"fmt"
	"strings"
)

// Page is the reference of all codes, in Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString(`# Findings of policy lint

` + "`auditpatch policy lint`" + ` reports these findings, and ` + "`auditpatch policy rules --code AP060`" + ` prints one of them. An error is a fault for certain: the policy is refused, or a part of it does nothing. A warning is probably not what was meant, or costs a secret or a gap in the log. An info is style. The number of a finding never changes its meaning.

A comment switches off a finding for a line, or for a rule, and says why. Codes AP001 to AP015 cannot be switched off: kube-apiserver does not start with such a policy or, with AP001 to AP003, starts and passes over a part of it, and enable refuses it.

` + "```yaml" + `
# auditpatch:ignore AP066 this program asks for everything every second
- level: None
  users: ["system:serviceaccount:monitoring:agent"]
` + "```" + `

| code | name | severity | finds |
|---|---|---|---|
`)
	for _, c := range Codes() {
		fmt.Fprintf(&b, "| [%s](#%s-%s) | `%s` | %s | %s |\n", c.ID, strings.ToLower(c.ID), strings.ReplaceAll(c.Name, ".", ""), c.Name, c.Severity, c.Title)
	}
	for _, c := range Codes() {
		fmt.Fprintf(&b, "\n## %s %s\n\nSeverity %s: %s. %s\n\nInstead of\n\n```yaml\n%s```\n\nwrite\n\n```yaml\n%s```\n", c.ID, c.Name, c.Severity, c.Title, c.Why, c.Bad.shown(), c.Good.shown())
	}
	return b.String()
}

// maxShown is the longest line of an example that is shown whole.
const maxShown = 400

// shown is the example as a page has it. One is a line too long for any file.
func (e Example) shown() string {
	var b strings.Builder
	for line := range strings.Lines(e.Text) {
		if len(line) > maxShown {
			line = line[:40] + "... and so on\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// Text is all that there is to say about a code.
func (c *Code) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s): %s\n\n%s\n", c.ID, c.Name, c.Severity, c.Title, c.Why)
	for _, e := range []struct{ words, text string }{{"Instead of", c.Bad.shown()}, {"write", c.Good.shown()}} {
		fmt.Fprintf(&b, "\n%s\n\n", e.words)
		for line := range strings.Lines(e.text) {
			b.WriteString("    " + line)
		}
	}
	return b.String()
}
