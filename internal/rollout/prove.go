package rollout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"auditpatch/patch"
)

// Probe is a request that the policy records and that changes nothing.
type Probe struct {
	Method string
	Path   string
}

// proveWithin is how long a recorded request may take to reach the log in
// blocking mode; in batch mode the batch's own wait comes on top.
var proveWithin = paced(10 * time.Second)

// prove sends the probe and finds its audit ID in the log.
func (s *Server) prove(ctx context.Context, probe Probe, after patch.Settings, delay time.Duration) (id string, err error) {
	log := filepath.Join(s.node.Root, after.Log.Host)
	deadline := time.Now().Add(proveWithin + delay)
	var last error
	for first := true; first || time.Now().Before(deadline); first = false {
		from := fileSize(log)
		a, err := s.ask(ctx, probe.Method, probe.Path)
		switch {
		case err != nil:
			last = err
		case a.auditID == "":
			last = fmt.Errorf("the API server answered %d to %s %s without an Audit-Id: it does not audit", a.code, probe.Method, probe.Path)
		default:
			if last = find(ctx, log, from, a.auditID, min(delay+paced(2*time.Second), time.Until(deadline))); last == nil {
				return a.auditID, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", errInterrupted
		case <-time.After(paced(500 * time.Millisecond)):
		}
	}
	return "", fmt.Errorf("the API server is ready, but a request that the policy records was not found in %s: %w", after.Log.Host, last)
}

func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// find looks for an audit ID in what was written after offset from. A log that
// became shorter was rotated, and is read from its start.
func find(ctx context.Context, log string, from int64, id string, within time.Duration) error {
	want := []byte(`"auditID":"` + id + `"`)
	deadline := time.Now().Add(within)
	for {
		data, err := readFrom(log, from)
		if err == nil && bytes.Contains(data, want) {
			return nil
		}
		if time.Now().After(deadline) {
			if err != nil {
				return err
			}
			return errors.New("event " + id + " is not in it")
		}
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-time.After(pollEvery):
		}
	}
}

func readFrom(name string, from int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() < from {
		from = 0
	}
	return io.ReadAll(io.NewSectionReader(f, from, 64<<20))
}
