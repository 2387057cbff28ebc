package node

import "io/fs"

// Kind says what is at a path, symlinks followed: "" when nothing does, else
// directory, file, socket, character device, block device, or neither file nor
// directory.
func (n *Node) Kind(name string) (string, error) {
	t, err := n.open()
	if err != nil {
		return "", err
	}
	defer t.close()
	_, info, err := t.resolve(name)
	switch {
	case err != nil:
		return "", fail("look at", name, err)
	case info == nil:
		return "", nil
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "directory", nil
	case mode.IsRegular():
		return "file", nil
	case mode&fs.ModeSocket != 0:
		return "socket", nil
	case mode&fs.ModeCharDevice != 0:
		return "character device", nil
	case mode&fs.ModeDevice != 0:
		return "block device", nil
	}
	return "neither file nor directory", nil
}
