package follow

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"auditpatch/internal/auditlog"
)

// listings are the folders of logs at one look, each listed once for all of its logs: a
// listing for each log of a folder would take the square of their number. Whoever asks
// for one has opened his live file before.
type listings map[string]*listing

// listing is a folder as it was listed.
type listing struct {
	changed time.Time           // when a name was last made or removed in it; zero when that may go on
	rotated map[string][]string // names of rotated files by the live file's
	err     error
}

// of is the listing of a log's folder.
func (ls listings) of(path string) *listing {
	dir := filepath.Dir(path)
	if ls[dir] == nil {
		ls[dir] = newListing(dir)
	}
	return ls[dir]
}

func newListing(dir string) *listing {
	li := &listing{rotated: map[string][]string{}, changed: changed(dir)}
	names, err := list(dir)
	if li.err = err; err != nil {
		li.changed = time.Time{}
	}
	for _, name := range names {
		if live, ok := auditlog.LiveName(name); ok {
			li.rotated[live] = append(li.rotated[live], name)
		}
	}
	return li
}

// siblings are the rotated files of a log.
func (li *listing) siblings(path string) ([]sibling, error) {
	return siblings(path, li.rotated[filepath.Base(path)]), li.err
}

// changed is when a name was last made or removed in a folder; zero when that was just
// now: what happens in the same tick of the folder's clock would not be seen.
func changed(dir string) time.Time {
	info, err := os.Stat(dir)
	if err != nil || time.Since(info.ModTime()) < slack {
		return time.Time{}
	}
	return info.ModTime()
}

// list returns the names in a folder. One that changes while it is listed may hide a file
// that is being packed, so it is listed until two listings agree.
func list(dir string) (names []string, err error) {
	var before []string
	for range 10 {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		names = nil
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if before != nil && slices.Equal(names, before) {
			break
		}
		before = names
	}
	return names, nil
}

// changes are when folders last changed, each asked once at a look.
type changes map[string]time.Time

func (c changes) of(path string) time.Time {
	dir := filepath.Dir(path)
	at, known := c[dir]
	if !known {
		at = changed(dir)
		c[dir] = at
	}
	return at
}
