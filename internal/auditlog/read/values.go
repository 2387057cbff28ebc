package read

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"auditpatch/internal/auditlog/event"
)

// document reads JSON values one after the other, and those in lists. It holds one
// event at a time.
type document struct {
	w     *worker
	r     io.Reader
	buf   []byte
	i     int // where it reads
	start int // what is held begins here
	line  int64
	open  []byte // the brackets around what it reads
	over  bool   // what it reads does not fit in memory
	err   error
}

// mostOpened is how deep lists may lie in lists.
const mostOpened = 1000

// values looks at all objects in a file.
func (w *worker) values(r io.Reader) error {
	d := &document{w: w, r: r, line: 1}
	for w.ctx.Err() == nil && d.value() {
	}
	w.at.line = d.line
	if d.err != nil && !errors.Is(d.err, io.EOF) {
		return d.err
	}
	return nil
}

// peek is the next byte; ok is false at the end.
func (d *document) peek() (c byte, ok bool) {
	if d.i == len(d.buf) && !d.fill() {
		return 0, false
	}
	return d.buf[d.i], true
}

// fill reads more, and keeps what is held.
func (d *document) fill() bool {
	if d.err != nil {
		return false
	}
	if d.start > 0 {
		n := copy(d.buf, d.buf[d.start:])
		d.buf, d.i, d.start = d.buf[:n], d.i-d.start, 0
	}
	if cap(d.buf)-len(d.buf) < mostHead/2 {
		d.buf = append(make([]byte, 0, max(2*cap(d.buf), 2*mostHead)), d.buf...)
	}
	for d.err == nil {
		var n int
		n, d.err = d.r.Read(d.buf[len(d.buf):cap(d.buf)])
		if d.buf = d.buf[:len(d.buf)+n]; n > 0 {
			return true
		}
	}
	return false
}

// value looks at the next object, or goes into or out of a list.
func (d *document) value() bool {
	d.start = d.i
	c, ok := d.peek()
	if !ok {
		if len(d.open) > 0 {
			d.bad(0, event.ErrCut.Error())
		}
		return false
	}
	top := byte(0)
	if n := len(d.open); n > 0 {
		top = d.open[n-1]
	}
	switch {
	case c == '\n':
		d.line++
		d.i++
	case c == ' ' || c == '\t' || c == '\r' || c == ',':
		d.i++
	case len(d.open) > mostOpened:
		d.garbage()
	case c == '[' && top != '{':
		d.open = append(d.open, c)
		d.i++
	case top != 0 && c == top+2:
		d.open = d.open[:len(d.open)-1]
		d.i++
	case c == '{' && top != '{':
		d.object()
	case c == '"' && top == '{':
		d.member()
	default:
		d.garbage()
	}
	return true
}

// bad notes that what begins where the document is cannot be read.
func (d *document) bad(n int, reason string) {
	d.w.at.line = d.line
	d.w.bad(int64(n), reason)
}

// garbage passes over the rest of a line that is no JSON, and out of all lists.
func (d *document) garbage() {
	d.open = d.open[:0]
	for {
		c, ok := d.peek()
		if !ok || c == '\n' {
			break
		}
		if d.i++; d.i-d.start > d.w.longest {
			d.start = d.i
		}
	}
	reason := errNoJSON
	if n := d.i - d.start; n > 0 {
		if err := event.Check(d.buf[d.start:d.i]); err != nil && d.buf[d.start] == '{' {
			reason = err
		}
		d.bad(n, reason.Error())
	}
}

// object looks at the object that begins here, or goes into it if it has a list.
func (d *document) object() {
	first := d.line
	end := d.scan(true)
	if end == entered {
		return
	}
	last := d.line
	d.line = first
	switch {
	case d.over:
		d.bad(d.w.longest, tooLong(d.w.longest))
	case end == torn:
		err := event.Check(d.buf[d.start:d.i])
		if err == nil {
			err = event.ErrCut
		}
		d.bad(d.i-d.start, err.Error())
	}
	d.line = last
	if end == torn {
		d.open = d.open[:0]
	}
	if end == torn || d.over {
		return
	}
	text := d.buf[d.start:d.i]
	if bytes.IndexByte(text, '\n') >= 0 {
		var b bytes.Buffer
		if json.Compact(&b, text) == nil {
			text = b.Bytes()
		}
	}
	d.w.at.line = first
	d.w.line(text)
}

// member passes over a field of an object that has a list, or goes into it.
func (d *document) member() {
	from := d.i - d.start
	d.over = false
	if !d.pass(true) {
		return // the line's end in a name is garbage
	}
	name := ""
	if !d.over {
		text, _ := event.Text(d.buf[d.start+from : d.i])
		name = string(text)
	}
	for {
		c, ok := d.peek()
		switch {
		case !ok:
			return
		case c == '\n':
			d.line++
		case c == ':' || c == ' ' || c == '\t' || c == '\r':
		case (c == '[' || c == '{') && lists[name]:
			d.open = append(d.open, c)
			d.i++
			return
		default:
			d.start = d.i
			d.scan(false)
			return
		}
		d.i++
	}
}

// ending is how a scan has ended.
type ending int

const (
	complete ending = iota
	entered         // a list begins in it
	torn            // it is no JSON
)

// scan goes behind a value. hold keeps all of it, and looks for lists.
func (d *document) scan(hold bool) ending {
	depth := 0
	name := [2]int{} // of the last string in the outermost object
	d.over = false
	for {
		c, ok := d.peek()
		if !ok {
			return torn
		}
		switch c {
		case '\n':
			d.line++
		case '"':
			begin := d.i - d.start
			if !d.pass(hold) {
				return torn
			}
			if depth == 1 {
				name = [2]int{begin, d.i - d.start}
			}
			if depth == 0 {
				return complete
			}
			continue
		case '{', '[':
			if depth == 1 && hold && !d.over && d.isList(name) {
				d.open = append(d.open, '{', c)
				d.i++
				return entered
			}
			depth++
		case '}', ']':
			if depth == 0 {
				return complete
			}
			depth--
			if depth == 0 {
				d.i++
				return complete
			}
		case ',':
			if depth == 0 {
				return complete
			}
			if depth == 1 {
				name = [2]int{}
			}
		}
		d.i++
		d.limit(hold)
	}
}

// limit lets go of what does not fit, or is not needed.
func (d *document) limit(hold bool) {
	if d.over || !hold {
		d.start = d.i
	} else if d.i-d.start > d.w.longest {
		d.over = true
		d.start = d.i
	}
}

// isList says whether the field's name that stands there is one of a list.
func (d *document) isList(name [2]int) bool {
	if name[1] == 0 {
		return false
	}
	s, _ := event.Text(d.buf[d.start+name[0] : d.start+name[1]])
	return lists[string(s)]
}

// pass goes behind a string. One that goes over a line's end is torn.
func (d *document) pass(hold bool) bool {
	for d.i++; ; d.i++ {
		c, ok := d.peek()
		if !ok || c == '\n' {
			return false
		}
		if c == '"' {
			d.i++
			return true
		}
		if c == '\\' {
			d.i++
			if c, ok := d.peek(); !ok || c == '\n' {
				return false
			}
		}
		d.limit(hold)
	}
}
