package follow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/auditlog/event"
)

const (
	// mostHeld is how many rotated files stay open that were read to their end: a second
	// kube-apiserver, as there is for moments when one takes over from another, may still
	// write to them.
	mostHeld = 4
	// keepRemoved is how long a removed file is kept open that does not grow: it takes
	// space on the disk.
	keepRemoved = time.Minute
	// tornAfter is how long a rotated file has not grown that ends in the midst of a line.
	tornAfter = 2 * time.Second
	// slack is by how much a file's time may lie behind the clock.
	slack = time.Second
)

// log is one log that is followed: its files that are not read to their end, and what
// is needed to know them again by whatever name. It has so many fields because that is
// all that is known from one look to the next.
type log struct {
	path   string
	from   time.Time // what was not written to since is passed over; zero: nothing is
	notice func(Notice)

	files   []*file // the oldest first
	live    *file   // of these, the one that had the log's name at the last look
	seen    map[string]bool
	looked  time.Time
	changed time.Time // when its folder was, the last time that it was listed; zero: list it again
	absent  bool      // that was told
	strange bool      // so was that it is rotated by other names
	failed  error     // the last, told once

	e       event.Event // the next one, when pending
	pending bool
}

func newLog(path string, from time.Time, notice func(Notice)) *log {
	return &log{path: path, from: from, notice: notice, seen: map[string]bool{}}
}

func (l *log) close() {
	for _, f := range l.files {
		f.close()
	}
}

// sibling is a rotated file of the log, packed or not.
type sibling struct {
	name  string // without .gz
	at    time.Time
	plain os.FileInfo // nil for one that is only there packed
	zip   os.FileInfo
}

// written is when it was last written to.
func (s sibling) written() time.Time {
	if s.plain != nil {
		return s.plain.ModTime()
	}
	return s.zip.ModTime()
}

// visit is the first half of a look at a log: what has its name now.
type visit struct {
	*log
	before time.Time // when it was looked at before
	atEnd  bool      // what is there is passed over
	same   bool      // the live file is the one that is known
	now    *file     // the live file otherwise
	err    error
}

// look notices what has happened to the log's files.
func (l *log) look() { l.visit(false).settle(listings{}, changes{}) }

// visit opens the live file.
//
// That comes before the folder is listed. So whatever was rotated away before this file
// was made is in the listing, and if the file itself has been rotated since, the listing
// says which files come after it.
func (l *log) visit(atEnd bool) visit {
	v := visit{log: l, before: l.looked, atEnd: atEnd}
	l.looked = time.Now()
	info, err := os.Stat(l.path)
	if v.same = err == nil && l.live != nil && os.SameFile(info, l.live.checked); !v.same {
		v.now, v.err = l.openLive(atEnd)
	}
	return v
}

// settle is the second half of a look: what its rotated files are.
func (v visit) settle(all listings, at changes) {
	l := v.log
	if v.same {
		if l.changed.IsZero() || !l.changed.Equal(at.of(l.path)) {
			l.copies(v.before, all.of(l.path))
		}
		l.letGo()
		return
	}
	if v.err != nil && !l.fail(v.err) {
		return // it stays as it was, and is tried again
	}
	siblings, err := all.of(l.path).siblings(l.path)
	if err != nil && !l.fail(err) {
		siblings = nil
	}
	l.changed = all.of(l.path).changed
	if l.live != nil && l.live != v.now {
		l.replaced(v, siblings, err == nil)
	}
	l.add(v.now, siblings, v.atEnd)
	if err == nil {
		l.forget(siblings)
	}
	l.live = v.now
	l.letGo()
}

// replaced is about a live file that is another than before.
func (l *log) replaced(v visit, siblings []sibling, listed bool) {
	switch {
	case v.now != nil && !slices.Contains(l.files, v.now) && v.now.continues(l.live):
		l.goOn(v.now, l.live)
	case l.skipped(siblings):
		l.notice(Notice{Kind: Gap, File: l.path, Since: v.before})
	case listed && !l.strange && l.renamed(siblings):
		l.strange = true
		l.notice(Notice{Kind: Renamed, File: l.path, Since: v.before})
	}
}

// renamed says whether the file that was read has got a name that is none of a rotated file.
func (l *log) renamed(siblings []sibling) bool {
	if info, err := l.live.src.Stat(); err != nil || links(info) == 0 {
		return false
	}
	for _, s := range slices.Backward(siblings) { // most likely it is the youngest
		if s.is(l.live, false) {
			return false
		}
	}
	return true
}

// fail tells an error once, and says whether it is only that something is absent.
func (l *log) fail(err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		if !l.absent && l.live == nil {
			l.absent = true
			l.notice(Notice{Kind: Absent, File: l.path})
		}
		return true
	}
	if l.failed == nil || l.failed.Error() != err.Error() {
		l.failed = err
		l.notice(Notice{Kind: Damaged, File: l.path, Err: err})
	}
	return false
}

