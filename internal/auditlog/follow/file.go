package follow

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/auditlog/event"
)

const (
	chunk = 64 << 10
	// maxLine is more than an event takes of which kube-apiserver lets clients send the
	// object: 3 MB for a request, and the same again for the answer. Longer lines are
	// passed over and told.
	maxLine = 16 << 20
	// headSize is how much of a file's beginning tells it from any other: the first
	// event has an ID and a time of its own.
	headSize = 1 << 10
	packed   = ".gz"
	// turn is how many chunks are read in search of a line end before an interruption is
	// heeded and other logs are looked at: a file may have gigabytes without one, such as the
	// hole of a file that was cut off below a writer that does not append.
	turn = 64
)

// file is one file of a log that is read line by line, also while it grows. It has so
// many fields because what was read, what is held and what the file was like then are
// needed together to notice that it was cut off.
type file struct {
	name   string // its path when it was last seen, without .gz
	src    *os.File
	text   io.Reader // of a packed file
	notice func(Notice)

	space    []byte // what held is kept in
	held     []byte // what was read and not yet handed out
	searched int    // so much of it has no line end
	at       int64  // where in the file held ends
	head     []byte // how the file begins, as far as it was read
	checked  os.FileInfo
	skipping int64 // so much of a line that is too long was passed over
	last     bool  // nothing will be written any more: what stands behind the last line end is a line as well
	done     bool  // nothing is left to read, ever
	grew     time.Time
	cut      time.Time // when it was last found to be cut off
	whole    bool      // what is held is an event, though it has no line end
	told     int64     // so many bytes behind the last line end, told to be no line
	failed   string    // the last error of opening or reading, told once
	tried    time.Time // the look at which it could not be opened
}

// open opens a rotated file, which may have been packed since it was listed.
func (f *file) open() error {
	if f.src != nil || f.done {
		return nil
	}
	src, err := auditlog.OpenRegular(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		if src, err = auditlog.OpenRegular(f.name + packed); err == nil {
			f.src, f.last = src, true
			f.text, err = gzip.NewReader(src)
		}
	}
	f.src, f.grew = src, time.Now()
	return err
}

func (f *file) close() {
	if f.done = true; f.src != nil {
		_ = f.src.Close() // it was only read
	}
	f.held, f.space = nil, nil
}

