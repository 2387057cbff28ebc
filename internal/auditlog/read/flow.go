package read

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"

	"auditpatch/internal/auditlog/event"
)

// counted counts what is read of a file on disk.
type counted struct {
	io.Reader
	w *worker
}

func (c counted) Read(to []byte) (int, error) {
	n, err := c.Reader.Read(to)
	c.w.done.Add(int64(n))
	return n, err
}

// whole reads a file from its beginning to its end.
func (w *worker) whole(f *file) error {
	var src io.Reader
	switch {
	case f.lost != "":
		w.bad(0, f.lost)
		return nil
	case f.in != nil:
		src = newPatient(w.ctx, func() (io.ReadCloser, error) { return io.NopCloser(f.in), nil })
	case f.src == nil:
		src = newPatient(w.ctx, func() (io.ReadCloser, error) { return os.Open(f.name) })
	default:
		src = io.NewSectionReader(f.src, 0, f.size)
	}
	size := mostHead
	if f.size >= 0 {
		size = int(min(f.size+1, mostHead))
	}
	raw := bufio.NewReaderSize(counted{src, w}, size)
	head, err := peek(raw)
	if err != nil {
		return err
	}
	if formOf(head) != packed {
		return w.forms(raw, head)
	}
	return w.unpack(raw)
}

// unpack reads a file that gzip has packed. What it holds before it is damaged is read.
func (w *worker) unpack(raw io.Reader) error {
	var damage error
	z, err := gzip.NewReader(raw)
	if err == nil {
		text := bufio.NewReaderSize(damaged{z, &damage}, mostHead)
		var head []byte
		if head, err = peek(text); err == nil {
			err = w.forms(text, head)
		}
	} else {
		damage, err = err, nil
	}
	if damage != nil && w.ctx.Err() == nil {
		w.at.line++
		w.bad(0, unpackReason(damage))
	}
	return err
}

func unpackReason(err error) string {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the compressed file is cut off"
	case errors.Is(err, gzip.ErrChecksum):
		return "the compressed file is damaged: what it holds does not fit its checksum"
	}
	return fmt.Sprintf("the compressed file is damaged: %v", err)
}

// damaged ends where what it reads cannot be unpacked any more, and keeps the reason.
type damaged struct {
	io.Reader
	why *error
}

func (d damaged) Read(to []byte) (int, error) {
	n, err := d.Reader.Read(to)
	if err != nil && err != io.EOF {
		*d.why = err
		err = io.EOF
	}
	return n, err
}

// peek is the beginning of what is read: some lines, if they have come.
func peek(r *bufio.Reader) ([]byte, error) {
	for {
		head, err := r.Peek(min(r.Buffered()+1, r.Size()))
		if len(head) < r.Size() && err == nil {
			head, err = r.Peek(r.Buffered())
		}
		if err == io.EOF || err == nil && (len(head) >= r.Size() || bytes.Count(head, []byte("\n")) > 1) {
			return head, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// forms reads by the form that the beginning shows.
func (w *worker) forms(r *bufio.Reader, head []byte) error {
	if bytes.HasPrefix(head, bom) {
		_, _ = r.Discard(len(bom))
	}
	switch formOf(head) {
	case foreign, packed:
		w.at.line++
		reason := foreignReason(head)
		if reason == "" {
			reason = "it is compressed twice"
		}
		w.bad(0, reason)
		return nil
	case values:
		return w.values(r)
	case fragments:
		p := pieces{w: w}
		err := w.flow(r, p.look)
		p.end(w.at.file.live)
		return err
	}
	return w.flow(r, w.lines)
}

// flow shows whole lines to look, and the last one, which need not end.
func (w *worker) flow(r io.Reader, look func([]byte)) error {
	w.buffer(w.chunk + slack)
	have, skipped := 0, int64(0)
	for w.ctx.Err() == nil {
		n, err := r.Read(w.buf[have:])
		have += n
		if err != nil && err != io.EOF {
			return err
		}
		end := 0
		if i := lastEnd(w.buf[have-n : have]); i >= 0 { // what was there has none
			end = have - n + i + 1
		}
		if err == io.EOF {
			end = have
		}
		from := 0
		if skipped > 0 && end > 0 { // the end of a line that is too long
			if from = bytes.IndexByte(w.buf[:end], '\n') + 1; from == 0 {
				from = end
			}
			w.at.line++
			w.bad(skipped+int64(from), tooLong(w.longest))
			skipped = 0
		}
		look(w.buf[from:end])
		if err == io.EOF {
			return nil
		}
		have = w.keepRest(end, have)
		if have < len(w.buf) && (skipped == 0 || have == 0) {
			continue
		}
		if skipped > 0 || have > w.longest {
			skipped += int64(have)
			have = 0
			w.buffer(w.chunk + slack)
			continue
		}
		w.grow(have)
	}
	return nil
}

// lastEnd is where the last line ends. bytes.LastIndexByte alone would look at one byte of a long
// line after the other, which takes longer than the rest of what is done with it.
func lastEnd(text []byte) int {
	for len(text) > 0 {
		from := max(0, len(text)-512)
		if bytes.IndexByte(text[from:], '\n') >= 0 {
			return from + bytes.LastIndexByte(text[from:], '\n')
		}
		text = text[:from]
	}
	return -1
}

// keepRest moves what is left of the buffer to its beginning, and makes a buffer that a
// long line has made longer as short again as it may be.
func (w *worker) keepRest(end, have int) int {
	rest := w.buf[end:have]
	if usual := w.chunk + slack; len(w.buf) > usual && len(rest) < usual {
		w.buf = make([]byte, usual)
	}
	return copy(w.buf, rest)
}

// pieces joins what a container runtime has cut up, and looks at the lines.
type pieces struct {
	w    *worker
	line []byte // as far as it has come
}

// look takes lines of the runtime, each with one piece.
func (p *pieces) look(text []byte) {
	for raw := range bytes.Lines(text) {
		p.w.at.line++
		content, more, ok := piece(raw)
		if len(p.line) > 0 && !ok || len(p.line)+len(content) > p.w.longest {
			p.end(false)
		}
		switch {
		case more:
			p.line = append(p.line, content...)
		case len(p.line) > 0:
			p.w.line(append(p.line, content...))
			p.line = p.line[:0]
		default:
			p.w.line(content)
		}
	}
}

// end is about a line that nothing more comes of.
func (p *pieces) end(live bool) {
	switch {
	case len(p.line) == 0:
	case live:
		p.w.counts.half()
	default:
		p.w.bad(int64(len(p.line)), event.ErrCut.Error())
	}
	p.line = p.line[:0]
}

// piece is what a line of a runtime holds, and whether more of that comes in the next.
func piece(line []byte) (content []byte, more, ok bool) {
	line = bytes.TrimRight(line, "\r\n")
	if at := cri().FindIndex(line); at != nil {
		return line[at[1]:], bytes.Fields(line[:at[1]])[2][0] == 'P', true
	}
	if content, ok = dockerPiece(line); ok {
		return content, !bytes.HasSuffix(content, []byte("\n")), true
	}
	return line, false, false
}

// dockerPiece is what a line of Docker's json-file holds.
func dockerPiece(line []byte) (content []byte, ok bool) {
	stream := false
	event.Members(line, func(name, value []byte) bool {
		switch string(name) {
		case "log":
			content, ok = event.Text(value)
		case "stream":
			stream = true
		}
		return true
	})
	return content, ok && stream
}
