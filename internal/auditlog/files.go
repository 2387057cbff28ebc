package auditlog

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Usage is what a log and its rotated files take.
type Usage struct {
	Files  []Size    // the oldest first, the live one last; none when there is no log yet
	Bytes  int64     // of all of them
	Newest time.Time // when the live file was last written
	// Oldest is the time of the first event in the oldest file. Where none can be
	// read it is when that file was last written: how far the log reaches at least.
	Oldest time.Time
}

// Size is what one file takes.
type Size struct {
	Path  string // on the node
	Bytes int64
}

// Measure looks at the log at name, an absolute path, and at its rotated files.
// A folder that is absent is no error.
func Measure(fsys fs.FS, name string) (Usage, error) {
	all, err := list(fsys, name)
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for _, f := range all {
		u.Files = append(u.Files, Size{"/" + f.name, f.info.Size()})
		u.Bytes += f.info.Size()
		if f.live {
			u.Newest = f.info.ModTime()
		}
	}
	for _, f := range all {
		if at, known := firstEvent(fsys, f); known {
			u.Oldest = at
			break
		}
		if u.Oldest.IsZero() && f.info.Size() > 0 {
			u.Oldest = f.info.ModTime()
		}
	}
	return u, nil
}

// file is one file of a log.
type file struct {
	name string // as fs.FS has it
	live bool
	at   time.Time // of its rotation
	info fs.FileInfo
}

// plain is the name that it had before it was packed.
func (f file) plain() string { return strings.TrimSuffix(f.name, packed) }

// packed ends the names of files that --audit-log-compress has packed.
const packed = ".gz"

// list returns a log's files, the oldest first and the live one last.
func list(fsys fs.FS, name string) ([]file, error) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	return listed(fsys, path.Dir(name), func(entries []fs.DirEntry) []file { return files(fsys, name, entries) })
}

