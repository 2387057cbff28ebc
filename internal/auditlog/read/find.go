package read

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
)

// Find returns the logs that names stand for: a file with its rotated siblings, each
// log in a folder and below it, or - for standard input. A rotated file that is named
// is that file alone. A name that is not there is a pattern if it has *, ? or [. No file comes twice, whatever names and links lead to it.
//
// Named pipes and devices are read when they are named. In folders they are left out,
// which the total of Events says; so are files whose names are not those of logs
// (.log, .json, .jsonl, .ndjson and .txt, packed or not) and hidden ones.
func Find(names []string, stdin io.Reader) ([]Log, error) {
	var f finder
	for _, name := range names {
		for _, path := range expand(name) {
			if err := f.find(path, stdin); err != nil {
				return nil, err
			}
		}
	}
	return f.logs, nil
}

// expand is what a pattern of a shell stands for that came here in quotes, as where only root may
// list the folder; any other name stands for itself.
func expand(name string) []string {
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(name, "*?[") {
		if paths, err := filepath.Glob(name); err == nil && len(paths) > 0 {
			return paths
		}
	}
	return []string{name}
}

// finder collects logs.
type finder struct {
	logs  []Log
	known []fs.FileInfo
	stdin bool
}

func (f *finder) find(name string, stdin io.Reader) error {
	if name == "-" {
		if !f.stdin {
			f.logs = append(f.logs, Log{Name: "standard input", Stdin: stdin})
		}
		f.stdin = true
		return nil
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return f.folder(name)
	case err == nil && !info.Mode().IsRegular():
		f.add(Log{Name: name, Files: []string{name}, Special: true})
		return nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return f.file(name, err)
	}
	return err
}

// file adds a log by the name of its live file, which may be missing while it is being
// rotated, or a rotated file alone.
func (f *finder) file(name string, missing error) error {
	if _, rotated := auditlog.LiveName(filepath.Base(name)); rotated && missing == nil {
		f.add(Log{Name: name, Files: []string{name}})
		return nil
	}
	files, err := siblings(name)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return noSuch(name)
	}
	f.add(Log{Name: name, Files: files})
	return nil
}

// siblings are the files of the log with that live file.
func siblings(name string) ([]string, error) {
	dir := filepath.Dir(name)
	if _, err := os.Stat(dir); err != nil {
		return nil, noSuch(name)
	}
	files, err := auditlog.Files(auditlog.Folder(dir), filepath.Base(name))
	for i := range files {
		files[i] = filepath.Join(dir, files[i])
	}
	return files, err
}

// folders are listings of folders, each made once for all of the logs in it: one for each
// log would take the square of their number.
type folders map[string]map[string][]string

// files are those of the log with that live file.
func (f folders) files(live string) ([]string, error) {
	dir := filepath.Dir(live)
	if f[dir] == nil {
		all, err := auditlog.ByLog(auditlog.Folder(dir))
		if err != nil {
			return nil, err
		}
		f[dir] = all
	}
	var files []string
	for _, name := range f[dir][filepath.Base(live)] {
		files = append(files, filepath.Join(dir, name))
	}
	return files, nil
}

// rotatedSince are the files that became siblings of a live file between the time when
// the logs were found and the time when the live file was opened. The folder was listed
// after that.
func rotatedSince(logs []Log, live *file, now folders) (names []string) {
	if _, rotated := auditlog.LiveName(filepath.Base(live.name)); rotated || live.size < 0 {
		return nil
	}
	files, err := now.files(live.name)
	if err != nil {
		return nil // the folder is gone: what is open is all that there is
	}
	for _, name := range files {
		if name == live.name {
			continue
		}
		known := func(l Log) bool { return slices.ContainsFunc(l.Files, isFile(name)) }
		if !live.is(name) && !slices.ContainsFunc(logs, known) {
			names = append(names, name)
		}
	}
	return names
}

// isFile says whether a name is that of the file, packed or not.
func isFile(name string) func(string) bool {
	info, err := os.Stat(name)
	return func(other string) bool {
		if strings.TrimSuffix(other, ".gz") == strings.TrimSuffix(name, ".gz") {
			return true
		}
		o, again := os.Stat(other)
		return err == nil && again == nil && os.SameFile(o, info)
	}
}