// toEnd begins behind the last whole line that is there now. A line that is being
// written is one of those that are waited for.
func (f *file) toEnd() error {
	info, err := f.src.Stat()
	if err != nil {
		return err
	}
	f.checked = info
	buf := make([]byte, chunk)
	// More than the longest line is not searched: it may be a hole of terabytes.
	least := max(0, info.Size()-maxLine-chunk)
	f.at = least
	for end := info.Size(); end > least; {
		from := max(least, end-chunk)
		n, err := f.src.ReadAt(buf[:end-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			f.at = from + int64(i) + 1
			break
		}
		end = from
	}
	return f.readHead()
}

// next returns the next line with its end, valid until the next call; nil when there
// is none yet. busy says that it gave up before it was known.
func (f *file) next(since time.Time) (line []byte, busy bool) {
	for n := 0; !f.done; n++ {
		if i := bytes.IndexByte(f.held[f.searched:], '\n'); i >= 0 {
			line := f.held[:f.searched+i+1]
			f.held, f.searched = f.held[len(line):], 0
			if f.skipping > 0 {
				f.tooLong(int64(len(line)))
				continue
			}
			return line, false
		}
		if f.whole {
			line, f.held = f.held, nil
			f.whole, f.searched, f.space = false, 0, nil
			return line, false
		}
		if n >= turn {
			return nil, true
		}
		if f.passOver(); !f.more(since) {
			return f.rest(), false
		}
	}
	return nil, false
}

// rest is what stands behind the last line end of a file that is complete.
func (f *file) rest() []byte {
	if !f.last || f.done {
		return nil
	}
	line := f.held
	if f.told > 0 && f.told == f.skipping+int64(len(line)) {
		f.skipping, line = 0, nil
	}
	if f.skipping > 0 {
		f.tooLong(int64(len(line)))
		line = nil
	}
	f.close()
	return line
}

// torn tells once what stands behind the last line end of a file that nobody seems to write
// to any more, unless it is a whole event that only lacks its line end, as a full disk leaves it.
func (f *file) torn() {
	n := f.skipping + int64(len(f.held))
	if f.text != nil || n == 0 || n == f.told || bytes.IndexByte(f.held, '\n') >= 0 {
		return
	}
	if f.skipping == 0 && event.Check(bytes.TrimSpace(f.held)) == nil {
		f.whole = true
		return
	}
	f.told = n
	f.notice(Notice{Kind: Unreadable, File: f.name, Bytes: n, Err: errTorn})
}

var errTorn = errors.New("the line is cut off, and nothing comes after it in this file")

// passOver drops what no line can begin with or is too long for one. A file that was
// cut off below a writer that does not append begins with a hole, which reads as zeros.
func (f *file) passOver() {
	f.searched = len(f.held)
	if f.skipping == 0 {
		f.held = bytes.TrimLeft(f.held, "\x00")
	}
	if f.skipping > 0 || len(f.held) > maxLine {
		f.skipping += int64(len(f.held))
		f.held = nil
	}
	f.searched = len(f.held)
}

func (f *file) tooLong(rest int64) {
	f.notice(Notice{Kind: Unreadable, File: f.name, Bytes: f.skipping + rest, Err: errTooLong})
	f.skipping = 0
}

var errTooLong = errors.New("a line of more than 16 MB")

// more reads on, and says whether there was something.
func (f *file) more(since time.Time) bool {
	if f.src == nil {
		return false
	}
	n, err := f.read(f.room())
	if err != nil && !errors.Is(err, io.EOF) && n == 0 {
		if err.Error() != f.failed {
			f.failed = err.Error()
			f.notice(Notice{Kind: Damaged, File: f.name, Err: err})
		}
		return false
	}
	if f.text == nil && f.cutOff(f.at+int64(n), since) {
		return true
	}
	if n == 0 {
		f.lend()
		return false
	}
	f.held, f.at, f.grew = f.held[:len(f.held)+n], f.at+int64(n), time.Now()
	if len(f.head) < headSize && f.text == nil {
		if err := f.readHead(); err != nil {
			f.notice(Notice{Kind: Damaged, File: f.name, Err: err})
		}
	}
	return true
}

// spaces are those of files of which nothing is held: there may be thousands that rest.
var spaces sync.Pool

// lend leaves its space to other files until it has grown. One for a line of megabytes is not kept.
func (f *file) lend() {
	if len(f.held) > 0 {
		return
	}
	if cap(f.space) == chunk {
		spaces.Put((*[chunk]byte)(f.space[:chunk]))
	}
	f.space, f.held = nil, nil
}

// room is where to read to, behind what is held.
func (f *file) room() []byte {
	if cap(f.held)-len(f.held) < chunk {
		if f.space == nil {
			if s, ok := spaces.Get().(*[chunk]byte); ok {
				f.space = s[:]
			}
		}
		if cap(f.space)-len(f.held) < chunk {
			f.space = make([]byte, 2*len(f.held)+chunk)
		}
		f.held = f.space[:copy(f.space, f.held)]
	}
	return f.held[len(f.held) : len(f.held)+chunk]
}

func (f *file) read(room []byte) (int, error) {
	if f.text != nil {
		return f.text.Read(room)
	}
	return f.src.ReadAt(room, f.at)
}

// cutOff notices that the file was truncated, also when it is longer again by now, and
// begins anew. end is how far it was read. It is asked after each reading, so that
// nothing counts that was read across a truncation.
func (f *file) cutOff(end int64, since time.Time) bool {
	info, err := f.src.Stat()
	if err != nil {
		return false
	}
	before := f.checked
	f.checked = info
	if info.Size() >= end {
		same := before != nil && before.Size() == info.Size() && before.ModTime().Equal(info.ModTime())
		if same || f.beginsAsBefore() {
			return false
		}
	}
	f.cut = time.Now()
	lost := int64(len(f.held)) + f.skipping
	if before != nil {
		lost = max(lost, before.Size()-f.at+lost)
	}
	f.notice(Notice{Kind: Truncated, File: f.name, Bytes: lost, Since: since})
	f.held, f.searched, f.at, f.head, f.skipping = nil, 0, 0, nil, 0
	return true
}

func (f *file) beginsAsBefore() bool {
	now := make([]byte, len(f.head))
	n, err := f.src.ReadAt(now, 0)
	return (err == nil || errors.Is(err, io.EOF)) && bytes.Equal(now[:n], f.head)
}

// readHead takes only what was read of the file: more may still be in the making.
func (f *file) readHead() error {
	head := make([]byte, min(f.at, headSize))
	n, err := f.src.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.head = head[:n]
	return nil
}

// packedAs says whether a packed file holds what this one does, which is known by how
// they begin.
func (f *file) packedAs(name string) bool {
	src, err := auditlog.OpenRegular(name)
	if err != nil {
		return false
	}
	defer func() { _ = src.Close() }()
	text, err := gzip.NewReader(src)
	if err != nil {
		return false
	}
	theirs, ours := make([]byte, headSize), make([]byte, headSize)
	n, _ := io.ReadFull(text, theirs) // what is damaged is not the same
	m, _ := f.src.ReadAt(ours, 0)
	return bytes.Equal(theirs[:n], ours[:m])
}
