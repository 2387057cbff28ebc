package target

import (
	"fmt"
	"path"
	"strconv"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
)

const (
	mb = 1 << 20
	// leastFree is so little that events are lost soon, whoever writes: a file of
	// the log is rotated by making another one before the oldest goes.
	leastFree = 16 * mb
	// nearlyFull is little for a log that may still take more than is left; on
	// large disks it is a hundredth of them.
	nearlyFull = 64 * mb
)

// LogDisk is a log, what its settings let it take, and the file system it is on.
type LogDisk struct {
	log       string // on the node
	flags     map[string]string
	Limit     int64
	Unlimited bool
	Usage     auditlog.Usage
	Space     node.Space
}

// MeasureLog measures the log of some settings, which lies on the node.
func (t *Target) MeasureLog(now patch.Settings) (LogDisk, error) {
	d := LogDisk{log: path.Clean(now.Log.Host), flags: now.Flags}
	d.Limit, d.Unlimited = auditflags.DiskBudget(now.Flags, now.Version)
	fsys, err := t.Node.FS()
	if err != nil {
		return d, err
	}
	defer fsys.Close()
	if d.Usage, err = auditlog.Measure(fsys, d.log); err != nil {
		return d, err
	}
	d.Space, err = t.Node.Space(path.Dir(d.log))
	return d, err
}

// growth is how much the log may still take. It is no more than a guess where
// nothing limits it.
func (d LogDisk) growth() int64 { return max(d.Limit-d.Usage.Bytes, 0) }

// Full says that events are lost, or are going to be soon; "" when they are not.
func (d LogDisk) Full() string {
	dir := path.Dir(d.log)
	short := d.Space.Free < max(nearlyFull, d.Space.Total/100) && (d.Unlimited || d.growth() > d.Space.Free)
	switch {
	case d.Space.ReadOnly:
		return fmt.Sprintf("the file system of %s is mounted read-only: events are lost", dir)
	case d.Space.NoFiles:
		return fmt.Sprintf("the file system of %s has no inodes left: the log cannot be rotated", dir)
	case d.Space.Free < leastFree:
		return fmt.Sprintf("the file system of %s is full: %s of %s are free, and events are lost", dir, auditlog.FormatSize(d.Space.Free), auditlog.FormatSize(d.Space.Total))
	case short:
		return fmt.Sprintf("the file system of %s is nearly full: %s of %s are free%s", dir, auditlog.FormatSize(d.Space.Free), auditlog.FormatSize(d.Space.Total), d.wants(", and "))
	}
	return ""
}

// Tight says that the log may take more than is free; "" when it may not.
func (d LogDisk) Tight() string {
	switch {
	case d.Unlimited:
		return fmt.Sprintf("nothing limits the size of %s, and %s are free", d.log, auditlog.FormatSize(d.Space.Free))
	case d.growth() > d.Space.Free:
		return fmt.Sprintf("%s may still grow by %s, and only %s are free", d.log, auditlog.FormatSize(d.growth()), auditlog.FormatSize(d.Space.Free))
	}
	return ""
}

// wants says how much the log may still take.
func (d LogDisk) wants(before string) string {
	if d.Unlimited {
		return before + "nothing limits the size of the log"
	}
	return before + "the log may still grow by " + auditlog.FormatSize(d.growth())
}

// Relief is what to type: settings that fit into what is free and what the log
// has already, or a look at who has taken the rest. On a full disk no settings can
// be written either, before a file has gone.
func (d LogDisk) Relief() hint.Hint {
	dir := hint.Path(path.Dir(d.log))
	first := d.Space.Free < leastFree && len(d.Usage.Files) > 1 // that file has to go first
	left := d
	if first {
		left.Usage.Files = d.Usage.Files[1:]
		left.Usage.Bytes -= d.Usage.Files[0].Bytes
		left.Space.Free += d.Usage.Files[0].Bytes
	}
	maxsize, maxbackup, fits := left.fit()
	smaller := hint.Command("enable").Flag("audit-log-maxsize", maxsize).Flag("audit-log-maxbackup", maxbackup)
	switch {
	case d.Space.ReadOnly:
		return hint.Shell("findmnt -T %s", dir)
	case d.Space.NoFiles:
		return hint.Shell("df -i %s", dir)
	case fits && first:
		return hint.Shell("rm %s", hint.Path(d.Usage.Files[0].Path)).Note(", the oldest file, and then").Then(": ", smaller)
	case fits && d.Space.Free >= leastFree:
		return smaller
	}
	return hint.Shell(`du -xah "$(findmnt -no TARGET -T %s)" | sort -h | tail -n 20`, dir)
}

// fit are the largest settings, none above the defaults, with which a tenth of
// the log's share stays free, and which leave no more of the files that are there
// than that. Many small files are better than few large ones: with each that is
// removed less is lost at once.
func (d LogDisk) fit() (maxsize, maxbackup int64, ok bool) {
	share := d.Usage.Bytes + d.Space.Free
	room := (share - max(share/10, 2*leastFree)) / mb
	for _, maxsize := range []int64{100, 50, 20, 10, 5} {
		for maxbackup := min(room/maxsize-1, 10); maxbackup >= 1; maxbackup-- {
			if (maxbackup >= 3 || maxsize == 5) && d.newest(maxbackup)/mb+maxsize <= room {
				return maxsize, maxbackup, true
			}
		}
	}
	return 0, 0, false
}

// newest is what n of the files take that are kept: the live one becomes one of them.
func (d LogDisk) newest(n int64) (bytes int64) {
	for _, f := range d.Usage.Files[max(len(d.Usage.Files)-int(n), 0):] {
		bytes += f.Bytes
	}
	return bytes
}

// Hopeless tells whether not even a first file could be written. Rotated files
// that are more than the settings allow go before that.
func (d LogDisk) Hopeless() bool {
	most, _ := strconv.ParseInt(d.flags["audit-log-maxbackup"], 10, 64) // enable writes it out
	spare := d.Space.Free
	if over := len(d.Usage.Files) - int(most); most > 0 && over > 0 {
		spare += d.Usage.Bytes - d.newest(most)
	}
	return d.Space.ReadOnly || d.Space.NoFiles || spare < leastFree
}
