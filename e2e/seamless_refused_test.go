//go:build e2e

package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// obstacle is a reason why a change cannot be seamless.
type obstacle struct {
	name  string
	begin string   // what makes it so: the command that runs auditpatch
	flags []string // of enable
	cause string
}

// withoutNetAdmin takes a capability from what it runs.
const withoutNetAdmin = `exec setpriv --bounding-set -net_admin --inh-caps -net_admin "$@"`

// shortOfMemory has what it runs see another /proc/meminfo, in which a rehearsal still fits.
const shortOfMemory = `sed 's/^MemAvailable:.*/MemAvailable: 500000 kB/' /proc/meminfo >/root/meminfo
	mount --bind /root/meminfo /proc/meminfo; "$@"; status=$?
	umount /proc/meminfo; rm /root/meminfo; exit $status`

var obstacles = []obstacle{
	{"no rehearsal", `"$@"`, []string{"--rehearse=never"}, "--rehearse"},
	{"nobody waits", `"$@"`, []string{"--no-wait"}, "--no-wait"},
	{"no CAP_NET_ADMIN", withoutNetAdmin, nil, "this process lacks CAP_NET_ADMIN"},
	{"no CAP_NET_ADMIN, dry run", withoutNetAdmin, []string{"--dry-run", "--rehearse=always"}, "this process lacks CAP_NET_ADMIN"},
	{"short of memory", shortOfMemory, nil, "of memory are available"},
}

// TestSeamlessRefused wants a change that has to be seamless and cannot be to be refused, with
// nothing changed, and one that need not be to be made all the same.
func TestSeamlessRefused(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	for _, o := range obstacles {
		l.stays(func() {
			said := l.auditpatchIn(o.begin, 2, append([]string{"enable", "--restart=seamless"}, o.flags...)...)
			l.wantSaid(said, "auditpatch: error: ", o.cause)
			l.wantNotSaid(said, "backup ", "takes connections")
			l.wantWhole(original)
		})
		l.handedBack()
	}
	l.exec("test", "!", "-e", policyPath)
	l.rollsOut(func() {
		said := l.auditpatchIn(withoutNetAdmin, 0, "enable")
		l.wantSaid(said, "restart   quick: this process lacks CAP_NET_ADMIN", "found in the log")
		l.wantNotSaid(said, "takes connections", "clients were served throughout")
	})
	l.handedBack()
}

// auditpatchIn is [lab.auditpatch] below a shell script, whose arguments are the command.
func (l *lab) auditpatchIn(script string, want int, args ...string) string {
	l.Helper()
	command := append([]string{"sh", "-c", script, "sh", "auditpatch"}, args...)
	stdout, stderr, exit := l.node.Exec(l.ctx, command...)
	l.Logf("auditpatch %s: exit status %d, below: %s\n%s%s", strings.Join(args, " "), exit, script, stdout, stderr)
	if exit != want {
		l.Fatalf("auditpatch %s: exit status %d, want %d", strings.Join(args, " "), exit, want)
	}
	return stdout + stderr
}

// handedBack wants nothing to be left of a hand-over: no second API server, no events that
// wait for the log, and new connections that go to the API server itself.
func (l *lab) handedBack() {
	l.Helper()
	l.nothingLeft()
	if stdout, _, _ := l.node.Exec(l.ctx, "sh", "-c", "ls -d /var/lib/auditpatch/spool* 2>/dev/null"); stdout != "" {
		l.Fatalf("left behind: %s", stdout)
	}
	l.servedByItself()
}

// servedByItself wants a new connection to be the API server's own.
func (l *lab) servedByItself() {
	l.Helper()
	conn, err := net.DialTimeout("tcp", l.node.Endpoint(), time.Second)
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close()
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	// It is nobody's until it has been accepted.
	const script = `for i in $(seq 50); do
		pid=$(ss -Htnp "sport = 6443 and dport = $1" | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
		[ -n "$pid" ] && cat /proc/$pid/comm && exit; sleep 0.1
	done; echo nobody`
	if stdout, stderr, _ := l.node.Exec(l.ctx, "sh", "-c", script, "sh", port); strings.TrimSpace(stdout) != "kube-apiserver" {
		l.Fatalf("a new connection goes to %s%s", stdout, stderr)
	}
}
