package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/kubernetes/pkg/kubelet/config"
	"k8s.io/kubernetes/pkg/kubelet/types"
)

// The file source reads some 1000 manifests a second; this is for a hang, not for haste.
const patience = 5 * time.Minute

// check puts the files into a manifests folder, lets the kubelet's file source list
// it once, and returns why each file was refused, "" for a pod that would run. The
// function that decides (tryDecodeSinglePod) is not exported; its verdict
// reaches the outside only as a log line, so that is what is read.
func check(files []string) ([]string, error) {
	dir, err := os.MkdirTemp("", "manifests")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	listed := make([]string, len(files))
	for i, file := range files {
		if file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		listed[i] = filepath.Join(dir, fmt.Sprintf("%06d", i))
		if err := os.Symlink(file, listed[i]); err != nil {
			return nil, err
		}
	}
	said, err := list(dir)
	if err != nil {
		return nil, err
	}
	refusals := make([]string, len(files))
	for i, path := range listed {
		refusals[i] = strings.ReplaceAll(strings.TrimPrefix(said[path], path+": "), path, files[i])
	}
	return refusals, nil
}

// list returns the complaints about the files in dir, by path.
func list(dir string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// cmd/kubelet does the same before it looks at any pod; without it privileged
	// containers are refused.
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
	sink := &complaints{by: map[string]string{}}
	pods := config.NewPodConfig(&record.FakeRecorder{}, nil)
	config.NewSourceFile(logr.New(sink), dir, "node", time.Hour, pods.Channel(ctx, types.FileSource))
	select {
	case <-pods.Updates():
		// The source sends its first update when it has been through the whole folder.
		return sink.copy(), nil
	case <-ctx.Done():
		return nil, errors.New("the kubelet's file source did not answer: " + sink.copy()[dir])
	}
}

// complaints is a log sink that keeps the last error about each path.
type complaints struct {
	mu sync.Mutex
	by map[string]string
}

func (c *complaints) Init(logr.RuntimeInfo)          {}
func (c *complaints) Enabled(int) bool               { return false }
func (c *complaints) Info(int, string, ...any)       {}
func (c *complaints) WithValues(...any) logr.LogSink { return c }
func (c *complaints) WithName(string) logr.LogSink   { return c }

func (c *complaints) Error(err error, message string, pairs ...any) {
	if err != nil {
		message = err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == "path" {
			c.by[fmt.Sprint(pairs[i+1])] = strings.ReplaceAll(message, "\n", " ")
		}
	}
}

func (c *complaints) copy() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]string, len(c.by))
	for path, message := range c.by {
		all[path] = message
	}
	return all
}
