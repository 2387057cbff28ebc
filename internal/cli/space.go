package cli

import (
	"cmp"
	"fmt"
	"path"
	"strconv"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/node"
	"auditpatch/patch"
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

// logDisk is a log, what its settings let it take, and the file system it is on.
type logDisk struct {
	log       string // on the node
	flags     map[string]string
	limit     int64
	unlimited bool
	usage     auditlog.Usage
	space     node.Space
}

// measureLog measures the log of some settings, which lies on the node.
func (t *target) measureLog(now patch.Settings) (logDisk, error) {
	d := logDisk{log: path.Clean(now.Log.Host), flags: now.Flags}
	d.limit, d.unlimited = patch.DiskBudget(now.Flags, now.Version)
	fsys, err := t.node.FS()
	if err != nil {
		return d, err
	}
	defer fsys.Close()
	if d.usage, err = auditlog.Measure(fsys, d.log); err != nil {
		return d, err
	}
	d.space, err = t.node.Space(path.Dir(d.log))
	return d, err
}

// growth is how much the log may still take. It is no more than a guess where
// nothing limits it.
func (d logDisk) growth() int64 { return max(d.limit-d.usage.Bytes, 0) }

// full says that events are lost, or are going to be soon; "" when they are not.
func (d logDisk) full() string {
	dir := path.Dir(d.log)
	short := d.space.Free < max(nearlyFull, d.space.Total/100) && (d.unlimited || d.growth() > d.space.Free)
	switch {
	case d.space.ReadOnly:
		return fmt.Sprintf("the file system of %s is mounted read-only: events are lost", dir)
	case d.space.NoFiles:
		return fmt.Sprintf("the file system of %s has no inodes left: the log cannot be rotated", dir)
	case d.space.Free < leastFree:
		return fmt.Sprintf("the file system of %s is full: %s of %s are free, and events are lost", dir, size(d.space.Free), size(d.space.Total))
	case short:
		return fmt.Sprintf("the file system of %s is nearly full: %s of %s are free%s", dir, size(d.space.Free), size(d.space.Total), d.wants(", and "))
	}
	return ""
}

// tight says that the log may take more than is free; "" when it may not.
func (d logDisk) tight() string {
	switch {
	case d.unlimited:
		return fmt.Sprintf("nothing limits the size of %s, and %s are free", d.log, size(d.space.Free))
	case d.growth() > d.space.Free:
		return fmt.Sprintf("%s may still grow by %s, and only %s are free", d.log, size(d.growth()), size(d.space.Free))
	}
	return ""
}

// wants says how much the log may still take.
func (d logDisk) wants(before string) string {
	if d.unlimited {
		return before + "nothing limits the size of the log"
	}
	return before + "the log may still grow by " + size(d.growth())
}

// relief is what to type: settings that fit into what is free and what the log
// has already, or a look at who has taken the rest. On a full disk no settings can
// be written either, before a file has gone.
func (d logDisk) relief() string {
	dir := path.Dir(d.log)
	first := d.space.Free < leastFree && len(d.usage.Files) > 1 // that file has to go first
	left := d
	if first {
		left.usage.Files = d.usage.Files[1:]
		left.usage.Bytes -= d.usage.Files[0].Bytes
		left.space.Free += d.usage.Files[0].Bytes
	}
	maxsize, maxbackup, fits := left.fit()
	smaller := fmt.Sprintf("auditpatch enable --audit-log-maxsize=%d --audit-log-maxbackup=%d", maxsize, maxbackup)
	switch {
	case d.space.ReadOnly:
		return "findmnt -T " + dir
	case d.space.NoFiles:
		return "df -i " + dir
	case fits && first:
		return fmt.Sprintf("rm %s, the oldest file, and then: %s", d.usage.Files[0].Path, smaller)
	case fits && d.space.Free >= leastFree:
		return smaller
	}
	return fmt.Sprintf("du -xah $(findmnt -no TARGET -T %s) | sort -h | tail -n 20", dir)
}

// fit are the largest settings, none above the defaults, with which a tenth of
// the log's share stays free, and which leave no more of the files that are there
// than that. Many small files are better than few large ones: with each that is
// removed less is lost at once.
func (d logDisk) fit() (maxsize, maxbackup int64, ok bool) {
	share := d.usage.Bytes + d.space.Free
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
func (d logDisk) newest(n int64) (bytes int64) {
	for _, f := range d.usage.Files[max(len(d.usage.Files)-int(n), 0):] {
		bytes += f.Bytes
	}
	return bytes
}

// hopeless tells whether not even a first file could be written. Rotated files
// that are more than the settings allow go before that.
func (d logDisk) hopeless() bool {
	most, _ := strconv.ParseInt(d.flags["audit-log-maxbackup"], 10, 64) // enable writes it out
	spare := d.space.Free
	if over := len(d.usage.Files) - int(most); most > 0 && over > 0 {
		spare += d.usage.Bytes - d.newest(most)
	}
	return d.space.ReadOnly || d.space.NoFiles || spare < leastFree
}

// checkSpace warns when a log would not fit on this node's disk. It refuses to
// begin where no event could be written, and the proof had to fail, unless it is
// forced.
func (t *target) checkSpace(c *cli.Context, plan *patch.Plan) error {
	if !t.live || !plan.After.Log.Covered() {
		return nil
	}
	d, err := t.measureLog(plan.After)
	if err != nil {
		return nil // whoever may not look is told so when it is written
	}
	full, change := d.full(), c.Command.Name == "enable" && !c.Bool("dry-run") && !plan.Empty()
	switch {
	case full != "" && d.hopeless() && change && !c.Bool("force"):
		return hinted(d.relief()+"; --force begins all the same", "%s", full)
	case d.unlimited && full == "": // the check of the flags has said so
	case full != "" || d.tight() != "":
		plan.Warnings = append(plan.Warnings, patch.Problem{Message: cmp.Or(full, d.tight()), Hint: d.relief()})
	}
	return nil
}
