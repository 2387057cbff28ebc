package node

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/node/crashtest"
)

// TestSyncOrder stands in for pulling the plug: a file system may write names and
// contents in any order between two fsyncs, so before a name that counts changes
// (one without a dot), all that was done before must have been fsynced.
func TestSyncOrder(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, s.before)
			d := disk{root: root, dirty: map[string]string{}}
			counted := 0
			for _, call := range kill(t, name, root, 0).Calls {
				if call.Err != nil || call.Name == "flock" || strings.HasSuffix(call.Path, "/"+lockName) {
					continue
				}
				counted += d.do(t, call)
			}
			if len(d.dirty) > 0 {
				t.Errorf("not on the disk in the end: %v", d.dirty)
			}
			t.Logf("%d changes of names looked at", counted)
		})
	}
}

// disk knows what a crash of the machine could lose: contents, by their path, and
// names, by their directory, two slashes, and the name.
type disk struct {
	root  string
	dirty map[string]string // what: the call that changed it
}

func nameKey(p string) string { return path.Dir(p) + "//" + path.Base(p) }

func (d disk) do(t *testing.T, c crashtest.Call) (counted int) {
	switch c.Name {
	case "fsync", "fdatasync":
		maps.DeleteFunc(d.dirty, func(what, _ string) bool {
			return what == c.Path || strings.HasPrefix(what, c.Path+"//")
		})
	case "openat", "mkdirat":
		d.dirty[c.Path], d.dirty[nameKey(c.Path)] = c.String(), c.String()
	case "unlinkat":
		counted = d.check(t, c, c.Path)
		delete(d.dirty, c.Path)
		d.dirty[nameKey(c.Path)] = c.String()
	case "renameat":
		counted = d.check(t, c, c.To)
		d.dirty[nameKey(c.Path)], d.dirty[nameKey(c.To)] = c.String(), c.String()
	case "utimensat": // of a symlink, for the kubelet: a crash may lose it
	default:
		d.dirty[c.Path] = c.String()
	}
	return counted
}

// check: only the first name of a file that is now renamed may be unknown to the
// disk.
func (d disk) check(t *testing.T, c crashtest.Call, name string) int {
	if strings.HasPrefix(path.Base(name), ".") {
		return 0
	}
	for _, what := range slices.Sorted(maps.Keys(d.dirty)) {
		if what != nameKey(c.Path) {
			t.Errorf("%s\n\tbefore an fsync of %s\n\tafter %s", c, what, d.dirty[what])
		}
	}
	return 1
}
