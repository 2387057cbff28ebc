package explain

import (
	"encoding/json"
	"strings"
	"unsafe"

	"auditpatch/internal/auditlog/vector"
)

// scanner reads the few fields of an event that decide, and passes over the rest
// without looking into it: decoding whole events takes ten times as long as
// evaluating them. What it reads equals what encoding/json would, for every text that
// is JSON, except that names are matched by case. In what it passes over it wants no
// more than balanced brackets and closed strings.
type scanner struct {
	s   string
	i   int
	bad bool // it is no JSON, or a field has another type
	// done ends the outermost object where it is.
	done bool
}

// next is the next character that is no space, 0 at the end. It stays unread.
func (c *scanner) next() byte {
	for c.i < len(c.s) {
		switch b := c.s[c.i]; b {
		case ' ', '\t', '\r', '\n':
			c.i++
		default:
			return b
		}
	}
	return 0
}

// take reads one character that has to be there.
func (c *scanner) take(b byte) {
	if c.i < len(c.s) && c.s[c.i] == b { // kube-apiserver writes no spaces
		c.i++
		return
	}
	c.takeSpaced(b)
}

func (c *scanner) takeSpaced(b byte) {
	if c.next() != b {
		c.fail()
		return
	}
	c.i++
}

// fail ends every loop over the text.
func (c *scanner) fail() { c.bad, c.i = true, len(c.s) }

// fields calls each with the name of each field of an object, and leaves the value to
// it. null is an object without fields.
func (c *scanner) fields(each func(name string)) {
	if c.null() {
		return
	}
	c.take('{')
	if c.next() == '}' {
		c.i++
		return
	}
	for !c.bad {
		name := c.text()
		c.take(':')
		if c.bad {
			return
		}
		if each(name); c.done {
			return
		}
		if c.next() == '}' {
			c.i++
			return
		}
		c.take(',')
		if c.next() != '"' {
			c.fail()
		}
	}
}

// texts is a list of strings.
func (c *scanner) texts() (out []string) {
	if c.null() {
		return nil
	}
	c.take('[')
	if c.next() == ']' {
		c.i++
		return []string{}
	}
	out = make([]string, 0, 4)
	for !c.bad {
		item := ""
		if !c.null() {
			item = c.text()
		}
		if out = append(out, item); c.next() == ']' {
			c.i++
			return out
		}
		c.take(',')
	}
	return out
}

// null passes over a null.
func (c *scanner) null() bool {
	if c.next() != 'n' {
		return false
	}
	if !strings.HasPrefix(c.s[c.i:], "null") {
		c.fail()
		return true
	}
	c.i += len("null")
	return true
}

// set reads a string into to, and leaves it at a null.
func (c *scanner) set(to *string) {
	if !c.null() {
		*to = c.text()
	}
}

// text is a string.
func (c *scanner) text() string {
	c.take('"')
	from := c.i
	end, quote := vector.Plain(c.bytes(), from)
	switch {
	case end == len(c.s):
		c.fail()
		return ""
	case quote:
		c.i = end + 1
		return c.s[from:end]
	}
	return c.decoded(from)
}

// bytes are the text, which nobody may change.
func (c *scanner) bytes() []byte { return unsafe.Slice(unsafe.StringData(c.s), len(c.s)) }

// decoded is the string from a place on, which does not stand for itself.
func (c *scanner) decoded(from int) string {
	var out string
	if c.closing(); !c.bad && json.Unmarshal([]byte(c.s[from-1:c.i]), &out) != nil {
		c.fail()
	}
	return out
}

// closing goes behind the quotation mark that ends a string.
func (c *scanner) closing() {
	for {
		i := strings.IndexByte(c.s[c.i:], '"')
		if i < 0 {
			c.fail()
			return
		}
		c.i += i + 1
		escapes := 0
		for j := c.i - 2; j >= 0 && c.s[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return
		}
	}
}

// skip passes over any value.
func (c *scanner) skip() {
	switch c.next() {
	case '"':
		c.i++
		c.closing()
	case '{', '[':
		c.nested()
	default:
		c.literal()
	}
}

// literal passes over a number, true, false or null.
func (c *scanner) literal() {
	from := c.i
	for c.i < len(c.s) && strings.IndexByte(",]} \t\r\n", c.s[c.i]) < 0 {
		c.i++
	}
	if !json.Valid([]byte(c.s[from:c.i])) {
		c.fail()
	}
}

// nested passes over an object or a list.
func (c *scanner) nested() {
	n := vector.Nested(c.bytes()[c.i:])
	if n < 0 {
		c.fail()
		return
	}
	c.i += n
}
