// Package exit has the program's exit statuses.
package exit

import "strconv"

const (
	Differs     = 1 // diff, status --check, policy diff, policy lint, ...: not the same, or findings
	Refused     = 2 // refused, failed or interrupted; nothing has changed
	RolledBack  = 3 // failed; the earlier settings are back
	NotRestored = 4 // failed, and not put back; or nobody can tell
)

// Status is an error that says nothing, and only sets the exit status.
type Status int

func (s Status) Error() string { return "exit status " + strconv.Itoa(int(s)) }
