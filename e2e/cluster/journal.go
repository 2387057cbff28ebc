package cluster

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Updates counts what the kubelet's manifests directory told it about a static pod. A changed
// manifest is one Remove and one Add. A restarted kubelet counts one Add.
type Updates struct{ Add, Remove, Update int }

// Updates reads the kubelet's journal for the API server's static pod between two instants.
func (n *Node) Updates(ctx context.Context, from, to time.Time) (Updates, error) {
	stdout, stderr, exit := n.Exec(ctx, "journalctl", "--unit", "kubelet", "--no-pager", "--quiet",
		"--output", "short-unix", "--since", fmt.Sprintf("@%d", from.Unix()))
	if exit != 0 {
		return Updates{}, fmt.Errorf("read the kubelet's journal on %s: %s", n.name, stderr)
	}
	return countUpdates(stdout, "kube-system/kube-apiserver-"+n.name, from, to), nil
}

// Intend notes that the test has changed the API server's static pod this many times. Whoever
// changes it must say so, or [Cluster.Unintended] reports the change.
func (n *Node) Intend(changes int) { n.intended += changes }

func (n *Node) unintended(ctx context.Context) error {
	seen, err := n.Updates(ctx, n.since, time.Now())
	if err != nil {
		return err
	}
	if seen.Remove != n.intended || seen.Update != 0 {
		return fmt.Errorf("%s: the kubelet saw %+v of kube-apiserver's manifest since %s, want %d removed",
			n.name, seen, n.since.Format(time.TimeOnly), n.intended)
	}
	return nil
}

// syncLoop is the kubelet's line at verbosity 2.
var syncLoop = regexp.MustCompile(`"SyncLoop (ADD|REMOVE|UPDATE)" source="file" pods=\[(.*)\]`)

// stamp is the time at the beginning of a journal's line in seconds and microseconds.
func stamp(line string) (time.Time, bool) {
	var seconds, micros int64
	if n, err := fmt.Sscanf(line, "%d.%06d ", &seconds, &micros); n != 2 || err != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, micros*1000), true
}

func countUpdates(journal, pod string, from, to time.Time) Updates {
	var u Updates
	for line := range strings.Lines(journal) {
		m := syncLoop.FindStringSubmatch(line)
		if m == nil || !strings.Contains(m[2], strconv.Quote(pod)) {
			continue
		}
		if at, ok := stamp(line); !ok || at.Before(from) || at.After(to) {
			continue
		}
		switch m[1] {
		case "ADD":
			u.Add++
		case "REMOVE":
			u.Remove++
		case "UPDATE":
			u.Update++
		}
	}
	return u
}

// Uncounted runs a step that changes the API server's pod in ways that nobody can count: a
// restarted kubelet tells of no removal that happened while it was away, and a machine that
// lost its power may have lost its journal. What was not right in the count until then is
// reported in the end.
func (n *Node) Uncounted(ctx context.Context, step func() error) error {
	n.miscounted = errors.Join(n.miscounted, n.unintended(ctx))
	err := step()
	n.since, n.intended = time.Now(), 0
	return err
}

// started is the kubelet's line for a container of the API server's pod, the sandbox's too.
var started = regexp.MustCompile(`event for pod" pod="kube-system/kube-apiserver-.*"Type":"ContainerStarted","Data":"([0-9a-f]+)"`)

// Starts counts the times that the kubelet has started the API server's container since an
// instant.
func (n *Node) Starts(ctx context.Context, from time.Time) (int, error) {
	stdout, stderr, exit := n.Exec(ctx, "journalctl", "--unit", "kubelet", "--no-pager", "--quiet",
		"--output", "short-unix", "--since", fmt.Sprintf("@%d", from.Unix()))
	if exit != 0 {
		return 0, fmt.Errorf("read the kubelet's journal on %s: %s", n.name, stderr)
	}
	containers := map[string]bool{}
	for line := range strings.Lines(stdout) {
		m := started.FindStringSubmatch(line)
		if at, ok := stamp(line); m != nil && ok && !at.Before(from) {
			containers[m[1]] = true
		}
	}
	return len(containers) / 2, nil // each with a sandbox
}