// openLive is the file that has the log's name, which may be one that is open already.
func (l *log) openLive(atEnd bool) (*file, error) {
	info, err := os.Stat(l.path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, auditlog.ErrNotRegular // opening a pipe would wait
	}
	src, err := auditlog.OpenRegular(l.path)
	if err != nil {
		return nil, err
	}
	f := &file{name: l.path, src: src, notice: l.notice, grew: time.Now()}
	if f.checked, err = src.Stat(); err != nil {
		f.close()
		return nil, err
	}
	for _, o := range l.files {
		if o.src != nil && !o.done && o.checked != nil && os.SameFile(o.checked, f.checked) {
			f.close()
			o.last = false
			return o, nil
		}
	}
	l.absent, l.failed = false, nil
	if atEnd || f.checked.ModTime().Before(l.from.Add(-slack)) {
		if err := f.toEnd(); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

// add appends the files that are new, the live one among them at its place.
func (l *log) add(now *file, siblings []sibling, atEnd bool) {
	var fresh []*file
	placed := now == nil || slices.Contains(l.files, now)
	for _, s := range siblings {
		switch {
		case l.seen[s.name]:
		case !placed && s.is(now, true):
			// It has been rotated since it was opened, and what follows is new.
			fresh, placed, atEnd = append(fresh, now), true, false
			now.name = s.name
		case l.known(s, now) || atEnd || s.written().Before(l.from.Add(-slack)):
		default:
			fresh = append(fresh, &file{name: s.name, notice: l.notice})
		}
		l.seen[s.name] = true
	}
	if !placed {
		fresh = append(fresh, now)
	}
	l.files = append(l.files, fresh...)
}

// known says whether a file is one of those that are open, and gives that its new name.
func (l *log) known(s sibling, live *file) bool {
	for _, f := range l.files {
		if f.src != nil && f.text == nil && s.is(f, f == live) {
			f.name = s.name
			return true
		}
	}
	return false
}

// is says whether the sibling is the open file, or what that was packed to. The live file
// may have been copied and not packed: of that no name is left.
func (s sibling) is(f *file, live bool) bool {
	if s.plain != nil {
		return os.SameFile(s.plain, f.checked)
	}
	info, err := f.src.Stat()
	return err == nil && (!live || links(info) == 0) && f.packedAs(s.name+packed)
}

// skipped says whether files may have been removed unread: the one that was read has no
// name left, packed or not, and all files that were rotated before it are gone as well.
func (l *log) skipped(siblings []sibling) bool {
	info, err := l.live.src.Stat()
	if err != nil || links(info) != 0 || len(siblings) == 0 {
		return false
	}
	return !slices.ContainsFunc(siblings, func(s sibling) bool { return l.seen[s.name] || s.is(l.live, false) })
}

// forget keeps the names of rotated files from adding up: those that are older than
// the oldest one do not come back.
func (l *log) forget(siblings []sibling) {
	if len(l.seen) < 1000+2*len(siblings) {
		return
	}
	for name := range l.seen {
		at, _ := auditlog.RotatedAt(filepath.Base(l.path), filepath.Base(name))
		if len(siblings) == 0 || at.Before(siblings[0].at) {
			delete(l.seen, name)
		}
	}
}

// letGo closes files that are read to their end and will not be written to any more.
func (l *log) letGo() {
	idle := 0
	for i := len(l.files) - 1; i >= 0; i-- {
		f := l.files[i]
		if f == l.live || f.src == nil || f.text != nil || f.done {
			continue
		}
		info, err := f.src.Stat()
		if err != nil || info.Size() > f.at {
			continue
		}
		if l.live != nil && l.live.at > 0 && time.Since(f.grew) > tornAfter {
			f.torn()
		}
		idle++
		f.last = idle > mostHeld || l.live != nil && links(info) == 0 && time.Since(f.grew) > keepRemoved
	}
}

// next is the next whole line of the log, and which file it is from. busy says that it gave
// up before that was known.
func (l *log) next() (line []byte, name string, busy bool) {
	for len(l.files) > 0 && l.files[0].done {
		l.files = l.files[1:]
	}
	for i, f := range l.files {
		if f.src == nil && i > 2*mostHeld {
			l.letGo() // between two looks more may be read than can be open
		}
		if f.src == nil && !l.open(f) {
			continue
		}
		if line, busy = f.next(l.looked); line != nil || busy {
			return line, f.name, busy
		}
	}
	l.files = slices.DeleteFunc(l.files, func(f *file) bool { return f.done })
	return nil, "", false
}

// open opens a rotated file, and says whether that went well. What may be otherwise later, as
// where its folder is away for a moment, is tried again at the next look.
func (l *log) open(f *file) bool {
	if f.done || f.tried.Equal(l.looked) {
		return false
	}
	var err error
	removed := func() bool {
		err = f.open()
		_, again := os.Stat(filepath.Dir(f.name))
		return errors.Is(err, fs.ErrNotExist) && again == nil
	}
	f.tried = l.looked
	gone := removed()
	if gone {
		gone = removed() // its folder was not just away
	}
	switch {
	case gone:
		l.notice(Notice{Kind: Removed, File: f.name, Err: err})
		f.close()
	case err == nil:
		return true
	case f.src != nil: // it is packed, and damaged
		l.notice(Notice{Kind: Damaged, File: f.name, Err: err})
		f.close()
	case !errors.Is(err, fs.ErrNotExist) && f.failed != err.Error():
		f.failed = err.Error()
		l.notice(Notice{Kind: Damaged, File: f.name, Err: err})
	}
	return false
}

// siblings are the log's rotated files among the names in its folder. A file that was
// packed since it was listed is found by its new name: it would come after younger ones
// if only the next look saw it.
func siblings(path string, names []string) (all []sibling) {
	known := map[string]bool{}
	for _, name := range names {
		at, ours := auditlog.RotatedAt(filepath.Base(path), name)
		plain := strings.TrimSuffix(filepath.Join(filepath.Dir(path), name), packed)
		if !ours || known[plain] {
			continue
		}
		known[plain] = true
		// In this order: when the plain file is removed, the packed one is complete.
		s := sibling{name: plain, at: at, plain: regular(plain), zip: regular(plain + packed)}
		if s.plain != nil || s.zip != nil {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b sibling) int { return a.at.Compare(b.at) })
	return all
}

// regular is what a regular file is like, nil when there is none.
func regular(name string) os.FileInfo {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return info
	}
	return nil
}
