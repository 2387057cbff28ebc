package explain

import (
	"bytes"
	"fmt"
	"io"
	"unsafe"
)

const (
	chunkSize = 64 << 10
	// longestLine is more than any event that kube-apiserver writes: etcd takes objects
	// of 1.5 MiB, and lists come in pages.
	longestLine = 64 << 20
)

// longLine is the reason for a line that is passed over.
func longLine(n int64) string {
	return fmt.Sprintf("the line has %d MiB, more than any audit event", n>>20)
}

// block is what one read brings: whole lines, the last without its end where the stream
// ends. A line that is too long may come before them.
type block struct {
	long int64 // length of the line that is too long, 0 for none
	text string
}

// blocks cuts a stream behind its lines. What it returns is read where it stays, so that
// no line is copied.
type blocks struct {
	r       io.Reader
	buf     []byte // its beginning is read and not yet returned, and has no line end
	n       int    // length of that beginning
	skipped int64  // of a line that is too long, which goes on
	err     error  // after buf
}

func newBlocks(r io.Reader) *blocks { return &blocks{r: r, buf: make([]byte, chunkSize)} }

// next waits for one line at least. Its error, io.EOF too, comes behind the last block.
func (b *blocks) next() (out block, err error) {
	for b.err == nil {
		if b.n == len(b.buf) {
			b.grow()
		}
		n, err := b.r.Read(b.buf[b.n:])
		b.err = err
		if b.skipped > 0 {
			if out.long, n = b.skip(n); out.long == 0 {
				continue
			}
		}
		end := bytes.LastIndexByte(b.buf[b.n:b.n+n], '\n') + 1
		if b.n += n; end > 0 {
			out.text = b.cut(b.n - n + end)
		}
		if out != (block{}) {
			return out, nil
		}
	}
	if out := b.last(); out != (block{}) {
		return out, nil
	}
	return block{}, b.err
}

// grow makes room behind a line that has no end yet, or gives it up.
func (b *blocks) grow() {
	if b.n > longestLine {
		b.skipped, b.n, b.buf = int64(b.n), 0, make([]byte, chunkSize)
		return
	}
	larger := make([]byte, min(2*len(b.buf), longestLine+1))
	copy(larger, b.buf)
	b.buf = larger
}

// skip looks for the end of a line that is too long in the n bytes that were read last,
// and leaves what follows as if that had been read.
func (b *blocks) skip(n int) (long int64, rest int) {
	end := bytes.IndexByte(b.buf[:n], '\n')
	if end < 0 {
		b.skipped += int64(n)
		return 0, 0
	}
	long, b.skipped = b.skipped+int64(end), 0
	return long, copy(b.buf, b.buf[end+1:n])
}

// cut takes the first bytes, which are whole lines.
func (b *blocks) cut(end int) string {
	rest := b.buf[end:b.n]
	if end < len(b.buf)/2 { // little came: the buffer is worth more than a copy
		text := string(b.buf[:end])
		b.n = copy(b.buf, rest)
		return text
	}
	lines := b.buf[:end]
	b.buf = make([]byte, min(max(chunkSize, 2*len(rest)), longestLine+1))
	b.n = copy(b.buf, rest)
	// Nobody writes to these bytes any more.
	return unsafe.String(unsafe.SliceData(lines), len(lines))
}

// last is what stands behind the last line end.
func (b *blocks) last() (out block) {
	if b.skipped > 0 {
		out.long = b.skipped
	} else if b.n > longestLine {
		out.long = int64(b.n)
	} else {
		out.text = string(b.buf[:b.n])
	}
	b.n, b.skipped = 0, 0
	return out
}
