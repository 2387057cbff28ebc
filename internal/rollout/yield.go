package rollout

import (
	"context"
	"fmt"
	"time"

	"auditpatch/patch"
)

// yieldWithin is how long somebody else's manifest may take to bring its API
// server up before that is called a failure: the kubelet's 30 s for the old one,
// its back-off, and the start.
var yieldWithin = paced(90 * time.Second)

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
	w.patient = false
	w.which, w.timeout, w.began = "new", min(w.timeout, yieldWithin), time.Now()
	if had {
		w.tell("undo", "the manifest is somebody else's now: only the annotation %s was taken out of it", patch.RestartAnnotation)
	} else {
		w.tell("undo", "the manifest is somebody else's now, and was left as it is")
	}
	w.warnStuck()
	return w.run(context.Background())
}
