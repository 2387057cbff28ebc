//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/e2e/cluster"
)

// TestRounds turns audit logging on and off again and again. E2E_ROUNDS says how often. The
// manifest must have the same bytes each time, a request of each enabled phase be in the log,
// and nothing pile up: backups, mounts, files.
func TestRounds(t *testing.T) {
	l := begin(t)
	original, enabled := l.read(cluster.Manifest), l.filtered()
	// As the API server names what it has rotated, so it must be no concern of ours.
	rotated := "/var/log/kubernetes/audit/audit-" + time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15-04-05.000") + ".log"
	var mounts, files []string
	for i := range number("E2E_ROUNDS", 3) {
		l.changesOnce(func() { l.auditpatch(0, "enable") })
		l.wantManifest(enabled)
		l.marked(fmt.Sprintf("round-%d", i))
		if i == 0 {
			l.write(rotated, "{}\n")
		}
		serverMounts, nodeMounts := l.mounts()
		l.changesOnce(func() { l.auditpatch(0, "disable") })
		l.wantManifest(original)
		l.wantEvent(markedEvent(i))
		now := l.list("/etc/kubernetes", "/var/log/kubernetes")
		if i == 0 {
			mounts, files = append(serverMounts, nodeMounts...), now
		}
		if have := append(serverMounts, nodeMounts...); !slices.Equal(have, mounts) {
			l.Fatalf("round %d: mounts\n%s\nwere\n%s", i, strings.Join(have, "\n"), strings.Join(mounts, "\n"))
		}
		if !slices.Equal(now, files) {
			l.Fatalf("round %d: files\n%s\nwere\n%s", i, strings.Join(now, "\n"), strings.Join(files, "\n"))
		}
	}
	events := l.events()
	for i := range number("E2E_ROUNDS", 3) {
		if want := markedEvent(i); !slices.ContainsFunc(events, func(e auditv1.Event) bool { return want.fits(&e) }) {
			l.Fatalf("the event of round %d is not in the log any more", i)
		}
	}
	if now := l.read(rotated); now != "{}\n" {
		l.Fatalf("%s was changed: %q", rotated, now)
	}
	l.wantQuota()
}

// changesOnce is [lab.rollsOut] that wants the kubelet to start one container only.
func (l *lab) changesOnce(step func()) {
	l.Helper()
	from := time.Now()
	l.rollsOut(step)
	if starts, err := l.node.Starts(l.ctx, from); err != nil || starts != 1 {
		l.Fatalf("the kubelet has started kube-apiserver %d times, %v", starts, err)
	}
}

// marked asks for a ConfigMap that does not exist, whose name is in the log then.
func (l *lab) marked(name string) {
	l.Helper()
	if _, stderr, _ := l.node.Kubectl(l.ctx, "get", "configmap", name); !strings.Contains(stderr, "NotFound") {
		l.Fatalf("kubectl get configmap %s: %s", name, stderr)
	}
}

func markedEvent(round int) event {
	return event{user: "kubernetes-admin", verb: "get", resource: "configmaps", name: fmt.Sprintf("round-%d", round), code: 404}
}

// mounts are the mount points of the API server's own, and those on the node that do not belong
// to one Pod or container.
func (l *lab) mounts() (server, node []string) {
	l.Helper()
	points := func(pid string) (out []string) {
		for line := range strings.Lines(l.read("/proc/" + pid + "/mountinfo")) {
			point := strings.Fields(line)[4]
			if !strings.HasPrefix(point, "/run/containerd/") && !strings.HasPrefix(point, "/var/lib/kubelet/pods/") &&
				!strings.HasPrefix(point, "/run/netns/") {
				out = append(out, point)
			}
		}
		slices.Sort(out)
		return out
	}
	return points(fmt.Sprint(l.server().PID)), points("1")
}

// list is what lies below folders, without the contents.
func (l *lab) list(dirs ...string) []string {
	l.Helper()
	stdout, stderr, exit := l.node.Exec(l.ctx, append(append([]string{"find"}, dirs...), "-printf", "%M %u:%g %p\n")...)
	if exit != 0 {
		l.Fatal(stderr)
	}
	out := strings.Split(strings.TrimSpace(stdout), "\n")
	slices.Sort(out)
	return out
}

// wantQuota wants as many backups as are kept, and no folder beside them.
func (l *lab) wantQuota() {
	l.Helper()
	var list struct{ Backups []struct{ ID string } }
	if err := json.Unmarshal([]byte(l.auditpatch(0, "restore", "--list", "-o", "json")), &list); err != nil {
		l.Fatal(err)
	}
	stdout, stderr, exit := l.node.Exec(l.ctx, "ls", "-A", "/var/lib/auditpatch/runs")
	if exit != 0 {
		l.Fatal(stderr)
	}
	rounds, runs := number("E2E_ROUNDS", 3), strings.Fields(stdout)
	l.Logf("%d rounds: %d backups, %d folders", rounds, len(list.Backups), len(runs))
	if want := min(2*rounds, 20); len(list.Backups) != want || len(runs) != want {
		l.Fatalf("%d backups, %d folders, want %d:\n%s", len(list.Backups), len(runs), want, stdout)
	}
}
