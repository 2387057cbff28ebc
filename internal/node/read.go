package node

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"auditpatch/internal/nodefile"
)

// File is a file or directory as it was found.
type File = nodefile.File

// Sibling is a file of a directory, or why it could not be read.
type Sibling struct {
	File
	Err error
}

// Read reads a file. A file that is absent, or whose directory is, is no error.
// Symlinks are followed within the root.
func (n *Node) Read(name string) (File, error) {
	t, err := n.open()
	if err != nil {
		return File{Path: name}, err
	}
	defer t.close()
	return t.read(name)
}

// Stat is Read without the content, and takes directories too.
func (n *Node) Stat(name string) (File, error) {
	t, err := n.open()
	if err != nil {
		return File{Path: name}, err
	}
	defer t.close()
	f, _, err := t.stat(name)
	return f, err
}

// Siblings reads the files of a directory in the way of the kubelet: every name
// that does not begin with a dot, symlinks followed, sorted. What is not a
// readable file is there with its Err. No directory, no siblings.
func (n *Node) Siblings(dir string) ([]Sibling, error) {
	t, err := n.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	names, err := t.list(dir)
	if err != nil {
		return nil, fail("read", dir, err)
	}
	var all []Sibling
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		f, err := t.read(path.Join(dir, name))
		if err == nil && !f.Exists { // a dangling symlink
			err = fail("read", f.Path, syscall.ENOENT)
		}
		all = append(all, Sibling{f, err})
	}
	return all, nil
}

// Written is when a file was last written or put in place; zero when it is not
// there.
func (n *Node) Written(name string) time.Time {
	t, err := n.open()
	if err != nil {
		return time.Time{}
	}
	defer t.close()
	if _, info, err := t.resolve(name); err == nil && info != nil {
		return written(info)
	}
	return time.Time{}
}

// list returns the sorted names of a directory, none when it is absent.
func (t tree) list(dir string) ([]string, error) {
	real, info, err := t.resolve(dir)
	switch {
	case err != nil || info == nil:
		return nil, err
	case !info.IsDir():
		return nil, syscall.ENOTDIR
	}
	d, err := t.root.Open(rel(real))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func (t tree) read(name string) (File, error) {
	f, real, err := t.stat(name)
	if err != nil || !f.Exists {
		return f, err
	}
	if f.Dir {
		return f, fail("read", name, syscall.EISDIR)
	}
	data, info, err := t.readRegular(real)
	if errors.Is(err, fs.ErrNotExist) { // removed since stat
		return File{Path: name, Real: f.Real}, nil
	}
	if err != nil {
		return f, fail("read", name, err)
	}
	f.Data = data
	f.Mode, f.UID, f.GID = owned(info)
	return f, nil
}

func (t tree) stat(name string) (File, string, error) {
	f := File{Path: name}
	real, info, err := t.resolve(name)
	if err != nil {
		return f, "", fail("read", name, err)
	}
	if real != path.Clean(name) {
		f.Real = real
	}
	if info == nil {
		return f, real, nil
	}
	f.Exists, f.Dir = true, info.IsDir()
	f.Mode, f.UID, f.GID = owned(info)
	if err := checkType(info); err != nil {
		return f, real, fail("read", name, err)
	}
	if f.Dir {
		names, err := t.list(real)
		f.Empty = err == nil && len(names) == 0
	}
	return f, real, nil
}

// checkType refuses what is neither a file nor a directory.
func checkType(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular() || mode.IsDir():
		return nil
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("a named pipe, not a file")
	case mode&fs.ModeSocket != 0:
		return errors.New("a socket, not a file")
	case mode&fs.ModeSymlink != 0:
		return errors.New("a symlink, not a file")
	}
	return errors.New("a device, not a file")
}

func owned(info fs.FileInfo) (mode fs.FileMode, uid, gid int) {
	mode = info.Mode() & modeBits
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return mode, int(st.Uid), int(st.Gid)
	}
	return mode, 0, 0
}

// readRegular reads a whole file and what fstat says of the same inode.
func (t tree) readRegular(real string) ([]byte, fs.FileInfo, error) {
	f, info, err := t.openRegular(real)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err := readAll(f)
	return data, info, err
}

// openRegular does not wait for the other end of a pipe that has just taken the
// file's place.
func (t tree) openRegular(real string) (*os.File, fs.FileInfo, error) {
	f, err := t.root.OpenFile(rel(real), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkType(info)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func readAll(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errTooLarge
	}
	return data, err
}
