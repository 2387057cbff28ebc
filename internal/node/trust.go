package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"auditpatch/internal/hint"
)

// maxSystemUser is the last of the numbers that system accounts have; people's
// begin after it.
const maxSystemUser = 999

// errSwapped says that someone interferes, on purpose or by accident.
var errSwapped = errors.New("was replaced while it was being opened")

// UntrustedError refuses a path that someone else decides about: what root did
// there would be done in that user's name.
type UntrustedError struct {
	Path string // what is not to be trusted, on the node: often a directory on the way
	Why  string
	Hint hint.Hint
}

func (e *UntrustedError) Error() string { return e.Path + " " + e.Why }

// Remedy is the hint, as an error's method.
func (e *UntrustedError) Remedy() hint.Hint { return e.Hint }

// owners are the users whose files and directories are as good as our own: root,
// whoever runs this, and the owner of the tree, who can replace all of it anyway.
type owners []int

func (o owners) has(uid int) bool { return slices.Contains(o, uid) }

// fault says why others decide what is in a directory, "" when they do not. That
// a group may add names is no fault: Ubuntu's /var/log is so. Neither is a sticky
// directory, where nobody replaces what is not his own. Each link and each directory
// below has to stand a test of its own.
func (o owners) fault(info fs.FileInfo) string {
	mode, uid, _ := owned(info)
	switch {
	case !o.has(uid):
		return fmt.Sprintf("belongs to user %d", uid)
	case mode&0o002 != 0 && mode&fs.ModeSticky == 0:
		return "is writable by everybody"
	}
	return ""
}

// strictFault is fault for a directory that nobody else may even add names to,
// and for a file that nobody else may write to.
func (o owners) strictFault(info fs.FileInfo) string {
	mode, _, gid := owned(info)
	switch why := o.fault(info); {
	case why != "":
		return why
	case mode&0o002 != 0:
		return "is writable by everybody"
	case mode&0o020 != 0 && gid != 0 && gid != os.Getegid():
		return fmt.Sprintf("is writable by group %d", gid)
	}
	return ""
}

// trustsLink says whether a symlink is of one of us. Who owns its directory now says
// nothing: someone else may have created it when the directory was theirs.
func (o owners) trustsLink(link fs.FileInfo) bool {
	_, uid, _ := owned(link)
	return o.has(uid)
}

// owners are those of the tree below root. Whoever owns the kubelet's folder for
// static Pods runs what he likes as root, and is trusted if it is a system's
// account: Kubespray gives /etc/kubernetes to one named kube.
func (n *Node) owners(t tree) (owners, error) {
	info, err := t.root.Stat(".")
	if err != nil {
		return nil, err
	}
	_, uid, _ := owned(info)
	all := owners{0, os.Geteuid(), uid}
	if uid, ok := t.ownerOf(n.Manifests); ok && uid <= maxSystemUser {
		all = append(all, uid)
	}
	if uid, ok := t.ownerOf(n.Shared); ok {
		all = append(all, uid)
	}
	return all, nil
}

// ownerOf is whose a folder is, if it is there.
func (t tree) ownerOf(folder string) (uid int, ok bool) {
	if folder == "" {
		return 0, false
	}
	_, info, err := t.resolve(folder)
	if err != nil || info == nil || !info.IsDir() {
		return 0, false
	}
	_, uid, _ = owned(info)
	return uid, true
}

// distrust is the refusal of one path, with the command that mends it.
func (t tree) distrust(real, why string) *UntrustedError {
	on := filepath.Join(t.at, filepath.FromSlash(real))
	e := &UntrustedError{Path: real, Why: why, Hint: hint.Shell("ls -ld %s", on)}
	switch {
	case strings.HasPrefix(why, "belongs"):
		e.Hint = hint.Shell("chown %s %s", account(os.Geteuid()), on)
	case strings.HasSuffix(why, "by everybody"):
		e.Hint = hint.Shell("chmod o-w %s", on)
	case strings.HasPrefix(why, "is writable"):
		e.Hint = hint.Shell("chmod g-w %s", on)
	case strings.HasPrefix(why, "is a symlink"):
		e.Hint = hint.Shell("chown -h %s %s", account(os.Geteuid()), on)
	}
	return e
}

func account(uid int) string {
	if uid == 0 {
		return "root"
	}
	return fmt.Sprint(uid)
}

// vet refuses a path that someone else could have redirected: one of the
// directories, or a symlink. The users in also may own the last directory.
func (t tree) vet(name string, also ...int) error {
	w := walk{tree: t, also: also}
	if err := w.follow(name); err != nil {
		return err
	}
	if w.fault != nil {
		return w.fault
	}
	return nil
}

// judge notes the first fault on the way: here is a directory, and child what
// lies in it, nil for nothing.
func (w *walk) judge(here walk, child fs.FileInfo, at string) {
	if w.fault != nil {
		return
	}
	link := child != nil && child.Mode().Type() == fs.ModeSymlink
	trusted := w.own
	if !link && strings.Trim(strings.Join(w.todo, ""), "./") == "" {
		trusted = append(slices.Clip(trusted), w.also...)
	}
	switch why := trusted.fault(here.info); {
	case why != "":
		w.fault = w.distrust(here.real, why)
	case link && !w.own.trustsLink(child):
		_, uid, _ := owned(child)
		w.fault = w.distrust(at, fmt.Sprintf("is a symlink of user %d", uid))
	}
}

// folder opens a directory for calls that take place in it. The path is a resolved
// one: it follows no link, and each directory on the way has to be trusted as it
// is when it is open, whatever it was a moment before. The users in also may own
// the last one.
func (t tree) folder(real string, also ...int) (*os.Root, error) {
	dir, err := t.root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	trusted, at := t.own, "/"
	names := strings.FieldsFunc(real, func(r rune) bool { return r == '/' })
	for i := 0; ; i++ {
		if i == len(names) {
			trusted = append(slices.Clip(trusted), also...)
		}
		info, err := dir.Stat(".")
		if why := ""; err == nil {
			if why = trusted.fault(info); why != "" {
				err = t.distrust(at, why)
			}
		}
		if err != nil {
			dir.Close()
			return nil, err
		}
		if i == len(names) {
			return dir, nil
		}
		at = path.Join(at, names[i])
		next, err := enter(dir, names[i])
		dir.Close()
		if err != nil {
			return nil, err
		}
		dir = next
	}
}

// enter opens a directory of dir, not what a link of that name leads to.
func enter(dir *os.Root, name string) (*os.Root, error) {
	named, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, syscall.ENOTDIR
	}
	next, err := dir.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil && !os.SameFile(named, opened) {
		err = errSwapped
	}
	if err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// openNamed opens a file or directory of dir, not what a link of that name leads
// to. It does not wait for the other end of a pipe.
func openNamed(dir *os.Root, name string) (*os.File, fs.FileInfo, error) {
	named, err := dir.Lstat(name)
	if err == nil {
		err = checkType(named)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(named, opened) {
		err = errSwapped
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, opened, nil
}
