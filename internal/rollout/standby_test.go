package rollout

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/hint"
	"auditpatch/internal/node"
)

// fakeStandby notes what is done with it.
type fakeStandby struct {
	missed string
	err    error // of Attach
	why    string
	gone   bool
	lost   error // of End
	did    []string
}

func (f *fakeStandby) Attach() (string, error) {
	f.did = append(f.did, "attach")
	return f.missed, f.err
}

func (f *fakeStandby) Ended() (string, bool) { return f.why, f.gone }

func (f *fakeStandby) End(kept bool) error {
	f.did = append(f.did, map[bool]string{true: "end, kept", false: "end"}[kept])
	return f.lost
}

// liveWith is a change with a standby, and what it says.
func liveWith(t *testing.T, f *fakeStandby, how Restart) (l *Live, said *[]string) {
	t.Helper()
	said = &[]string{}
	l = &Live{Node: node.New(t.TempDir(), ""), Terms: Terms{Restart: how}}
	l.Say = func(p Progress) { *said = append(*said, p.Step+" "+p.Text) }
	l.Warn = func(err error) { *said = append(*said, "warning "+err.Error()) }
	l.old, l.standby.Standby = &drain{}, f
	return l, said
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// TestStandbyServes goes through a change during which another API server serves.
func TestStandbyServes(t *testing.T) {
	t.Parallel()
	f := &fakeStandby{}
	l, said := liveWith(t, f, Auto)
	must(t, l.attach())
	want(t, "served while the old one is drained", true, l.old.served)
	l.standby.kept = true
	l.After()
	l.After()
	want(t, "served", true, l.Served())
	want(t, "did", []string{"attach", "end, kept"}, f.did)
	want(t, "said", []string{"restart the rehearsed kube-apiserver takes connections", "restart the rehearsed kube-apiserver has ended"}, *said)
}

// TestStandbyMisses says whom it cannot serve.
func TestStandbyMisses(t *testing.T) {
	t.Parallel()
	l, said := liveWith(t, &fakeStandby{missed: "those to loopback addresses are not", lost: errors.New("events are lost")}, Seamless)
	must(t, l.attach())
	l.After()
	want(t, "missed", "those to loopback addresses are not", l.Missed())
	want(t, "said", []string{
		"restart the rehearsed kube-apiserver takes connections; those to loopback addresses are not",
		"restart the rehearsed kube-apiserver has ended", "warning events are lost",
	}, *said)
}

// TestStandbyNotAttached goes on with a quick restart, or refuses the change.
func TestStandbyNotAttached(t *testing.T) {
	t.Parallel()
	refused := errors.New("operation not permitted")
	f := &fakeStandby{err: refused}
	l, said := liveWith(t, f, Auto)
	must(t, l.attach())
	l.After()
	want(t, "served", false, l.Served() || l.old.served)
	want(t, "did", []string{"attach", "end"}, f.did)
	want(t, "why in the result", "operation not permitted", l.Missed())
	want(t, "said", []string{"restart quick: operation not permitted"}, *said)

	f = &fakeStandby{err: refused}
	l, _ = liveWith(t, f, Seamless)
	err := l.attach()
	if err == nil || !strings.Contains(err.Error(), "cannot be seamless: operation not permitted") || hint.Of(err).String() != "--restart=auto" {
		t.Errorf("got %v, hint %s", err, hint.Of(err))
	}
	l.After()
	want(t, "did", []string{"attach", "end"}, f.did)
}

// TestStandbyEnds says once that nobody serves any more.
func TestStandbyEnds(t *testing.T) {
	t.Parallel()
	f := &fakeStandby{}
	l, said := liveWith(t, f, Auto)
	must(t, l.attach())
	w := &watch{standby: &l.standby, narrator: newNarrator(l.start, l.Say)}
	w.tend()
	f.gone, f.why = true, "it was not ready"
	w.tend()
	w.tend()
	l.After()
	want(t, "served", false, l.Served())
	want(t, "said", []string{
		"restart the rehearsed kube-apiserver takes connections",
		"restart the rehearsed kube-apiserver does not serve any more, and nobody does until the new one is ready: it was not ready",
	}, *said)
	want(t, "did", []string{"attach", "end"}, f.did)
}
