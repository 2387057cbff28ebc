// Package follow delivers the events of live logs as they are written, and loses and
// repeats none while the logs are rotated, packed, cut off, removed and made anew.
//
// Follow is the name to call first.
//
// Logs are looked at five times a second, by stat: that works on every file system and
// through mounts, where inotify tells nothing of what others write over NFS, and costs
// nothing that can be measured while the logs rest. A file is known by its inode as long
// as it is open, which keeps the inode from being used again, and by how it begins once
// it is packed.
package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"

	"auditpatch/internal/lazyregexp"
)

// Options say what is wanted of the logs.
type Options struct {
	Fields      event.Fields // that each reads
	MatchFields event.Fields // that Match reads
	// Match says whether an event is wanted; nil takes all.
	Match func(*event.Event) bool
	// Checked looks at every byte of the wanted events, whose JSON is then fit to be printed.
	Checked bool
	// Since begins with what was written at that time or later, as far as the files'
	// own times tell; Match leaves out the older events in them. Zero begins at the end.
	Since time.Time
	// Every is how often the logs are looked at; 0 is 200 ms.
	Every time.Duration
	// Notice is called for what is lost, or may be, and for logs that are waited for.
	Notice func(Notice)
}

// Follow calls each for each wanted event of the logs at names, which are files or
// folders, until ctx is cancelled, which is the end and no error, or each returns an error,
// which it returns. The event
// is valid until each returns. The events of one log come in the order in which they
// were written, and of those of several logs that are there to be read the oldest first.
// What has come does not come again, by whatever name it is read.
//
// A log or folder that is not there is waited for. A log of which the files are rotated
// faster than each takes their events is read from the rotated files as long as these
// are kept.
func Follow(ctx context.Context, names []string, o Options, each func(*event.Event) error) (read.Total, error) {
	f := newFollower(names, o)
	defer f.close()
	err := f.find(ctx, o.Since, o.Since.IsZero())
	for err == nil && ctx.Err() == nil {
		if !time.Now().Before(f.findAt) {
			if err = f.find(ctx, o.Since, false); err != nil {
				break
			}
		}
		switch l, busy := f.oldest(ctx); {
		case busy, ctx.Err() != nil:
		case l == nil:
			wait(ctx, max(time.Until(f.lookAt), time.Millisecond))
		default:
			l.pending = false
			if f.once.Before(&l.e) {
				f.total.Duplicates++
				continue
			}
			f.total.Wanted++
			err = each(&l.e)
		}
	}
	f.torn()
	return f.total, err
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// follower is a run of Follow.
type follower struct {
	Options
	names []string
	logs  map[string]*log
	order []*log
	// awake are those that may have an event; the others had none since the last look, and
	// are not asked again before the next: that would cost as much for each event as a look.
	awake  []*log
	lookAt time.Time // when all are looked at next
	findAt time.Time // when names are looked up next
	told   map[string]bool
	total  read.Total
	// once leaves out what has come already: a log may have two names, be renamed in its folder
	// or copied there, or be cut off in its midst, and what is read of it then is not new.
	once read.Once
}

func newFollower(names []string, o Options) *follower {
	if o.Every == 0 {
		o.Every = 200 * time.Millisecond
	}
	o.Fields |= read.Identity
	return &follower{Options: o, names: names, logs: map[string]*log{}}
}

func (f *follower) close() {
	for _, l := range f.order {
		l.close()
	}
}

// torn tells of lines at the end of rotated files that will not be completed.
func (f *follower) torn() {
	for _, l := range f.order {
		for _, o := range l.files {
			if o != l.live {
				o.torn()
			}
		}
	}
}

// find looks for logs that are new. What the first call finds begins at its end; a log
// that appears later is new as a whole. Only the first returns an error: what goes wrong later
// may pass, and the other logs go on.
func (f *follower) find(ctx context.Context, from time.Time, atEnd bool) error {
	first := f.findAt.IsZero()
	defer f.again(&f.findAt, time.Now())
	var fresh []*log
	copies := map[*log]*file{}
	for _, name := range f.names {
		paths, err := f.paths(name)
		if err != nil && first {
			return err
		}
		if err != nil {
			f.tellOnce(Notice{Kind: Damaged, File: name, Err: err})
		}
		for _, path := range paths {
			if path = filepath.Clean(path); f.logs[path] == nil {
				l := newLog(path, from, f.tell)
				f.logs[path] = l
				fresh = append(fresh, l)
				if o := f.original(path); o != nil {
					copies[l] = o
				}
			}
		}
	}
	f.order, f.awake = append(f.order, fresh...), append(f.awake, fresh...)
	look(ctx, fresh, atEnd)
	for l, o := range copies {
		l.goOnLike(o)
	}
	for _, l := range fresh {
		if l.failed != nil && first {
			return l.failed
		}
	}
	return nil
}

// paths are the logs that a name stands for; none of one that may become a file or a folder.
func (f *follower) paths(name string) ([]string, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return inFolder(name)
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("follow %s: %w", name, auditlog.ErrNotRegular)
	case err == nil || errors.Is(err, fs.ErrNotExist) && isLog(name):
		return []string{name}, nil
	case errors.Is(err, fs.ErrNotExist):
		f.tellOnce(Notice{Kind: Absent, File: name})
		return nil, nil
	}
	return nil, err
}

