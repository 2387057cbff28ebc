package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/lazyregexp"
)

// plainScalar matches text that needs no quotes in block and flow style. It
// is narrower than YAML: what is in doubt gets quotes.
var plainScalar = lazyregexp.New(`^(--)?[A-Za-z0-9/._][A-Za-z0-9/._=+@%-]*(:[A-Za-z0-9/._=+@%-]+)*$`)

// quote writes s as a scalar: plain where every reader sees the same string,
// else in double quotes.
func quote(s string) string {
	if plainScalar().MatchString(s) && isString(s) {
		return s
	}
	return doubleQuote(s)
}

// isString tells whether a plain scalar is a string to the kubelet's parser,
// to a newer one, and to those that know base 60: 010, 1e3, no, 12:30 and
// 2026-11-22 are not.
func isString(s string) bool {
	j, err := toJSON([]byte(s))
	docs, err2 := documents([]byte(s))
	return err == nil && err2 == nil && j[0] == '"' && docs[0].Content[0].Tag == "!!str" &&
		strings.ContainsFunc(s, unicode.IsLetter)
}

// doubleQuote is s in JSON's quotes, which YAML reads the same way when what
// it calls line breaks and controls is escaped.
func doubleQuote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""`
	}
	var out strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		if special(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// special tells what YAML does not take as it is: C1 controls, NEL among
// them, Unicode's line breaks, byte order marks and noncharacters.
func special(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff
}

// quoteAs writes s in the quotes that its neighbour has.
func quoteAs(style yaml.Style, s string) string {
	switch {
	case style&yaml.DoubleQuotedStyle != 0:
		return doubleQuote(s)
	case style&yaml.SingleQuotedStyle != 0 && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || special(r) }) < 0:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return quote(s)
}

// replaceScalar writes another value in place of scalar n, in its own quotes.
func (t *text) replaceScalar(n *yaml.Node, value string) ([]splice, *Error) {
	off := t.offset(n.Line, n.Column)
	switch {
	case n.Kind == yaml.AliasNode:
		return nil, refuseNode(n, "the value is an alias (*%s)", n.Value).
			hint("write the value in place of *%s", n.Value)
	case n.Kind != yaml.ScalarNode:
		return nil, refuseNode(n, "the value is not a string")
	case n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		return nil, refuseNode(n, "the value has an anchor or a tag").
			hint("write the value without the & or ! in front")
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return nil, refuseNode(n, "the value is a block scalar").
			hint("write it on one line, in quotes")
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return []splice{{off: off, del: t.quoteEnd(off) - off, ins: quoteAs(n.Style, value)}}, nil
	case !bytes.HasPrefix(t.src[off:], []byte(n.Value)) || n.Value == "":
		return nil, refuseNode(n, "the value spans several lines").
			hint("write it on one line")
	}
	return []splice{{off: off, del: len(n.Value), ins: quote(value)}}, nil
}
