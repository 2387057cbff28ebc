package changes

import (
	"encoding/json"
	"strconv"
	"strings"

	"auditpatch/internal/lazyregexp"
)

// Path says where in an object something is, such as
// spec.template.spec.containers[nginx].image.
type Path []Step

// Step goes into a value: to a field of an object; to that element of a list of which
// the field By has the value Is, where By is set; or to the element at Index, where
// neither is.
type Step struct {
	Field string
	By    string
	Is    any // a string or a json.Number
	Index int
	elem  bool // it goes into a list
}

func field(name string) Step                { return Step{Field: name} }
func element(by string, is any) Step        { return Step{By: by, Is: is, elem: true} }
func position(index int) Step               { return Step{Index: index, elem: true} }
func (p Path) to(s Step) Path               { return append(p[:len(p):len(p)], s) }
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

var (
	plainField = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	plainName  = lazyregexp.New(`^[A-Za-z0-9._/:-]*[A-Za-z._/:-][A-Za-z0-9._/:-]*$`)
)

// String is the path as people write it. What would be ambiguous, or is no plain text,
// stands in quotation marks.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case !s.elem && plainField().MatchString(s.Field):
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Field)
		case !s.elem:
			b.WriteString("[" + quoted(s.Field) + "]")
		case s.By == "":
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		default:
			b.WriteString("[" + s.which() + "]")
		}
	}
	return b.String()
}

// which names an element.
func (s Step) which() string {
	text := ""
	switch is := s.Is.(type) {
	case json.Number:
		text = is.String()
	case string:
		if text = is; !plainName().MatchString(is) {
			text = quoted(is)
		}
	}
	if s.By == "name" {
		return text
	}
	return s.By + "=" + text
}

// quoted is a text in JSON.
func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		return strconv.Quote(text)
	}
	return string(out)
}
