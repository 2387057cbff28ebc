package answers

import (
	"fmt"
	"strings"
	"time"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/simulate"
)

// size is a number of bytes for people.
func size(n int64) string { return auditlog.FormatSize(n) }

func upper(s string) string { return strings.ToUpper(s) }

// counted is a number with its noun.
func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func unreadable(file string, line int64, reason string) string {
	return fmt.Sprintf("%s:%d: %s", file, line, reason)
}

// lasting is a length of time with two digits or more.
func lasting(d time.Duration) string {
	switch {
	case d == simulate.Endless:
		return "no end"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 72*time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d < 3650*24*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	}
	return "more than 10 years"
}

// reaches says how far back a log reaches: at least, and just before a file is removed.
func reaches(h simulate.History) string {
	least, most := lasting(h.Least), lasting(h.Most)
	if least == most {
		return least
	}
	return least + " to " + most
}

func files(n int64) string {
	if n == 0 {
		return "all rotated ones kept"
	}
	return counted(n, "rotated one") + " kept"
}

func days(n int64) string {
	if n == 0 {
		return "any time"
	}
	return counted(n, "day")
}
