package handover

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/node"
	"auditpatch/internal/proc"
)

// The second API server writes its events to a spool, since two processes cannot rotate one
// log (lumberjack, of k8s.io/apiserver's log backend, writes without O_APPEND once it has
// rotated). When it has ended they are appended to the API server's log, each line whole.

// deliver moves the events in the spool to the end of a log; "" drops them.
func deliver(n *node.Node, log string) error { return move(n, log, nil) }

// Left tells whether a run that died has left events.
func Left(n *node.Node) bool {
	s, err := openSpool(n)
	if s == nil || err != nil {
		return false
	}
	_ = s.Close()
	return true
}

// Settle delivers what a run that died has left, but for what it had delivered itself. The
// caller holds the node's lock.
func Settle(n *node.Node) error {
	s, err := openSpool(n)
	if s == nil || err != nil {
		return err
	}
	log := s.into
	there, err := linesOf(n, log, s)
	_ = s.Close()
	if err != nil {
		return fmt.Errorf("move audit events of an earlier run to %s: %w", log, err)
	}
	return move(n, log, there)
}

// digest names a line.
type digest [sha256.Size]byte

// move appends the lines of the spool that are not there already, and drops the spool. Where
// not even the log's directory is, the audit logging was undone, and nobody misses the events.
func move(n *node.Node, log string, there map[digest]bool) error {
	s, err := openSpool(n)
	if s == nil || err != nil {
		return err
	}
	defer s.Close()
	if info, err := s.Stat(); log != "" && err == nil && info.Size() > 0 {
		err := appendTo(n, log, info, func(w io.Writer) error { return copyLines(w, s, there) })
		if err != nil && !errors.Is(err, errNoLog) {
			return fmt.Errorf("move audit events from %s to %s: %w", path.Join(n.StateDir, spoolName), log, err)
		}
	}
	return dropSpool(n)
}

// errNoLog says that the log's directory is not there.
var errNoLog = errors.New("there is no log")

// appendTo writes at the end of a log, or into a file beside it, named as one that was
// rotated, when the API server would write over that. A log that somebody has removed is made
// again, for the owner of the spool.
func appendTo(n *node.Node, log string, spool fs.FileInfo, write func(io.Writer) error) error {
	dir, err := logDir(n, log)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoLog
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := openLog(dir, path.Base(log))
	if errors.Is(err, fs.ErrNotExist) {
		f, err = makeLog(dir, path.Base(log), spool)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	overwritten, err := overwrites(n, f)
	if err != nil {
		return err
	}
	if err := fits(n, path.Dir(log), spool.Size()); err != nil {
		return err
	}
	if overwritten {
		return addBeside(dir, f, rotated(log, n.Now()), write)
	}
	if err := endLine(f); err != nil {
		return err
	}
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}

// spare is what has to be free beside what is written: a line that does not fit is torn, and
// takes the API server's next one with it.
const spare = 16 << 20

// fits tells whether so much can be written in a directory.
func fits(n *node.Node, dir string, size int64) error {
	space, err := n.Space(dir)
	if err == nil && space.FreeToRoot < size+spare {
		err = fmt.Errorf("%s are free there, and %s are wanted", auditlog.FormatSize(space.FreeToRoot), auditlog.FormatSize(size+spare))
	}
	return err
}

// endLine ends the last line of a log, which an API server that was killed may have left open.
func endLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = f.WriteString("\n")
	return err
}

// overwrites tells whether an API server of this node has a file open so that it would write
// over what is appended.
func overwrites(n *node.Node, f fs.File) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	host := proc.Host{Root: n.Root}
	servers, err := host.Processes("kube-apiserver")
	for _, p := range servers {
		if host.Overwrites(p, info) {
			return true, nil
		}
	}
	return false, err
}

// rotated is the name that lumberjack gives a log that it rotates (backupName, in UTC), so
// that it counts and removes it as one of its own.
func rotated(log string, now time.Time) string {
	ext := path.Ext(log)
	return strings.TrimSuffix(path.Base(log), ext) + "-" + now.UTC().Format("2006-01-02T15-04-05.000") + ext
}

// mostAtOnce is how much is written in one go. The kernel puts each write(2) at the end as
// a whole, so an API server that writes meanwhile tears no line.
const mostAtOnce = 1 << 20

// copyLines copies whole lines but those that are there already. The last one may be torn,
// when the API server was killed while it wrote it.
func copyLines(w io.Writer, r io.Reader, there map[digest]bool) error {
	var chunk []byte
	flush := func() error {
		_, err := w.Write(chunk)
		chunk = chunk[:0]
		return err
	}
	err := eachLine(r, func(line []byte) error {
		if !there[sha256.Sum256(line)] {
			chunk = append(chunk, line...)
		}
		if len(chunk) < mostAtOnce {
			return nil
		}
		return flush()
	})
	if err != nil || len(chunk) == 0 {
		return err
	}
	return flush()
}

// clockStep is how far a clock may have been put back meanwhile, at most: log files that
// are older than the spool by more were not written after it.
const clockStep = time.Minute

// linesOf are those lines of the spool that a log has too, in any of its files that were
// written since: the run that died may have added one, or the log was rotated meanwhile.
func linesOf(n *node.Node, log string, spool *spool) (map[digest]bool, error) {
	there := map[digest]bool{}
	if err := eachLine(spool, func(line []byte) error {
		there[sha256.Sum256(line)] = false
		return nil
	}); err != nil || len(there) == 0 {
		return nil, err
	}
	info, err := spool.Stat()
	if err != nil {
		return nil, err
	}
	dir, err := logDir(n, log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := auditlog.Since(dir.FS(), path.Base(log), info.ModTime().Add(-clockStep))
	for _, name := range names {
		if err := noteLines(dir, name, there); err != nil {
			return nil, err
		}
	}
	return there, err
}

// noteLines notes which lines a file of the log has, which may have been packed since it
// was listed. One that has gone since is none.
func noteLines(dir *os.Root, name string, there map[digest]bool) error {
	f, err := openLog(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		name += ".gz"
		f, err = openLog(dir, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := auditlog.Open(name, f)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return eachLine(text, func(line []byte) error {
		d := digest(sha256.Sum256(line))
		if _, wanted := there[d]; wanted {
			there[d] = true
		}
		return nil
	})
}

// eachLine calls do with each line that has an end, until that fails.
func eachLine(r io.Reader, do func([]byte) error) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err == nil:
			err = do(line)
		}
		if err != nil {
			return err
		}
	}
}
