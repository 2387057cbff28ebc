package rollout

import (
	"cmp"
	"context"
	"errors"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/wait"
	"auditpatch/internal/webhook"
)

// testWebhook posts an event before anything is written. A receiver that does not
// take it is a reason not to begin when requests would wait for it, and else a
// warning, when the webhook is new.
func (l *Live) testWebhook(ctx context.Context) error {
	w := l.Webhook
	if w == nil || !w.Blocks() && l.Old.Webhook != nil {
		return nil
	}
	if w.Blocks() && !l.Force {
		_, err := checkBlocking(ctx, w)
		return cmp.Or(interrupted(ctx), err)
	}
	cause := w.Refuses(ctx)
	if cause == "" || ctx.Err() != nil {
		return interrupted(ctx)
	}
	l.warnOnce(&webhook.Undelivered{Host: w.Host, Cause: cause})
	return nil
}

// interrupted is the error of a context that has ended.
func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return wait.ErrInterrupted
	}
	return nil
}

// warnOnce warns of what the proof may find again.
func (l *Live) warnOnce(warning error) {
	warn := l.Warn
	if warn == nil {
		return
	}
	l.Warn = func(err error) {
		if err.Error() != warning.Error() {
			warn(err)
		}
	}
	warn(warning)
}

// proveWebhook says whether the webhook takes events. What speaks against it is
// a warning: err is only ErrInterrupted.
func (w *watch) proveWebhook(ctx context.Context, probe *apiserver.Probe, to *webhook.Receiver) (warning *webhook.Undelivered, err error) {
	err = to.Delivered(ctx, w.server, probe)
	var unproven *webhook.Unproven
	switch {
	case err == nil:
		w.stepf("proof", "webhook %s takes events", to.Host)
	case errors.As(err, &warning):
		return warning, nil
	case errors.As(err, &unproven):
		w.stepf("proof", "webhook %s not proven: %s", to.Host, unproven.Reason)
		return nil, nil
	}
	return nil, err
}
