package manifest

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/lazyregexp"
)

// rendered is what Go templates, Jinja and ERB put in the place of, and is never meant literally.
const rendered = `\{\{.*?(\}\}|$)|\{%.*?(%\}|$)|<%.*?(%>|$)`

// template matches what Go templates, Jinja, ERB and Terraform leave in a file
// that they have not rendered yet. <ip> is none of them: people blank out
// addresses like that in manifests that are whole.
var template = lazyregexp.New(rendered + `|\$\{[A-Za-z_][^}]*\}?|__[A-Z][A-Z0-9_]*__`)

// always matches the placeholders that never have a meaning of their own in a
// Pod; the others may be shell code.
var always = lazyregexp.New(rendered)

// placeholder finds the first template placeholder outside a comment.
func placeholder(src []byte) *Error {
	t := newText(src)
	for n := 1; n <= len(t.lines); n++ {
		s := t.line(n)
		at := template().FindStringIndex(s)
		if at == nil || strings.HasPrefix(strings.TrimSpace(s), "#") {
			continue
		}
		return refusePlaceholder(n, utf8.RuneCountInString(s[:at[0]])+1, s[at[0]:at[1]])
	}
	return nil
}

func refusePlaceholder(line, col int, word string) *Error {
	if r := []rune(word); len(r) > 40 {
		word = string(r[:40]) + "..."
	}
	return refuse(line, col, "there is a template placeholder here (%s): this is a template, not a manifest", word).
		hint("render the template first")
}

// checkPlaceholders looks at the decoded strings: everywhere for what is never
// meant literally, and for ${X} only where no shell code can be.
func (d *document) checkPlaceholders() *Error {
	var found *Error
	var walk func(n *yaml.Node, pattern *regexp.Regexp)
	walk = func(n *yaml.Node, pattern *regexp.Regexp) {
		if n.Kind == yaml.ScalarNode && found == nil {
			if word := pattern.FindString(n.Value); word != "" {
				found = refusePlaceholder(n.Line, n.Column, word)
			}
		}
		for i, c := range n.Content {
			p := pattern
			if n == d.containers && c != d.container || n.Kind == yaml.MappingNode && i%2 == 1 && scripted[n.Content[i-1].Value] {
				p = always()
			}
			walk(c, p)
		}
	}
	walk(d.root, template())
	return found
}

// scripted are the fields that may hold shell code.
var scripted = map[string]bool{"lifecycle": true, "livenessProbe": true, "readinessProbe": true, "startupProbe": true, "env": true, "initContainers": true}
