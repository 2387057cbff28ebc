package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	sigsyaml "sigs.k8s.io/yaml"

	"auditpatch/internal/lazyregexp"
)

// syntax explains a text that is not YAML.
func (e *explainer) syntax() {
	line, col, problem := locateSyntax(e.src)
	e.findings = append(e.findings, Finding{Line: line, Col: col, Kind: NotYAML,
		Message: problem + ": " + wontStart,
		Hint:    syntaxHint(e.src.data, line, problem)})
}

// notJSON explains a text that begins like JSON, so that the API server reads it
// as JSON and nothing else. As YAML it may be well-formed: it is looked at again
// in that form.
func (e *explainer) notJSON() bool {
	var syntax *json.SyntaxError
	var any any
	if e.done["json"] || !errors.As(json.Unmarshal(e.src.data, &any), &syntax) {
		return false
	}
	e.done["json"] = true
	line, col := lineCol(e.src.data, int(syntax.Offset)-1)
	e.findings = append(e.findings, Finding{Line: line, Col: col, Kind: NotYAML,
		Message: fmt.Sprintf("the file begins with \"{\", so it is read as JSON: %s: %s", syntax, wontStart),
		Hint:    `write "---" in a line of its own before it: then it is read as YAML`})
	return e.mended != nil
}

// isReadable reports whether the API server's parsers can read the text.
func isReadable(data []byte) bool {
	_, err := sigsyaml.YAMLToJSON(data)
	return err == nil || json.Valid(data)
}

// yamlError is the form of the parsers' errors.
var yamlError = lazyregexp.New(`^yaml: (?:line (\d+): )?(.*)`)

// locateSyntax finds the place of a syntax error. Neither parser tells columns,
// and their lines differ: the tree's parser names the line where the broken
// construct begins, the API server's the line where it noticed. Both are one
// too low for errors of grammar, as opposed to errors of single tokens.
func locateSyntax(src *source) (line, col int, problem string) {
	line, problem = yamlProblem(src.err)
	if _, err := sigsyaml.YAMLToJSON(src.data); err != nil && src.root == nil {
		noticed, words := yamlProblem(err)
		if !strings.Contains(words, "',' or") && !strings.Contains(words, "expected ':'") && !strings.Contains(words, "end of stream") {
			line, problem = noticed, words
		}
	}
	if isGrammar(problem) {
		line++
	}
	if at := badByte(src.data); at >= 0 {
		line, col = lineCol(src.data, at)
		return line, col, problem
	}
	if anchor := quoted(problem); strings.Contains(problem, "unknown anchor") {
		line, col = locateText(src.data, "*"+anchor)
		return line, col, problem
	}
	line = min(max(line, 1), countLines(src.data))
	return line, columnOf(src.data, line, problem), problem
}

// isGrammar reports whether the error is about tokens in the wrong order.
func isGrammar(problem string) bool {
	return strings.HasPrefix(problem, "did not find expected") &&
		!strings.Contains(problem, "alphabetic")
}

func yamlProblem(err error) (line int, problem string) {
	if err == nil {
		return 1, "the text is not YAML"
	}
	text := firstLine(err.Error())
	m := yamlError().FindStringSubmatch(text)
	if m == nil {
		return 1, text
	}
	line, _ = strconv.Atoi(m[1])
	return line, m[2]
}

// syntaxHint knows the usual causes.
func syntaxHint(data []byte, line int, problem string) string {
	text := nthLine(data, line)
	switch {
	case bytes.Contains(data, []byte("{{")):
		return "render the template first"
	case strings.Contains(text[:len(text)-len(strings.TrimLeft(text, " \t"))], "\t"):
		return "indent with blanks, not with a tab"
	case strings.Contains(problem, "expected ':'"):
		return fmt.Sprintf("write %q", strings.Trim(text, " -\t\r")+":")
	case strings.Contains(problem, "alphabetic") && strings.Contains(text, "*"):
		return `leave the field out: then it matches everything`
	case strings.Contains(problem, "unknown anchor"):
		return "put it in quotes, or define the anchor before it"
	case strings.Contains(problem, "',' or"):
		return "close the bracket that is opened here"
	case strings.Contains(problem, "end of stream"):
		return "close the quotes that are opened here"
	case strings.Contains(problem, "expected key"):
		return "indent the line like the one it belongs to"
	case strings.Contains(problem, "mapping values"):
		return "indent the line like the one it belongs to, or put the value in quotes"
	}
	return ""
}

// badByte is the offset of the first byte that no YAML text may have, or -1.
func badByte(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\u0085", r) {
			return i
		}
		i += n
	}
	return -1
}

// lineCol is the position of a byte.
func lineCol(data []byte, offset int) (line, col int) {
	offset = min(max(offset, 0), len(data))
	before := data[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

// locateText is the position of the first place of a text, or the beginning.
func locateText(data []byte, text string) (line, col int) {
	return lineCol(data, bytes.Index(data, []byte(text)))
}

func countLines(data []byte) int {
	return bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) + 1
}

// nthLine is a line without its end; lines count from 1.
func nthLine(data []byte, line int) string {
	lines := strings.Split(string(data), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}

// columnOf is where the problem stands in its line, so far as the problem tells
// what to look for: else where the text of the line begins.
func columnOf(data []byte, line int, problem string) int {
	text := nthLine(data, line)
	begin := len(text) - len(strings.TrimLeft(text, " \t"))
	at := -1
	switch {
	case strings.Contains(text[:begin], "\t"):
		at = strings.Index(text, "\t")
	case strings.Contains(problem, "',' or"):
		at = strings.LastIndexAny(text, "[{")
	case strings.Contains(problem, "end of stream"):
		at = strings.IndexAny(text, "'\"")
	case strings.Contains(problem, "mapping values"):
		at = strings.LastIndex(text, ":")
	case strings.Contains(problem, "alphabetic"):
		at = strings.IndexAny(text, "*&")
	}
	if at < 0 {
		at = begin
	}
	return utf8.RuneCountInString(text[:at]) + 1
}
