package rollout

import (
	"context"
	"fmt"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// yieldWithin is how long somebody else's manifest may take to bring its API
// server up before that is called a failure: the kubelet's 30 s for the old one,
// its back-off, and the start.
var yieldWithin = wait.Scaled(90 * time.Second)

// Yield takes the passing annotation out of a manifest that somebody else has
// changed while it was in there, and waits until the API server is healthy with
// it.
func (l *Live) Yield() error {
	f, err := l.Node.Read(l.Manifest)
	if err != nil {
		return err
	}
	text, had, err := patch.WithoutInterim(l.Manifest, f.Data)
	if err != nil {
		return fmt.Errorf("the manifest is not one that the kubelet takes: %w", err)
	}
	if had {
		if err := l.Node.Rewrite(l.Manifest, f.Data, text); err != nil {
			return err
		}
	}
	theirs, err := patch.Read(l.Manifest, text)
	if err != nil {
		return err
	}
	w, err := l.backTo(theirs.Server)
	if err != nil {
		return err
	}
	w.patient, w.volumes = false, theirs.HostPaths
	w.which, w.timeout, w.began = "new", min(w.timeout, yieldWithin), time.Now()
	if had {
		w.stepf("undo", "the manifest is somebody else's now: only the annotation %s was taken out of it", patch.RestartAnnotation)
	} else {
		w.stepf("undo", "the manifest is somebody else's now, and was left as it is")
	}
	w.warnStuck()
	return w.run(context.Background())
}

// Await waits, where nothing is to be changed, for a restart that is under way: of
// a change that failed to wait, or that somebody else has just made. waited is
// false when the API server serves with the manifest already. A *NotHealthy says
// that none runs at all, or that it is not ready.
func (l *Live) Await(ctx context.Context) (waited bool, err error) {
	server := apiserver.New(l.Node, l.New.Server)
	r, err := server.Running()
	switch {
	case err != nil:
		return false, err
	case r.Serving:
		ctx, cancel := context.WithTimeout(ctx, silentFor/2)
		defer cancel()
		if ready, why := server.Ready(ctx); !ready {
			return false, &apiserver.NotHealthy{Reason: "the API server is not ready: " + why}
		}
		return false, nil
	case r.PID == 0 && r.Others == 0 && r.Ending == 0:
		if _, err := checkKubelet(l.Node, l.Manifest); err != nil {
			return false, err
		}
		down := NotRunning(l.Node, l.Manifest, r)
		down.Reason += lastly(server.LastWords())
		return false, down
	}
	l.start, l.kubelet = time.Now(), kubelet.NewWatch(l.Node)
	w, err := l.backTo(l.New.Server)
	if err != nil {
		return false, err
	}
	w.which, w.patient, w.volumes = "new", false, l.New.HostPaths
	w.stepf("restart", "the API server is being restarted already")
	return true, l.runAndProve(ctx, w)
}
