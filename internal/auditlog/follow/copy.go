package follow

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"auditpatch/internal/auditlog"
)

// copies notices rotated files that are new although the live file has stayed: it was copied
// and cut off, as logrotate's copytruncate does. Whatever was read of it before shows that it
// was cut off, and that is told when it is read. If nothing was, because it was empty, the
// copy has all that was written since, and is read in its place.
func (l *log) copies(before time.Time, li *listing) {
	all, err := li.siblings(l.path)
	info, again := os.Stat(l.path)
	if err != nil || again != nil || !os.SameFile(info, l.live.checked) {
		l.changed = time.Time{} // it is being rotated: the next look knows more
		return
	}
	l.changed = li.changed
	for _, s := range all {
		if l.seen[s.name] {
			continue
		}
		if !l.known(s, l.live) && l.live.at == 0 && l.live.cut.Before(before) && !s.written().Before(before.Add(-slack)) {
			head := s.begins()
			if len(head) == 0 || l.live.beginsLike(head) {
				l.changed = time.Time{} // it is still being copied, or not cut off yet
				continue
			}
			l.notice(Notice{Kind: Truncated, File: l.path, Since: before})
			l.files = slices.Insert(l.files, max(0, slices.Index(l.files, l.live)), &file{name: s.name, notice: l.notice})
		}
		l.seen[s.name] = true
	}
}

// original is a file that is followed of which another is a copy or a new name: what that has
// so far is read there, or is older than what is wanted.
func (f *follower) original(path string) *file {
	if len(f.order) == 0 {
		return nil // all are new
	}
	src, err := auditlog.OpenRegular(path)
	if err != nil {
		return nil
	}
	defer func() { _ = src.Close() }()
	head := make([]byte, headSize)
	n, _ := src.ReadAt(head, 0)
	for _, l := range f.order {
		for _, o := range l.files {
			whole := len(o.head) == headSize || bytes.IndexByte(o.head, '\n') >= 0 // the event has its ID
			if whole && bytes.HasPrefix(head[:n], o.head) {
				return o
			}
		}
	}
	return nil
}

// goOnLike begins where the original was read to.
func (l *log) goOnLike(o *file) {
	if f := l.live; f != nil && f.at == 0 {
		f.at = min(f.checked.Size(), o.at-int64(len(o.held))-o.skipping)
	}
}

// begins is how a rotated file begins; nothing when that cannot be read.
func (s sibling) begins() []byte {
	name := s.name
	if s.plain == nil {
		name += packed
	}
	src, err := auditlog.OpenRegular(name)
	if err != nil {
		return nil
	}
	defer func() { _ = src.Close() }()
	text := io.Reader(src)
	if s.plain == nil {
		if text, err = gzip.NewReader(src); err != nil {
			return nil
		}
	}
	head := make([]byte, headSize)
	n, _ := io.ReadFull(text, head) // what is damaged begins with what can be read
	return head[:n]
}

// beginsLike says whether the file begins as another does, as far as both go.
func (f *file) beginsLike(head []byte) bool {
	ours := make([]byte, len(head))
	n, _ := f.src.ReadAt(ours, 0)
	return n > 0 && bytes.Equal(ours[:n], head[:n])
}

// continues says whether a file is a longer copy of another, which it has replaced, as rsync
// does: all that the other has stands in it, which is known by how it begins and ends.
func (f *file) continues(o *file) bool {
	if o.src == nil || o.done || o.text != nil || len(o.head) == 0 {
		return false
	}
	info, err := o.src.Stat()
	if err != nil || links(info) != 0 || info.Size() > f.checked.Size() || info.Size() < o.at {
		return false
	}
	return o.beginsAsBefore() && sameText(f.src, o.src, 0, int64(len(o.head))) && sameText(f.src, o.src, info.Size()-headSize, info.Size())
}

func sameText(a, b io.ReaderAt, from, to int64) bool {
	from = max(0, from)
	ours, theirs := make([]byte, to-from), make([]byte, to-from)
	n, err := a.ReadAt(ours, from)
	m, again := b.ReadAt(theirs, from)
	whole := func(n int, err error) bool { return int64(n) == to-from && (err == nil || errors.Is(err, io.EOF)) }
	return whole(n, err) && whole(m, again) && bytes.Equal(ours, theirs)
}

// goOn reads on in a copy where the other was read to.
func (l *log) goOn(now, o *file) {
	now.space, now.held, now.searched, now.at, now.head, now.skipping = o.space, o.held, o.searched, o.at, o.head, o.skipping
	o.close()
	l.files[slices.Index(l.files, o)] = now
}
