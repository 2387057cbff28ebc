package node

import (
	"path"
	"strings"
	"syscall"
	"time"
)

// Usage is what a log and its rotated files take.
type Usage struct {
	Files  int       // 0 when there is no log yet
	Bytes  int64     // of all of them
	Live   int64     // of the file that is being written
	Newest time.Time // when the live file was last written
	Oldest time.Time // when the oldest of them was last written: how far the history reaches at least
	Free   int64     // bytes that are free in the file system
}

// LogUsage measures the log at name. Rotated files are those that kube-apiserver's
// rotation (lumberjack) makes beside it: NAME-TIME.EXT, packed or not.
func (n *Node) LogUsage(name string) (Usage, error) {
	t, err := n.open()
	if err != nil {
		return Usage{}, err
	}
	defer t.close()
	dir := path.Dir(name)
	names, err := t.list(dir)
	if err != nil {
		return Usage{}, fail("read", dir, err)
	}
	var u Usage
	for _, base := range names {
		if !rotated(path.Base(name), base) {
			continue
		}
		_, info, err := t.resolve(path.Join(dir, base))
		if err != nil || info == nil || !info.Mode().IsRegular() {
			continue // rotated away since the listing, or not a log
		}
		u.Files++
		u.Bytes += info.Size()
		if base == path.Base(name) {
			u.Newest, u.Live = info.ModTime(), info.Size()
		}
		if u.Oldest.IsZero() || info.ModTime().Before(u.Oldest) {
			u.Oldest = info.ModTime()
		}
	}
	u.Free, err = t.free(dir)
	return u, err
}

// rotated tells whether name is the log live or one of its rotated files.
func rotated(live, name string) bool {
	ext := path.Ext(live)
	stem := strings.TrimSuffix(live, ext)
	name = strings.TrimSuffix(name, ".gz")
	return name == live || strings.HasPrefix(name, stem+"-") && strings.HasSuffix(name, ext)
}

// free is how much can still be written where dir is, or will be.
func (t tree) free(dir string) (int64, error) {
	for {
		real, info, err := t.resolve(dir)
		if err != nil {
			return 0, fail("read", dir, err)
		}
		if info == nil {
			dir = path.Dir(dir)
			continue
		}
		f, err := t.root.Open(rel(real))
		if err != nil {
			return 0, fail("read", dir, err)
		}
		defer f.Close()
		var st syscall.Statfs_t
		if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
			return 0, fail("measure", dir, err)
		}
		return int64(st.Bavail) * int64(st.Bsize), nil
	}
}
