package simnode

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// source reads static Pods from a directory (pkg/kubelet/config/file.go). It has
// two feeds: events of single files, and a list of all every 20 s.
type source struct {
	dir, node string
	note      func(kind, pod, text string)
	// out gets all Pods after each change of them.
	out chan []*staticPod

	byName map[string]*staticPod // full name -> Pod: the last one wins
	byFile map[string]string     // file -> full name (file.go, fileKeyMapping)
	names  map[string]bool       // that were noted
}

// fileCheckFrequency is the list's period (pkg/kubelet/apis/config/v1beta1,
// SetDefaults_KubeletConfiguration).
const fileCheckFrequency = 20 * time.Second

func newSource(dir, node string, note func(kind, pod, text string)) *source {
	return &source{dir: dir, node: node, note: note, out: make(chan []*staticPod, 100),
		byName: map[string]*staticPod{}, byFile: map[string]string{}, names: map[string]bool{}}
}

// run is sourceFile.run: whichever comes, list or event, is done to its end
// before the next.
func (s *source) run() error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	mask := uint32(unix.IN_CREATE | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE)
	if _, err := unix.InotifyAddWatch(fd, s.dir, mask); err != nil {
		return fmt.Errorf("watch %s: %w", s.dir, err)
	}
	events := make(chan fileEvent, 10)
	go readEvents(fd, events)
	s.list()
	period := time.NewTicker(paced(fileCheckFrequency))
	for {
		select {
		case <-period.C:
			s.list()
		case e := <-events:
			s.take(e)
		}
	}
}

// fileEvent is a change of one file.
type fileEvent struct {
	name string
	mask uint32
}

func readEvents(fd int, out chan<- fileEvent) {
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return
		}
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			// struct inotify_event: wd, mask, cookie, len, name
			mask := uint32(buf[at+4]) | uint32(buf[at+5])<<8 | uint32(buf[at+6])<<16 | uint32(buf[at+7])<<24
			size := int(buf[at+12]) | int(buf[at+13])<<8
			name := strings.TrimRight(string(buf[at+unix.SizeofInotifyEvent:at+unix.SizeofInotifyEvent+size]), "\x00")
			out <- fileEvent{name, mask}
			at += unix.SizeofInotifyEvent + size
		}
	}
}

// take is one event (file_linux.go, produceWatchEvent and consumeWatchEvent). A
// file that cannot be read leaves the Pod that it was.
func (s *source) take(e fileEvent) {
	if strings.HasPrefix(e.name, ".") || e.name == "" {
		return
	}
	s.saw(e.name)
	name := filepath.Join(s.dir, e.name)
	if e.mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0 {
		key, known := s.byFile[name]
		if !known {
			return
		}
		delete(s.byFile, name)
		if s.byName[key] != nil { // even when another file has won it
			delete(s.byName, key)
			s.push()
		}
		return
	}
	p, err := s.read(name)
	if err != nil {
		s.note(InvalidFile, "", fmt.Sprintf("can't process config file %q: %v", name, err))
		return
	}
	s.byName[p.fullName()] = p
	s.push()
}

// list replaces all Pods by those of the directory (file.go, listConfig and
// extractFromDir): dot names are no manifests, whatever else is, and an invalid
// one is left out, with the Pod that it was.
func (s *source) list() {
	names, err := filepath.Glob(filepath.Join(s.dir, "[^.]*"))
	if err != nil {
		return
	}
	all := map[string]*staticPod{}
	for _, name := range names { // sorted
		s.saw(filepath.Base(name))
		info, err := os.Stat(name) // a symlink is followed
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		p, err := s.read(name)
		if err != nil {
			s.note(InvalidFile, "", fmt.Sprintf("can't process config file %q: %v", name, err))
			continue
		}
		all[p.fullName()] = p
	}
	s.byName = all
	s.push()
}

func (s *source) read(name string) (*staticPod, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, err := decodePod(data, name, s.node)
	if err == nil {
		s.byFile[name] = p.fullName()
	}
	return p, err
}

func (s *source) push() {
	s.out <- slices.Collect(maps.Values(s.byName))
}

// saw notes each visible name once.
func (s *source) saw(name string) {
	if !s.names[name] {
		s.names[name] = true
		s.note(NameSeen, "", name)
	}
}