// Holds says whether a name is that of a file of one of the logs, by whatever path or link. So it
// is if a live file is to have it that is not there yet, as while it is being rotated.
func Holds(logs []Log, name string) bool {
	info, err := os.Stat(name)
	if err != nil {
		return slices.ContainsFunc(logs, func(l Log) bool { return len(l.Files) > 0 && samePlace(l.Name, name) })
	}
	same := func(file string) bool {
		o, err := os.Stat(file)
		return err == nil && os.SameFile(o, info)
	}
	return slices.ContainsFunc(logs, func(l Log) bool {
		return slices.ContainsFunc(l.Files, same) || l.Stdin != nil && same("/dev/stdin") // a shell can open a log as that
	})
}

// samePlace says whether two names are one name in one folder.
func samePlace(a, b string) bool {
	in, name := filepath.Split(a)
	other, same := filepath.Split(b)
	from, err := os.Stat(in + ".")
	to, again := os.Stat(other + ".")
	return name == same && err == nil && again == nil && os.SameFile(from, to)
}

// noSuch says what is there instead.
func noSuch(name string) error {
	dir := filepath.Dir(name)
	entries, err := os.ReadDir(dir)
	if err != nil {
		if up := filepath.Dir(dir); up != dir && errors.Is(err, fs.ErrNotExist) {
			return hint.Errorf(hint.Shell("ls %s", up), "there is no %s, nor a folder %s", name, dir)
		}
		return fmt.Errorf("there is no %s that can be read: %w", name, err)
	}
	var logs []string
	for _, e := range entries {
		if auditlog.MayBeLog(e.Name()) {
			logs = append(logs, e.Name())
		}
	}
	nearest := spelling.Nearest(filepath.Base(name), logs)
	if nearest == "" && len(logs) > 0 {
		nearest = logs[0]
	}
	if nearest == "" {
		return hint.Errorf(hint.Shell("ls %s", dir), "there is no %s, nor any other log in its folder", name)
	}
	return hint.Errorf(hint.Flag("log", filepath.Join(dir, nearest)), "there is no %s", name)
}

// folder adds each log in a folder and below it.
func (f *finder) folder(root string) error {
	lives := map[string]bool{} // paths of live files
	var left []Unreadable
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil && path == root {
			return err // nothing of what was named can be read
		}
		if err != nil {
			left = append(left, Unreadable{File: path, Reason: fmt.Sprintf("it cannot be read: %v", errors.Unwrap(err))})
			return nil
		}
		if path != root && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := os.Stat(path) // where a link leads
		switch {
		case err != nil || info.IsDir():
		case !info.Mode().IsRegular():
			left = append(left, Unreadable{File: path, Reason: "it is no regular file, and is read only if --log names it"})
		case auditlog.MayBeLog(d.Name()):
			live := d.Name()
			if of, ok := auditlog.LiveName(live); ok {
				live = of
			}
			lives[filepath.Join(filepath.Dir(path), live)] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f.each(root, lives, left)
}

// each adds the logs of a folder in the order of their names.
func (f *finder) each(root string, lives map[string]bool, left []Unreadable) error {
	var names []string
	for live := range lives {
		if !lives[strings.TrimSuffix(live, ".gz")] || !strings.HasSuffix(live, ".gz") {
			names = append(names, live)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(a, b) })
	if len(names) == 0 && len(left) == 0 {
		return hint.Errorf(hint.Shell("ls %s", root), "there is no log in the folder %s", root)
	}
	now := folders{}
	for _, live := range names {
		files, err := now.files(live)
		if err != nil {
			return err
		}
		f.add(Log{Name: live, Files: files})
	}
	if len(left) > 0 {
		f.logs = append(f.logs, Log{Name: root, Left: left})
	}
	return nil
}

// add adds those files of a log that are not known yet.
func (f *finder) add(l Log) {
	var fresh []string
	for _, file := range l.Files {
		info, err := os.Stat(file)
		known := func(o fs.FileInfo) bool { return os.SameFile(o, info) }
		if err == nil && slices.ContainsFunc(f.known, known) {
			continue
		}
		if err == nil {
			f.known = append(f.known, info)
		}
		fresh = append(fresh, file)
	}
	if len(fresh) > 0 {
		l.Files = fresh
		f.logs = append(f.logs, l)
	}
}
