package node

import (
	"path"
	"syscall"
)

// Space is what can still be written in a file system.
type Space struct {
	Free, Total int64 // bytes
	FreeToRoot  int64 // with what is kept for root
	Files       int64 // that can still be made; 0 where nothing counts them
	// NoFiles says that no further file can be made: all inodes are taken.
	NoFiles  bool
	ReadOnly bool
}

// readOnlyFlag is ST_RDONLY of Linux and MNT_RDONLY of the BSDs.
const readOnlyFlag = 1

// Space measures the file system where dir is, or will be.
func (n *Node) Space(dir string) (Space, error) {
	t, err := n.open()
	if err != nil {
		return Space{}, err
	}
	defer t.close()
	for {
		real, info, err := t.resolve(dir)
		if err != nil {
			return Space{}, fail("read", dir, err)
		}
		if info != nil {
			return t.space(dir, real)
		}
		dir = path.Dir(dir)
	}
}

func (t tree) space(dir, real string) (Space, error) {
	f, err := t.root.Open(rel(real))
	if err != nil {
		return Space{}, fail("read", dir, err)
	}
	defer f.Close()
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
		return Space{}, fail("measure", dir, err)
	}
	return Space{
		Free: int64(st.Bavail) * int64(st.Bsize), Total: int64(st.Blocks) * int64(st.Bsize),
		FreeToRoot: int64(st.Bfree) * int64(st.Bsize), Files: int64(st.Ffree),
		// File systems that make inodes as they need them count none at all.
		NoFiles: st.Files > 0 && st.Ffree == 0, ReadOnly: st.Flags&readOnlyFlag != 0,
	}, nil
}
