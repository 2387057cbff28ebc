package simnode

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// rotatingLog is the audit log (gopkg.in/natefinch/lumberjack.v2): NAME.log
// becomes NAME-TIME.log when it would grow beyond its size. The file is opened
// anew for each write, which lumberjack does not, so that somebody who removes
// it is not followed into nowhere.
type rotatingLog struct {
	mu   sync.Mutex
	name string
	most int64
	file *os.File
}

// openRotating makes sure that the log can be written, as kube-apiserver does at
// its start.
func openRotating(name string, most int64) (*rotatingLog, error) {
	if name == "-" {
		return &rotatingLog{file: os.Stdout}, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &rotatingLog{name: name, most: most, file: f}, err
}

func (l *rotatingLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if info, err := l.file.Stat(); err == nil && l.name != "" && l.most > 0 && info.Size()+int64(len(p)) > l.most {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	return l.file.Write(p)
}

func (l *rotatingLog) rotate() error {
	if err := l.file.Close(); err != nil {
		return err
	}
	ext := filepath.Ext(l.name)
	backup := strings.TrimSuffix(l.name, ext) + "-" + time.Now().UTC().Format("2006-01-02T15-04-05.000") + ext
	if err := os.Rename(l.name, backup); err != nil {
		return err
	}
	f, err := os.OpenFile(l.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	l.file = f
	return err
}
