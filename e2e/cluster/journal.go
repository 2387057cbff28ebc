package cluster

import (
	"context"
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

// syncLoop is the kubelet's line at verbosity 2, after journalctl's seconds and microseconds.
var syncLoop = regexp.MustCompile(`^(\d+)\.(\d{6}) .*"SyncLoop (ADD|REMOVE|UPDATE)" source="file" pods=\[(.*)\]`)

func countUpdates(journal, pod string, from, to time.Time) Updates {
	var u Updates
	for line := range strings.Lines(journal) {
		m := syncLoop.FindStringSubmatch(line)
		if m == nil || !strings.Contains(m[4], strconv.Quote(pod)) {
			continue
		}
		seconds, _ := strconv.ParseInt(m[1], 10, 64)
		micros, _ := strconv.ParseInt(m[2], 10, 64)
		if at := time.Unix(seconds, micros*1000); at.Before(from) || at.After(to) {
			continue
		}
		switch m[3] {
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
