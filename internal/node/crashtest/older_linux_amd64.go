package crashtest

import "golang.org/x/sys/unix"

var older = map[uint64]spec{
	unix.SYS_OPEN:    {"open", onPath},
	unix.SYS_CREAT:   {"creat", onPath},
	unix.SYS_RENAME:  {"rename", onPaths},
	unix.SYS_LINK:    {"link", onPaths},
	unix.SYS_SYMLINK: {"symlink", onLink},
	unix.SYS_UNLINK:  {"unlink", onPath},
	unix.SYS_MKDIR:   {"mkdir", onPath},
	unix.SYS_RMDIR:   {"rmdir", onPath},
	unix.SYS_CHMOD:   {"chmod", onPath},
	unix.SYS_CHOWN:   {"chown", onPath},
	unix.SYS_LCHOWN:  {"lchown", onPath},
}
