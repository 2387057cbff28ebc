//go:build linux

package simnode

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/audit/policy"
)

// path is a file of the node on the host. A symlink on the way has to be a
// relative one.
func (n *node) path(name string) string { return n.root + name }

// read is a file's content, "" for none.
func (n *node) read(name string) string {
	n.Helper()
	data, err := os.ReadFile(n.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.Error(err)
	}
	return string(data)
}

func (n *node) exists(name string) bool {
	_, err := os.Lstat(n.path(name))
	return err == nil
}

// write makes a file, and the directories that it needs.
func (n *node) write(name, data string, mode fs.FileMode) {
	n.Helper()
	n.ok(os.MkdirAll(filepath.Dir(n.path(name)), 0o755))
	n.ok(os.WriteFile(n.path(name), []byte(data), mode))
}

func (n *node) mkdir(name string) { n.Helper(); n.ok(os.MkdirAll(n.path(name), 0o755)) }

func (n *node) ok(err error) {
	n.Helper()
	if err != nil {
		n.Error(err)
	}
}

// sed edits a file of somebody else's as sed -i does: a temporary file without a
// dot, renamed.
func (n *node) sed(name, old, new string) {
	n.Helper()
	data := n.read(name)
	if !strings.Contains(data, old) {
		n.Errorf("%s has no %q", name, old)
	}
	temp := path.Join(path.Dir(name), "sedX4kTqZ")
	n.names[path.Base(temp)], n.anyBytes = true, true
	n.write(temp, strings.Replace(data, old, new, 1), 0o600)
	n.ok(os.Rename(n.path(temp), n.path(name)))
}

// puppet writes a whole file back, in one go.
func (n *node) puppet(name, data string) {
	n.Helper()
	n.anyBytes = true
	temp := path.Join(path.Dir(name), ".puppet")
	n.write(temp, data, 0o600)
	n.ok(os.Rename(n.path(temp), n.path(name)))
}

// diary is what was in the files that the program writes, at any time.
type diary struct {
	mu       sync.Mutex
	contents map[string]map[string]bool // path -> contents
	stop     chan struct{}
	done     sync.WaitGroup
}

// keepDiary looks at the files all the time, as anybody else might.
func (n *node) keepDiary() *diary {
	d := &diary{contents: map[string]map[string]bool{}, stop: make(chan struct{})}
	for _, name := range []string{manifestPath, policyPath} {
		d.contents[name] = map[string]bool{}
	}
	d.done.Add(1)
	go func() {
		defer d.done.Done()
		for {
			d.look(n)
			select {
			case <-d.stop:
				return
			case <-time.After(8 * time.Millisecond):
			}
		}
	}()
	return d
}

func (d *diary) look(n *node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, contents := range d.contents {
		if data, err := os.ReadFile(n.path(name)); err == nil {
			contents[string(data)] = true
		}
	}
}

func (d *diary) close() {
	close(d.stop)
	d.done.Wait()
}

// checkFiles wants every content that was seen to be a whole file.
func (n *node) checkFiles() {
	n.Helper()
	n.seen.close()
	if n.anyBytes {
		return
	}
	for data := range n.seen.contents[manifestPath] {
		if _, err := decodePod([]byte(data), manifestPath, n.name()); err != nil {
			n.Errorf("the manifest was no Pod for a moment: %v\n%s", err, data)
		}
	}
	for data := range n.seen.contents[policyPath] {
		if _, err := policy.LoadPolicyFromBytes([]byte(data)); err != nil {
			n.Errorf("the policy was none for a moment: %v\n%s", err, data)
		}
	}
}

// checkNames wants no temporary files and no names that the kubelet could take
// for manifests.
func (n *node) checkNames() {
	n.Helper()
	for _, e := range n.events() {
		if e.Kind == NameSeen && !n.names[e.Text] {
			n.Errorf("the kubelet saw %s in the manifests directory", e.Text)
		}
		if e.Kind == InvalidFile && !n.anyBytes {
			n.Errorf("the kubelet: %s", e.Text)
		}
	}
	if n.died {
		return
	}
	_ = filepath.WalkDir(n.path("/etc/kubernetes"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".") {
			n.Errorf("%s was left behind", strings.TrimPrefix(name, n.root))
		}
		return nil
	})
}
