package node

import (
	"bytes"
	"path"
)

// Rewrite replaces the contents of a file, in one rename, when they are still
// what they were; else the error is a *ChangedError. Mode, owner and attributes
// stay. It is for a change that no run has to be able to undo.
func (n *Node) Rewrite(name string, old, data []byte) error {
	t, err := n.open()
	if err != nil {
		return err
	}
	defer t.close()
	real, _, err := t.resolve(name)
	if err != nil {
		return fail("write", name, err)
	}
	dir, err := t.folder(path.Dir(real))
	if err != nil {
		return fail("write", name, err)
	}
	defer dir.Close()
	cur, have, err := t.look(real, false)
	if err != nil || cur.Kind != Regular || !bytes.Equal(have, old) {
		return join(err, &ChangedError{name})
	}
	temp := "." + path.Base(real) + tempMark + "rewrite"
	if err := writeNew(dir, temp, data, cur); err != nil {
		return fail("write", name, err)
	}
	if _, have, err = t.look(real, false); err != nil || !bytes.Equal(have, old) {
		return join(err, dir.Remove(temp), &ChangedError{name})
	}
	if err := dir.Rename(temp, path.Base(real)); err != nil {
		return fail("write", name, join(err, dir.Remove(temp)))
	}
	if err := syncDir(dir, "."); err != nil {
		return fail("write", name, err)
	}
	t.touchLink(name)
	return nil
}
