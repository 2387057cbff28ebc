package auditlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Search looks for events that are written to a log after it began. It keeps
// what it reads open, so that an event is found also when its file is rotated,
// packed or removed meanwhile.
type Search struct {
	fsys    fs.FS
	name    string
	before  map[string]bool // rotated files that were there, unpacked names
	follows []*follow
	done    map[string]bool // packed files that were read to their end
}

// follow is one file that is being written, or was.
type follow struct {
	file   fs.File
	plain  string // its name when it was last seen
	offset int64  // behind the last whole line that was read
}

// Begin notes where the log at name, an absolute path, ends now. Close ends the
// search.
func Begin(fsys fs.FS, name string) *Search {
	s := &Search{fsys: fsys, name: name, before: map[string]bool{}, done: map[string]bool{}}
	files, _ := list(fsys, name) // what cannot be read now is an error when it is searched
	for _, f := range files {
		if !f.live {
			s.before[f.plain()] = true
			continue
		}
		if at := s.open(f); at != nil {
			if info, err := at.file.Stat(); err == nil {
				at.offset = info.Size()
			}
		}
	}
	return s
}

// Close lets go of the files.
func (s *Search) Close() {
	for _, f := range s.follows {
		f.file.Close()
	}
}

// Find tells which of some audit IDs is in what was written since the last call,
// "" for none. The error says why the log could not be read.
func (s *Search) Find(auditIDs ...string) (found string, err error) {
	want := func(line []byte) bool {
		// To parse all that a busy API server writes costs more than to look for it.
		mentioned := func(id string) bool { return bytes.Contains(line, []byte(id)) }
		if !slices.ContainsFunc(auditIDs, mentioned) {
			return false
		}
		e, ok := parseLine(line)
		if ok = ok && slices.Contains(auditIDs, e.auditID); ok {
			found = e.auditID
		}
		return ok
	}
	zipped, err := s.lookAround()
	for _, f := range s.follows {
		if readErr := f.read(want); readErr != nil {
			err = errors.Join(err, readErr)
		}
	}
	for _, f := range zipped {
		s.unzip(f, want)
	}
	if found != "" {
		return found, nil
	}
	return "", err
}

// lookAround follows files that are new and returns those that are packed.
func (s *Search) lookAround() (zipped []file, err error) {
	files, err := list(s.fsys, s.name)
	if err != nil {
		return nil, err
	}
	live := false
	for _, f := range files {
		live = live || f.live
		switch {
		case s.before[f.plain()] || s.done[f.name]:
		case f.plain() != f.name:
			zipped = append(zipped, f)
		default:
			s.open(f)
		}
	}
	if !live {
		return zipped, fmt.Errorf("%s: %w", s.name, fs.ErrNotExist)
	}
	return zipped, nil
}

// open follows a file, unless it is followed already, by whatever name.
func (s *Search) open(f file) *follow {
	known := func(o *follow) bool {
		info, err := o.file.Stat()
		return err == nil && os.SameFile(info, f.info)
	}
	if slices.ContainsFunc(s.follows, known) {
		return nil
	}
	src, err := s.fsys.Open(f.name)
	if err != nil {
		return nil // rotated away since the listing; the next look finds it elsewhere
	}
	o := &follow{file: src, plain: f.name}
	s.follows = append(s.follows, o)
	return o
}

// read goes on from the last whole line. A file that is shorter than that was cut
// off, and is read from its start.
func (f *follow) read(want func([]byte) bool) error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.offset {
		f.offset = 0
	}
	at, ok := f.file.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("%s cannot be read from an offset", f.plain)
	}
	n, err := scan(io.NewSectionReader(at, f.offset, info.Size()-f.offset), want)
	f.offset += n
	return err
}

// unzip reads a packed file. One that is still being packed is read again.
func (s *Search) unzip(f file, want func([]byte) bool) {
	src, err := s.fsys.Open(f.name)
	if err != nil {
		return
	}
	defer src.Close()
	text, err := gzip.NewReader(src)
	if err != nil {
		return
	}
	if _, err := scan(text, want); err == nil {
		s.done[f.name] = true
	}
}

// scan shows all whole lines to want until that is content, and returns how many
// bytes it has read of them.
func scan(r io.Reader, want func([]byte) bool) (n int64, err error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, length, whole, err := nextLine(lines)
		n += length
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		case whole && want(line):
			return n, nil
		}
	}
}
