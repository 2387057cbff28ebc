package explain

import (
	"fmt"
	"io"
	"strings"
)

const (
	chunkSize = 64 << 10
	// longestLine is more than any event that kube-apiserver writes: etcd takes objects
	// of 1.5 MiB, and lists come in pages.
	longestLine = 64 << 20
)

// longLine is a line that is passed over.
type longLine struct{ n int64 }

func (e *longLine) Error() string {
	return fmt.Sprintf("the line has %d MiB, more than any audit event", e.n>>20)
}

// lines reads a stream line by line. A line is part of a larger string, so that no
// line is copied for itself.
type lines struct {
	r     io.Reader
	buf   []byte
	rest  string // read and not yet returned
	count int    // number of the line that was returned last
	err   error  // after rest
}

func newLines(r io.Reader) *lines { return &lines{r: r, buf: make([]byte, chunkSize)} }

// next is the next line without its end, and its length with it. The last line need
// not have an end.
func (l *lines) next() (line string, n int64, err error) {
	if i := strings.IndexByte(l.rest, '\n'); i >= 0 {
		return l.take(i)
	}
	return l.long()
}

// take cuts the line that ends at i.
func (l *lines) take(i int) (string, int64, error) {
	line := l.rest[:i]
	l.rest = l.rest[i+1:]
	l.count++
	return line, int64(i) + 1, nil
}

// long is a line of which only the beginning is in rest.
func (l *lines) long() (string, int64, error) {
	var b strings.Builder
	b.WriteString(l.rest)
	length := int64(len(l.rest))
	l.rest = ""
	for l.err == nil {
		n, err := l.r.Read(l.buf)
		l.err = err
		chunk := string(l.buf[:n])
		i := strings.IndexByte(chunk, '\n')
		end := i
		if i < 0 {
			end = n
		}
		if length += int64(end); length <= longestLine {
			b.WriteString(chunk[:end])
		} else {
			b.Reset()
		}
		if i >= 0 {
			l.rest = chunk[i+1:]
			l.count++
			return whole(&b, length, 1)
		}
	}
	if length == 0 {
		return "", 0, l.err
	}
	l.count++
	return whole(&b, length, 0)
}

func whole(b *strings.Builder, length, end int64) (string, int64, error) {
	if length > longestLine {
		return "", length + end, &longLine{length}
	}
	return b.String(), length + end, nil
}
