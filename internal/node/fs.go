package node

import (
	"io/fs"
	"os"
	"path"
	"syscall"
)

// FS is the node's file system for whoever only reads, by paths without the slash
// at their beginning. Symlinks are followed within the root. Close lets go of it;
// files that were opened stay open.
type FS struct{ tree tree }

// FS opens the node's file system for reading.
func (n *Node) FS() (*FS, error) {
	t, err := n.open()
	if err != nil {
		return nil, err
	}
	return &FS{t}, nil
}

// Close lets go of the root.
func (f *FS) Close() { f.tree.close() }

// Open opens a file or a directory. It does not wait for the other end of a pipe.
func (f *FS) Open(name string) (fs.File, error) {
	real, _, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	return f.tree.root.OpenFile(rel(real), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Stat does not open what it looks at.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	_, info, err := f.find("stat", name)
	return info, err
}

func (f *FS) find(op, name string) (string, fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return "", nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	real, info, err := f.tree.resolve(path.Join("/", name))
	if err == nil && info == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", nil, &fs.PathError{Op: op, Path: path.Join("/", name), Err: bare(err)}
	}
	return real, info, nil
}
