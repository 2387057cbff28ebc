//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"auditpatch/e2e/cluster"
)

// moments are the lines of [whileScript] that wait for a moment between the first write of the
// manifest and the proof.
var moments = []struct{ name, wait string }{
	{"first write", `said "backup "`},
	{"listener closed", `said "backup "; look closed`},
	{"old process ended", `said "old kube-apiserver"`},
	{"between the writes", `said "old kube-apiserver"; read -rt 0.3 -u 3`},
	{"second write", `look interim; look final`},
	{"new process started", `said "new kube-apiserver started"`},
	{"before ready", `said "new kube-apiserver started"; look listens`},
	// The proof takes milliseconds, so it must not find the log.
	{"ready", `said "new kube-apiserver started"; hide; said "/readyz"; trap show EXIT`},
}

// momentScript is what the moments' lines call.
const momentScript = `
listens() { ss -Hltn 'sport = 6443' | grep -q .; }
closed() { ! listens; }
interim() { mapfile -d '' manifest <` + cluster.Manifest + `; [[ $manifest == *auditpatch/restart* ]]; }
final() { ! interim; }
hide() { mount -t tmpfs tmpfs /var/log/kubernetes/audit; }
show() { umount /var/log/kubernetes/audit; }
`

// TestKilled ends auditpatch with SIGKILL at each moment: status has to say so, and recover,
// or whatever command is next, to make the change whole and to prove it. All go forward: the
// manifest with the change lies there from the first moment on.
func TestKilled(t *testing.T) {
	l := begin(t)
	const settings = "--audit-log-maxage=%d"
	want := l.filtered(fmt.Sprintf(settings, 40))
	for i, moment := range moments {
		flag := fmt.Sprintf(settings, 40+i)
		want = strings.Replace(want, fmt.Sprintf(settings, 39+i), flag, 1)
		next := []string{"recover"}
		if i%2 == 1 {
			next = []string{"enable", flag}
		}
		l.Logf("kill: %s", moment.name)
		l.writes(2, func() {
			l.auditpatchWhile(momentScript+moment.wait+"; kill -KILL $pid", 128+9, "enable", flag)
			l.wantSaid(l.auditpatch(1, "status", "--check"), "died half way")
			l.wantSaid(l.auditpatch(0, next...), "this run was unfinished and is now finished", "found in the log")
			l.wantWhole(want)
			l.auditpatch(0, "status", "--check")
		})
	}
	l.stays(func() { l.wantSaid(l.auditpatch(0, "recover"), "nothing to do") })
}

// filtered is the manifest as enable makes it.
func (l *lab) filtered(flags ...string) string {
	l.Helper()
	args := append([]string{"auditpatch", "enable", "--quiet", "--manifest", "-"}, flags...)
	stdout, stderr, exit := l.node.ExecInput(l.ctx, []byte(l.read(cluster.Manifest)), args...)
	if exit != 0 {
		l.Fatalf("%s: exit status %d: %s", strings.Join(args, " "), exit, stderr)
	}
	return stdout
}

// TestSignals wants SIGTERM and SIGINT to put everything back, and what happens to auditpatch
// when an SSH connection breaks to do nothing at all: SIGHUP, and nobody reads what it prints.
func TestSignals(t *testing.T) {
	l := begin(t)
	original, enabled := l.read(cluster.Manifest), l.filtered()
	for _, s := range []struct {
		signal string
		wait   string
		writes int
	}{
		{"TERM", `said "backup "`, 2},
		{"INT", `said "new kube-apiserver started"`, 4},
	} {
		l.writes(s.writes, func() {
			said := l.auditpatchWhile(s.wait+"; kill -"+s.signal+" $pid", 3, "enable")
			l.wantSaid(said, "interrupted; the earlier settings are back and healthy")
			l.wantWhole(original)
		})
	}
	l.rollsOut(func() {
		if out, stderr, exit := l.node.Exec(l.ctx, "bash", "-c", hangUpScript); exit != 0 {
			l.Fatalf("enable after a hangup: exit status %d\n%s%s", exit, out, stderr)
		}
	})
	l.wantWhole(enabled)
	l.auditpatch(0, "status", "--check")
}

// hangUpScript runs enable and ends its reader, as a broken connection does, when it has begun.
const hangUpScript = `
set -m
coproc auditpatch enable 2>&1
pid=$COPROC_PID
while read -r line <&${COPROC[0]}; do [[ $line == backup* ]] && break; done
eval "exec ${COPROC[0]}<&- ${COPROC[1]}>&-"
kill -HUP $pid
wait $pid`
