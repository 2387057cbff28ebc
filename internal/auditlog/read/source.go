package read

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"auditpatch/internal/auditlog"
)

// file is one file of a log, or standard input. It has so many fields because files come
// as names, are opened later, and are shared by workers then.
type file struct {
	name  string
	order int // among all files
	last  bool
	src   *os.File  // nil until it is opened
	in    io.Reader // instead of src
	size  int64     // when it was opened; -1 for what is no regular file
	lost  string    // why nothing of it can be read, known when it was to be opened
	// special allows a named pipe or a device.
	special bool
	live    bool // somebody may be writing to it
	form    form
	next    int64 // where the next chunk begins

	mu    sync.Mutex
	lines []int64 // of each chunk
	users int     // units that are being read, and one more until the last is taken
}

// mostOpen is how many files are opened before the first is read. What is open is
// read to its end, whatever is rotated, packed or removed meanwhile.
const mostOpen = 200

// mostNewest is of how many logs the newest file is opened before. Where there are more, it
// is found by its name when its turn comes.
const mostNewest = 500

// justNow is how long ago a file was written that somebody may still be writing to.
const justNow = 10 * time.Second

// open opens a file, which may have been packed since it was found. Others than regular
// ones are opened when they are read, since that may wait for whoever writes; one that has
// taken a log's name since it was found would make the answer wait for ever, and is lost.
func (f *file) open() error {
	if f.in != nil || f.src != nil || f.size < 0 || f.lost != "" {
		return nil
	}
	err := f.openAs(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.openAs(f.name+".gz") == nil:
		return nil
	case replaced(err):
		f.lost = "it is no regular file any more"
		return nil
	}
	return err
}

// replaced says whether an error of opening is that something else has the name than a
// file: a pipe, a device, a folder, a socket, a link to itself.
func replaced(err error) bool {
	return errors.Is(err, auditlog.ErrNotRegular) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR)
}

func (f *file) openAs(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		if !f.special {
			return auditlog.ErrNotRegular // to open a device may already do something
		}
		f.size = -1
		return nil
	}
	src, err := auditlog.OpenRegular(name)
	if err != nil {
		return err
	}
	if info, err = src.Stat(); err != nil {
		_ = src.Close()
		return err
	}
	f.name, f.src, f.size = name, src, info.Size()
	f.live = f.last && time.Since(info.ModTime()) < justNow
	return nil
}

// is says whether an open file has that name.
func (f *file) is(name string) bool {
	if f.src == nil {
		return false
	}
	named, err := os.Stat(name)
	open, again := f.src.Stat()
	return err == nil && again == nil && os.SameFile(named, open)
}

// begin finds out what a file holds.
func (f *file) begin() error {
	err := f.open()
	if errors.Is(err, fs.ErrNotExist) { // rotation has removed it meanwhile
		f.lost = "it was removed before it was read"
	} else if err != nil {
		return err
	}
	if f.src == nil {
		f.form = whole
		return nil
	}
	head := make([]byte, mostHead)
	n, err := f.src.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if f.form = formOf(head[:n]); f.form != jsonLines {
		f.live = f.live && f.form != packed
		f.form = whole
	}
	return nil
}

// done lets go of a file that nobody reads any more.
func (f *file) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users--; f.users == 0 && f.src != nil {
		_ = f.src.Close()
	}
}

// counted notes how many lines a chunk has.
func (f *file) counted(chunk, lines int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for int64(len(f.lines)) <= chunk {
		f.lines = append(f.lines, 0)
	}
	f.lines[chunk] = lines
}

// linesBefore is how many lines stand before a chunk.
func (f *file) linesBefore(chunk int64) (n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, lines := range f.lines[:min(int64(len(f.lines)), chunk)] {
		n += lines
	}
	return n
}

// unit is what one worker reads: a chunk of a file with lines, or a whole file.
type unit struct {
	file  *file
	chunk int64
	from  int64
	out   chan *batch // closed at the end of the unit
}

// stream is a log that is being read.
type stream struct {
	mu    sync.Mutex
	files []*file
	units chan *unit // in their order
	ended bool
}

