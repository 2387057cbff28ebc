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
	case f.gone:
		w.bad(0, "it was removed before it was read")
		return nil
	case f.in != nil:
		src = newPatient(w.ctx, func() (io.ReadCloser, error) { return io.NopCloser(f.in), nil })
	case f.src == nil:
		src = newPatient(w.ctx, func() (io.ReadCloser, error) { return os.Open(f.name) })
	default:
		src = io.NewSectionReader(f.src, 0, f.size)
	}
	raw := bufio.NewReaderSize(counted{src, w}, mostHead)
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
		head, err := r.Peek(min(r.Buffered()+1, mostHead))
		if len(head) < mostHead && err == nil {
			head, err = r.Peek(r.Buffered())
		}
		if err == io.EOF || err == nil && (len(head) >= mostHead || bytes.Count(head, []byte("\n")) > 1) {
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
		return w.flow(r, w.pieces())
	}
	return w.flow(r, w.lines)
}

// flow shows whole lines to look, and the last one, which need not end.
func (w *worker) flow(r io.Reader, look func([]byte)) error {
	w.buffer(w.chunk + 16*page)
	have, skipped := 0, int64(0)
	for w.ctx.Err() == nil {
		n, err := r.Read(w.buf[have:])
		have += n
		if err != nil && err != io.EOF {
			return err
		}
		end := bytes.LastIndexByte(w.buf[:have], '\n') + 1
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
		copy(w.buf, w.buf[end:have])
		if have -= end; have < len(w.buf) && (skipped == 0 || have == 0) {
			continue
		}
		if skipped > 0 || have > w.longest {
			skipped += int64(have)
			have = 0
			w.buffer(w.chunk + 16*page)
			continue
		}
		w.grow(have)
	}
	return nil
}

// pieces joins what a container runtime has cut up, and looks at the lines.
func (w *worker) pieces() func([]byte) {
	var line []byte
	return func(text []byte) {
		for piece := range bytes.Lines(text) {
			w.at.line++
			content, more, ok := piece, false, false
			if at := cri.FindIndex(piece); at != nil {
				kind := bytes.Fields(piece[:at[1]])[2]
				content, more, ok = bytes.TrimRight(piece[at[1]:], "\r\n"), kind[0] == 'P', true
			} else if content, ok = dockerPiece(piece); ok {
				more = !bytes.HasSuffix(content, []byte("\n"))
			} else {
				content = bytes.TrimRight(piece, "\r\n")
			}
			if len(line) > 0 && !ok || len(line)+len(content) > w.longest {
				w.odd(line, event.ErrCut)
				line = line[:0]
			}
			if more {
				line = append(line, content...)
				continue
			}
			if len(line) > 0 {
				content = append(line, content...)
				line = line[:0]
			}
			w.line(content)
		}
	}
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
