package auditflags

import (
	"math"
	"time"
)

const (
	// lumberjack reckons age in nanoseconds and size in bytes, both as int64.
	// Past these the product wraps: rotated files may count as too old at once,
	// every event as too large.
	mostDays = math.MaxInt64 / int64(24*time.Hour)
	mostMB   = math.MaxInt64 >> 20

	// An object may take 1.5 MB in etcd; RequestResponse events carry two of them.
	leastMB = 4
)

func (c *checker) rotation() {
	toFile := c.value("audit-log-path") != "-"
	for _, r := range []struct {
		name, unlimited string
		most            int64
		overflow        string
	}{
		{"audit-log-maxage", "old files are kept whatever their age", mostDays, "more than 106751 days overflow, and rotated files may be deleted at once"},
		{"audit-log-maxbackup", "old files are not counted, and nothing limits how much disk the log takes", math.MaxInt64, ""},
		{"audit-log-maxsize", c.sizeZero(), mostMB, "more than 8796093022207 MB overflow, and events are lost"},
	} {
		n, flags, better := c.number(r.name), []string{r.name}, c.advise(r.name)
		switch {
		case n < 0:
			c.refuse(flags, better, "%s: must not be negative", c.say(r.name))
		case !toFile:
		case n > r.most:
			c.fail(flags, better, "%s: %s", c.say(r.name), r.overflow)
		case n == 0:
			c.warn(flags, better, "%s: %s", c.say(r.name), r.unlimited)
		case r.name == "audit-log-maxsize" && n < leastMB:
			c.warn(flags, better, "%s: an event larger than the file may grow is lost", c.say(r.name))
		}
	}
}

func (c *checker) sizeZero() string {
	switch {
	case c.v.AtLeast(Version{1, 36}):
		return "the file is never rotated and grows until the disk is full"
	case c.v == (Version{}):
		return "100 MB up to kube-apiserver 1.35, no rotation at all from 1.36 on"
	default:
		return "100 MB here, but no rotation at all from kube-apiserver 1.36 on"
	}
}

// DiskBudget returns the most that the log's files can take: the live one and
// maxbackup rotated ones, each of maxsize. Compression makes the rotated ones
// smaller, so it does not count here; while a file is being rotated or packed there can be
// one more. Without a log on disk it is 0; unlimited is set when nothing limits it.
// The flags should have passed CheckFlags.
func DiskBudget(set map[string]string, v Version) (bytes int64, unlimited bool) {
	c := &checker{set: map[string]string{}, v: v}
	c.read(set)
	if log := c.value("audit-log-path"); log == "" || log == "-" {
		return 0, false
	}
	size, files := c.number("audit-log-maxsize"), c.number("audit-log-maxbackup")
	if size == 0 && v.Before(Version{1, 36}) {
		size = 100
	}
	if size <= 0 || files <= 0 || files >= mostMB/size {
		return 0, true
	}
	return size * (files + 1) << 20, false
}
