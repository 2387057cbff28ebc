package inspect

import (
	"errors"
	"slices"
	"testing"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// running are the facts of a node on which the checks before a change found this.
func running(t *testing.T, preflight ...result) *facts {
	t.Helper()
	m, err := manifest.Parse("m", patch.StandIn("m").Data)
	if err != nil {
		t.Fatal(err)
	}
	return &facts{
		target:     &target.Target{Live: true},
		configured: configured{manifest: m, now: patch.Inspect(m)},
		journal:    journal{run: &node.Run{ID: "2026-11-22T11:20:04Z", Verb: "enable"}},
		preflight:  preflight,
		live:       &live{Server: apiserver.New(node.New(t.TempDir(), ""), patch.Server{}), seen: &rollout.Seen{}},
	}
}

// TestOrder wants first what nothing else can be mended before: a kubelet that does not
// act on a manifest, whichever check has found it, and then a run that died.
func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		down *apiserver.NotHealthy
		want []string
	}{
		"kubelet":  {&apiserver.NotHealthy{Reason: "none runs", Kubelet: true}, []string{"API server", "journal"}},
		"manifest": {&apiserver.NotHealthy{Reason: "none runs"}, []string{"journal", "flags", "API server"}},
	} {
		var got []string
		for _, f := range running(t, result{name: "API server", err: c.down}).judge() {
			if f.status == drift {
				got = append(got, f.Check)
			}
		}
		if len(got) < len(c.want) || !slices.Equal(got[:len(c.want)], c.want) {
			t.Errorf("%s: %q, want %q first", name, got, c.want)
		}
	}
}

// TestUnseen tells what cannot be looked at from drift.
func TestUnseen(t *testing.T) {
	denied := errors.New("read /proc: permission denied")
	all := running(t, result{name: "kubelet", err: denied}).judge()
	if err := failures(all); !errors.Is(err, denied) {
		t.Errorf("status says %v", err)
	}
	if f := all[0]; f.Check != "kubelet" || f.Verdict != Wrong || f.Detail != denied.Error() {
		t.Errorf("doctor begins with %+v", f)
	}
}

// TestRepeats leaves enable's refusal out where a check has said so, and only there.
func TestRepeats(t *testing.T) {
	for _, c := range []struct {
		refusal string
		want    int
	}{{"m:7:1: /srv is missing", 0}, {"/opt is missing", 1}} {
		out := &findings{check: "mounts"}
		out.say(broken, nil, "/srv is missing")
		enable := &findings{check: "enable"}
		enable.fault(refused, hint.New(hint.Shell("mkdir"), c.refusal))
		left := withoutRepeats(append(out.all, enable.all...))
		if len(left) != 1+c.want {
			t.Errorf("%s: %+v", c.refusal, left)
		}
	}
}
