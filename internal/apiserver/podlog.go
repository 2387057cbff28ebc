package apiserver

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"auditpatch/internal/proc"
)

// LastWords is the last thing that the API server's log says since the machine
// was started, "" without one.
func (s *Server) LastWords() string {
	words, _ := s.LastWordsSince(s.Host.Started(proc.Process{}))
	return words
}

// LastWordsSince are the last error that a container of the API server's Pod wrote
// after since, which is what an API server that cannot start says, and the lines
// before it. The kubelet lays
// the files out as NAMESPACE_POD-NODE_UID/CONTAINER/N.log
// (pkg/kubelet/kuberuntime/helpers.go, BuildPodLogsDirectory).
func (s *Server) LastWordsSince(since time.Time) (words, log string) {
	newest, at := "", since
	for _, f := range s.Logs() {
		if info, err := os.Stat(f); err == nil && info.Size() > 0 && info.ModTime().After(at) { // a container that has just ended may have an empty one
			newest, at = f, info.ModTime()
		}
	}
	if newest == "" {
		return "", ""
	}
	log = tail(newest, 16<<10)
	return lastError(log, since), log
}

// Logs are the log files of the API server's containers: one for each.
func (s *Server) Logs() (out []string) {
	for _, prefix := range s.Pod.folders {
		files, _ := filepath.Glob(filepath.Join(s.Node.Root, prefix+"*", s.Spec.Container, "*.log"))
		out = append(out, files...)
	}
	return out
}

// tail is the end of a file.
func tail(name string, n int64) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		if _, err := f.Seek(-n, io.SeekEnd); err != nil {
			return ""
		}
	}
	data, _ := io.ReadAll(io.LimitReader(f, n))
	return string(data)
}

// lastError is [LastError] of a log in the CRI's form, TIME STREAM TAG TEXT, from a time on.
func lastError(log string, since time.Time) string {
	var texts []string
	for line := range strings.Lines(log) {
		parts := strings.SplitN(line, " ", 4)
		if len(parts) < 4 {
			continue
		}
		if at, err := time.Parse(time.RFC3339Nano, parts[0]); err != nil || at.Before(since) {
			continue
		}
		texts = append(texts, strings.TrimSuffix(parts[3], "\n"))
	}
	return LastError(strings.Join(texts, "\n"))
}

// LastError picks the line of what an API server has written that says why it ended: the
// last that klog marks as an error or that begins like one, else the last line.
func LastError(text string) string {
	last, wrong := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		last = line
		marked := (strings.HasPrefix(line, "F") || strings.HasPrefix(line, "E")) && klogLine(line)
		if marked || strings.HasPrefix(line, "Error:") || strings.HasPrefix(line, "panic:") {
			wrong = line
		}
	}
	return cmp.Or(wrong, last)
}

// klogLine tells whether text has klog's head: a letter and four digits.
func klogLine(text string) bool {
	return len(text) > 5 && strings.Trim(text[1:5], "0123456789") == ""
}

// logError is how kube-apiserver begins what it says of an event that its log
// backend could not write (k8s.io/apiserver/pkg/audit, HandlePluginError); the
// reason follows, as "no space left on device" or "disk quota exceeded".
const logError = "Error in audit plugin 'log' affecting "

// AuditLogError is the last reason that the API server gave for an event that it
// could not write, "" when its log has none.
func (s *Server) AuditLogError() string {
	newest, at := "", time.Time{}
	for _, f := range s.Logs() {
		if info, err := os.Stat(f); err == nil && info.ModTime().After(at) {
			newest, at = f, info.ModTime()
		}
	}
	return AuditLogErrorIn(tail(newest, 256<<10))
}

// AuditLogErrorIn is the same of what an API server has written.
func AuditLogErrorIn(text string) string {
	words := ""
	for line := range strings.Lines(text) {
		_, said, found := strings.Cut(line, logError)
		if _, cause, ok := strings.Cut(said, ": "); found && ok {
			words = strings.TrimSpace(cause)
		}
	}
	return words
}