// look looks at logs, all live files first, so that a folder need be listed only once. An
// interruption ends it.
func look(ctx context.Context, logs []*log, atEnd bool) {
	var visits []visit
	for _, l := range logs {
		if ctx.Err() == nil {
			visits = append(visits, l.visit(atEnd))
		}
	}
	all, at := listings{}, changes{}
	for _, v := range visits {
		if ctx.Err() == nil {
			v.settle(all, at)
		} else if v.now != nil && !slices.Contains(v.files, v.now) {
			v.now.close()
		}
	}
}

// again says when work that began at that time is due again: where there are so many logs that
// it takes long, events must get their turn.
func (f *follower) again(due *time.Time, began time.Time) {
	*due = time.Now().Add(max(f.Every, 4*time.Since(began)))
}

// isLog says whether what is not there is the live file of a log that has others: it is
// just being rotated.
func isLog(name string) bool {
	siblings, err := listings{}.of(name).siblings(name)
	return err == nil && len(siblings) > 0
}

// tellOnce tells what a name has that is no log yet; a log tells it of itself.
func (f *follower) tellOnce(n Notice) {
	if f.logs[filepath.Clean(n.File)] != nil || f.told[n.String()] {
		return
	}
	if f.told == nil {
		f.told = map[string]bool{}
	}
	f.told[n.String()] = true
	f.tell(n)
}

// byOthers are names of what is packed, and of what logrotate has rotated or made a copy of:
// the events of these were in a live log.
var byOthers = lazyregexp.New(`\.gz$|[-.][0-9]+$`)

// inFolder are the live logs in a folder, by the names that package read takes for logs.
// Links are left out: what they lead to would come twice.
func inFolder(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		_, rotated := auditlog.LiveName(e.Name())
		if e.Type().IsRegular() && !rotated && auditlog.MayBeLog(e.Name()) && !byOthers().MatchString(e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// oldest is the log of which the next event is the oldest, nil when there is none. busy
// says that a log has so many events that are not wanted that it is not known yet.
func (f *follower) oldest(ctx context.Context) (first *log, busy bool) {
	if began := time.Now(); !began.Before(f.lookAt) {
		look(ctx, f.order, false)
		f.awake = append(f.awake[:0], f.order...)
		f.again(&f.lookAt, began)
	}
	awake := f.awake[:0]
	for i, l := range f.awake {
		if ctx.Err() != nil {
			awake = append(awake, f.awake[i:]...)
			break
		}
		more := f.fill(l)
		busy = busy || more
		if l.pending && (first == nil || l.e.Stamp < first.e.Stamp) {
			first = l
		}
		if l.pending || more {
			awake = append(awake, l)
		}
	}
	f.awake = awake
	return first, busy
}

// fill reads a log up to its next wanted event. It says whether it gave up before.
func (f *follower) fill(l *log) (busy bool) {
	for n := 0; !l.pending; n++ {
		if n == 4096 {
			return true
		}
		if n > 0 && n%64 == 0 && time.Since(l.looked) >= f.Every {
			l.look()
		}
		line, name, more := l.next()
		if line == nil {
			return more
		}
		f.total.Bytes += int64(len(line))
		if !f.parse(&l.e, line, name) {
			continue
		}
		f.total.Events++
		l.pending = (f.Match == nil || f.Match(&l.e)) && f.checked(&l.e, name)
	}
	return false
}

// parse reads the event in a line, which may stand behind a prefix, or behind a part of
// another event whose writer has died.
func (f *follower) parse(e *event.Event, line []byte, name string) bool {
	line = bytes.Trim(line, "\x00 \t\r\n")
	if len(line) == 0 {
		return false
	}
	fields := f.Fields | f.MatchFields | event.WantStamp
	err := e.Parse(line, fields)
	if err == nil {
		return true
	}
	bad := len(line)
	if i := bytes.Index(line, []byte(`{"`)); i > 0 && e.Parse(line[i:], fields) == nil {
		return true
	}
	if i := event.Torn(line, func(text []byte) error { return e.Parse(text, fields) }); i > 0 {
		bad = i
	}
	f.tell(Notice{Kind: Unreadable, File: name, Bytes: int64(bad), Err: err})
	return bad < len(line)
}

// checked says whether a wanted event is whole, if that matters.
func (f *follower) checked(e *event.Event, name string) bool {
	if !f.Checked {
		return true
	}
	err := event.Check(e.JSON)
	if err != nil {
		f.tell(Notice{Kind: Unreadable, File: name, Bytes: int64(len(e.JSON)), Err: err})
		f.total.Events--
	}
	return err == nil
}

// tell counts what cannot be read and passes a notice on.
func (f *follower) tell(n Notice) {
	if n.Kind == Unreadable {
		f.total.Unreadable++
		if len(f.total.First) < 20 {
			f.total.First = append(f.total.First, read.Unreadable{File: n.File, Bytes: n.Bytes, Reason: n.Err.Error()})
		}
	}
	if f.Notice != nil {
		f.Notice(n)
	}
}