// listed is what look makes of the entries of a folder, none of one that is absent. What is
// rotated or packed meanwhile would be missing, so it is listed until nothing has changed.
func listed[T any](fsys fs.FS, dir string, look func([]fs.DirEntry) T) (found T, err error) {
	entries, err := fs.ReadDir(fsys, dir)
	for try := 0; err == nil; try++ {
		found = look(entries)
		before := entries
		if entries, err = fs.ReadDir(fsys, dir); err == nil && (try == 10 || sameNames(before, entries)) {
			return found, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	var none T
	return none, err
}

func sameNames(a, b []fs.DirEntry) bool {
	return slices.EqualFunc(a, b, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() })
}

// files are the log's files among the entries of its folder.
func files(fsys fs.FS, name string, entries []fs.DirEntry) (all []file) {
	for _, e := range entries {
		f := file{name: path.Join(path.Dir(name), e.Name()), live: e.Name() == path.Base(name)}
		var ours bool
		if f.at, ours = RotatedAt(path.Base(name), e.Name()); !ours && !f.live {
			continue
		}
		var err error
		if f.info, err = fs.Stat(fsys, f.name); err != nil || !f.info.Mode().IsRegular() {
			continue // rotated away since the listing, or not a log
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b file) int {
		if a.live != b.live {
			return map[bool]int{true: 1, false: -1}[a.live]
		}
		return a.at.Compare(b.at)
	})
	return all
}

// Since are the names of a log's files that were written at that time or later,
// those packed included. fsys is the log's folder, and name the log's in it.
func Since(fsys fs.FS, name string, at time.Time) ([]string, error) {
	all, err := list(fsys, name)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range all {
		if !f.info.ModTime().Before(at) {
			names = append(names, f.name)
		}
	}
	return names, nil
}

// Open reads a log's file, which may be packed, from its raw bytes.
func Open(name string, raw io.Reader) (io.Reader, error) {
	if !strings.HasSuffix(name, packed) {
		return raw, nil
	}
	return gzip.NewReader(raw)
}

// ErrNotRegular is what OpenRegular says of a pipe, a device, a socket or a folder.
var ErrNotRegular = errors.New("it is no regular file")

// OpenRegular opens a regular file for reading. What else has the name by now, such as a
// named pipe, is refused at once: to open it may wait for ever for whoever writes.
func OpenRegular(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// RotatedAt reads the time out of a rotated file's name, STEM-TIME.EXT, packed or
// not (lumberjack v2.2.1, backupName and timeFromName).
func RotatedAt(live, name string) (time.Time, bool) {
	ext := path.Ext(live)
	rest, found := strings.CutPrefix(name, strings.TrimSuffix(live, ext)+"-")
	if !found {
		return time.Time{}, false
	}
	stamp, found := strings.CutSuffix(strings.TrimSuffix(rest, packed), ext)
	at, err := time.Parse("2006-01-02T15-04-05.000", stamp)
	return at, found && err == nil
}

// mostRead is how much of one file is searched for its first event.
const mostRead = 8 * maxLine

// firstEvent is the time of the first event in a file. A first line may be torn,
// or too long to be read: then it is the next one's.
func firstEvent(fsys fs.FS, f file) (time.Time, bool) {
	src, err := fsys.Open(f.name)
	if err != nil {
		return time.Time{}, false
	}
	defer src.Close()
	text, err := Open(f.name, src)
	if err != nil {
		return time.Time{}, false
	}
	lines := bufio.NewReaderSize(io.LimitReader(text, mostRead), 64<<10)
	for {
		line, _, whole, err := nextLine(lines)
		if e, ok := parseLine(line); ok && whole && !e.at.IsZero() {
			return e.at, true
		}
		if err != nil {
			return time.Time{}, false
		}
	}
}

// FormatSize is a number of bytes for people, in the units of the rotation flags.
func FormatSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// Folder is a folder of this machine as a file system. os.DirFS has no file whose name is
// not UTF-8, as those of old mounts and archives may be: a log would be passed over.
type Folder string

// Open opens a regular file.
func (d Folder) Open(name string) (fs.File, error) { return OpenRegular(d.at(name)) }

// ReadDir lists a folder.
func (d Folder) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(d.at(name)) }

// Stat follows links.
func (d Folder) Stat(name string) (fs.FileInfo, error) { return os.Stat(d.at(name)) }

func (d Folder) at(name string) string { return filepath.Join(string(d), name) }

// Files are the names of a log's files in a folder, the oldest first and the live one
// last. Of a file that is being packed only the plain one counts.
func Files(fsys fs.FS, name string) ([]string, error) {
	all, err := list(fsys, name)
	return plainOnce(all), err
}

// ByLog are the files of each log in a folder as Files has them, by the name of the live one,
// which need not be there. Every other file is a log of one file.
func ByLog(fsys fs.FS) (map[string][]string, error) {
	return listed(fsys, ".", func(entries []fs.DirEntry) map[string][]string {
		groups := map[string][]fs.DirEntry{}
		for _, e := range entries {
			live, ok := LiveName(e.Name())
			if !ok {
				live = e.Name()
			}
			groups[live] = append(groups[live], e)
		}
		all := map[string][]string{}
		for live, entries := range groups {
			all[live] = plainOnce(files(fsys, live, entries))
		}
		return all
	})
}

// plainOnce are the names of files, without those that are there both plain and packed a
// second time.
func plainOnce(all []file) (names []string) {
	there := map[string]bool{}
	for _, f := range all {
		there[f.name] = true
	}
	for _, f := range all {
		if f.plain() == f.name || !there[f.plain()] {
			names = append(names, f.name)
		}
	}
	return names
}

// LiveName is the name of the log that a rotated file, packed or not, belongs to.
func LiveName(rotated string) (string, bool) {
	const stamp = "2006-01-02T15-04-05.000"
	for i := len(rotated) - len(stamp); i > 0; i-- {
		live := rotated[:i-1] + strings.TrimSuffix(rotated[i+len(stamp):], packed)
		if rotated[i-1] != '-' {
			continue
		}
		if _, ok := RotatedAt(live, rotated); ok {
			return live, true
		}
	}
	return "", false
}

// MayBeLog says whether a file in a folder may be a log by its name: .log, .json, .jsonl,
// .ndjson and .txt, rotated or packed or not, and what begins with "audit". Hidden files
// are none.
func MayBeLog(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	if live, ok := LiveName(name); ok {
		name = live
	}
	switch path.Ext(strings.TrimSuffix(name, packed)) {
	case ".log", ".json", ".jsonl", ".ndjson", ".txt":
		return true
	}
	return strings.HasPrefix(name, "audit")
}