// open makes a stream of each log. The newest file of each is opened first: from then on it
// is known which files belong to the log and which come later.
func (r *run) open(logs []Log) (streams []*stream, err error) {
	newest, err := r.openNewest(logs)
	if err != nil {
		return nil, err
	}
	order, known := 0, true
	add := func(f *file) *file {
		f.order, f.users = order, 1
		order++
		return f
	}
	now := folders{}
	for i, l := range logs {
		s := &stream{units: make(chan *unit, 2*r.workers)}
		streams = append(streams, s)
		if l.Stdin != nil {
			s.files = append(s.files, add(&file{name: l.Name, in: l.Stdin, size: -1}))
		}
		if len(l.Files) > 0 && i < len(newest) {
			s.list(l, newest[i], rotatedSince(logs, newest[i], now), add)
		}
		for _, u := range l.Left {
			r.counts.bad(place{file: add(&file{name: u.File}), bytes: u.Bytes, reason: u.Reason})
		}
	}
	for _, s := range streams {
		for _, f := range s.files {
			// What rotation has removed meanwhile is told when its turn comes.
			if f.order < mostOpen && r.ctx.Err() == nil {
				if err := f.open(); err != nil && !errors.Is(err, fs.ErrNotExist) {
					closeAll(streams)
					return nil, err
				}
			}
			r.all += max(f.size, 0)
			known = known && f.src != nil
		}
		r.counts.files += len(s.files)
	}
	if !known {
		r.all = 0
	}
	return streams, nil
}

// openNewest opens the newest file of each log, of so many as may be open at once. An
// interruption ends it, and the logs that are left have none.
func (r *run) openNewest(logs []Log) (newest []*file, err error) {
	for i, l := range logs {
		if r.ctx.Err() != nil {
			break
		}
		f := &file{size: -1}
		if len(l.Files) > 0 {
			f = &file{name: l.Files[len(l.Files)-1], last: true, special: l.Special}
		}
		newest = append(newest, f)
		if len(l.Files) == 0 || i >= mostNewest {
			continue
		}
		if err := f.open(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			closeAll([]*stream{{files: newest}})
			return nil, err
		}
	}
	return newest, nil
}

// list notes the files of a log, with those that were rotated since it was found.
func (s *stream) list(l Log, newest *file, rotated []string, add func(*file) *file) {
	for _, name := range slices.Concat(l.Files[:len(l.Files)-1], rotated) {
		s.files = append(s.files, add(&file{name: name}))
	}
	// One that is not there any more is one of those, and one that is not open yet is there.
	if _, err := os.Stat(newest.name); newest.src != nil || newest.lost != "" || len(rotated) == 0 || err == nil {
		s.files = append(s.files, add(newest))
	}
}

// joined is one stream of all files.
func joined(streams []*stream) *stream {
	all := &stream{}
	for _, s := range streams {
		all.files = append(all.files, s.files...)
	}
	return all
}

// start lets workers read the stream, beside those of others. They hand batches over to shared if there is
// one, and else in the order of the units.
func (s *stream) start(r *run, shared chan *batch, others int) {
	for range r.workers {
		r.wait.Add(1)
		w := &worker{run: r, stream: s, home: make(chan *batch, mostBatches), most: batches(r.workers * others)}
		if r.Prepare != nil {
			w.prepare = r.Prepare()
		}
		go w.work(shared)
	}
}

// closeAll lets go of files that were opened and not read to their end.
func closeAll(streams []*stream) {
	for _, s := range streams {
		for _, f := range s.files {
			if f.src != nil {
				_ = f.src.Close()
			}
		}
	}
}

// take is the next unit for a worker.
func (s *stream) take(r *run, unordered bool) (*unit, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.next(r)
	if err != nil {
		r.counts.fail(err)
		r.cancel()
	}
	if u == nil {
		if !s.ended && s.units != nil && r.ctx.Err() == nil {
			close(s.units)
		}
		s.ended = true
		return nil, false
	}
	if unordered {
		return u, true
	}
	u.out = make(chan *batch, mostBatches)
	select {
	case s.units <- u:
		return u, true
	case <-r.ctx.Done():
		u.file.done()
		return nil, false
	}
}

// next is the next unit, nil at the end.
func (s *stream) next(r *run) (*unit, error) {
	if len(s.files) == 0 || r.ctx.Err() != nil || s.ended {
		return nil, nil
	}
	f := s.files[0]
	if f.form == unknown {
		if err := f.begin(); err != nil {
			return nil, err
		}
	}
	u := &unit{file: f, chunk: f.next / int64(r.chunk), from: f.next}
	f.next += int64(r.chunk)
	if f.form == whole || f.next >= f.size {
		s.files = s.files[1:]
		return u, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	return u, nil
}

// unit is the next unit for the consumer, nil at the end.
func (s *stream) unit(r *run) *unit {
	select {
	case u := <-s.units:
		return u
	case <-r.ctx.Done():
		return nil
	}
}

// read looks at all that a unit has.
func (w *worker) read(u *unit) {
	defer u.file.done()
	var err error
	if u.file.form == jsonLines {
		err = w.part(u.file, u.from)
	} else {
		err = w.whole(u.file)
	}
	if err != nil && w.ctx.Err() == nil {
		w.counts.fail(err)
		w.cancel()
	}
}

// page is how reads are aligned: a copy out of the page cache to memory that lies
// otherwise takes three times as long.
const page = 4 << 10

// slack is room for the rest of the last line in a chunk.
const slack = 8 * page

// part reads the lines that begin in (from, from+chunk], and the one at 0.
func (w *worker) part(f *file, from int64) error {
	size := min(int64(w.chunk), f.size-from)
	w.buffer(int(min(int64(w.chunk), f.size)) + slack)
	n, err := f.src.ReadAt(w.buf[:size], from)
	w.done.Add(int64(n))
	if int64(n) < size {
		return w.shorter(err)
	}
	start := 0
	if from > 0 {
		if start = bytes.IndexByte(w.buf[:n], '\n') + 1; start == 0 {
			return nil
		}
	} else if bytes.HasPrefix(w.buf[:n], bom) {
		start = len(bom)
	}
	end, err := w.rest(f, from, n)
	if err != nil || end < 0 {
		return err
	}
	if start < end {
		w.lines(w.buf[start:end])
	}
	return nil
}

// rest reads on to the end of the line that the buffer ends in, or of the one that
// begins where it ends. It returns the end, or -1 for a line that is too long.
func (w *worker) rest(f *file, from int64, n int) (int, error) {
	step := int64(page)
	for f.size > from+int64(n) {
		if n+page > len(w.buf) {
			if n > w.longest {
				return w.endless(f, from, n)
			}
			w.grow(n)
		}
		more := int(min(int64(len(w.buf)-n), step, f.size-from-int64(n)))
		k, err := f.src.ReadAt(w.buf[n:n+more], from+int64(n))
		if i := bytes.IndexByte(w.buf[n:n+k], '\n'); i >= 0 {
			return n + i + 1, nil
		}
		n += k
		step = slack
		if k < more {
			if err := w.shorter(err); err != nil {
				return 0, err
			}
			break
		}
	}
	return n, nil
}

// endless passes over a line that is too long to be held, and looks at those before.
func (w *worker) endless(f *file, from int64, n int) (int, error) {
	keep := lastEnd(w.buf[:min(w.chunk, n)]) + 1
	if start := bytes.IndexByte(w.buf[:keep], '\n') + 1; from > 0 && start < keep {
		w.lines(w.buf[start:keep])
	} else if from == 0 {
		w.lines(w.buf[:keep])
	}
	length := int64(n - keep)
	w.at.line++
	w.buf = nil
	w.buffer(w.chunk + slack)
	for at := from + int64(n); at < f.size && w.ctx.Err() == nil; {
		k, err := f.src.ReadAt(w.buf[:min(int64(w.chunk), f.size-at)], at)
		if i := bytes.IndexByte(w.buf[:k], '\n'); i >= 0 {
			length += int64(i) + 1
			break
		}
		length += int64(k)
		at += int64(k)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	w.bad(length, tooLong(w.longest))
	return -1, nil
}

// shorter is about a file that ends before it did when it was opened.
func (w *worker) shorter(err error) error {
	if err != io.EOF {
		return err
	}
	w.at.line++
	w.bad(0, "the file became shorter while it was read")
	w.at.line--
	return nil
}

// buffer makes the worker's buffer long enough, and not much longer.
func (w *worker) buffer(n int) {
	if len(w.buf) < n || len(w.buf) > max(4*n, 1<<20) {
		w.buf = make([]byte, n)
	}
}

// grow makes the buffer longer, and keeps what it has.
func (w *worker) grow(n int) {
	longer := make([]byte, 2*len(w.buf))
	copy(longer, w.buf[:n])
	w.buf = longer
}

// patient is a reader whose reads may wait for ever, such as a terminal. It gives up
// when the context is done; the read that waits goes on and ends with the program.
type patient struct {
	ctx    context.Context
	reads  chan []byte
	result chan int
	err    error
	buf    []byte
	have   []byte
}

// newPatient reads what open opens.
func newPatient(ctx context.Context, open func() (io.ReadCloser, error)) *patient {
	p := &patient{ctx: ctx, reads: make(chan []byte), result: make(chan int, 1), buf: make([]byte, 64<<10)}
	go func() {
		src, err := open()
		if err == nil {
			defer func() { _ = src.Close() }()
		}
		for {
			select {
			case buf := <-p.reads:
				n := 0
				if err == nil {
					n, err = src.Read(buf)
				}
				p.err = err
				p.result <- n
				if err != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return p
}

func (p *patient) Read(to []byte) (int, error) {
	if len(p.have) == 0 && p.err == nil {
		select {
		case p.reads <- p.buf:
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		}
		select {
		case n := <-p.result:
			p.have = p.buf[:n]
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		}
	}
	if len(p.have) == 0 {
		return 0, p.err
	}
	n := copy(to, p.have)
	p.have = p.have[n:]
	return n, nil
}
