package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"auditpatch/internal/hint"
)

const (
	// testWithin is how long a receiver may take to answer.
	AnswerWithin = 5 * time.Second
	// slowAnswer is how long a request may wait for a receiver that it waits for at
	// each stage: the kubelet gives an API server's health checks 15 s.
	slowAnswer = time.Second
)

// Blocked says that a webhook does not take events on which every request would
// wait.
type Blocked struct {
	Undelivered
	Mode string // of the webhook
}

func (e *Blocked) Error() string {
	return fmt.Sprintf("%s; with --audit-webhook-mode=%s every request waits for it", e.Undelivered.Error(), e.Mode)
}

// Remedy is what to type.
func (e *Blocked) Remedy() hint.Hint {
	return hint.Flag("audit-webhook-mode", "batch").Then("; ", hint.Switch("force").Note("begins all the same"))
}

// Blocks tells whether requests wait for the receiver. There are no modes but
// these that do.
func (w *Receiver) Blocks() bool { return strings.HasPrefix(w.Mode, "blocking") }

// IfBlocking is the webhook when requests wait for it, else nil.
func (w *Receiver) IfBlocking() *Receiver {
	if w == nil || !w.Blocks() {
		return nil
	}
	return w
}

// Refuses posts one event and says why it is not taken, "" when it is, or when it
// cannot be tried from here but for a connection.
func (w *Receiver) Refuses(ctx context.Context) (cause string) {
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	req, err := w.testRequest(ctx)
	if err != nil {
		return ""
	}
	began := time.Now()
	code, cause := w.send(req)
	took := time.Since(began)
	switch {
	case code == 0:
		return cause
	case code < http.StatusOK || code > http.StatusPartialContent: // as client-go has it
		return strings.TrimSpace(fmt.Sprintf("it answers %d %s", code, http.StatusText(code)))
	case w.Blocks() && took > slowAnswer:
		return fmt.Sprintf("it took %.1f s for one event", took.Seconds())
	}
	return ""
}

// testRequest is a post as kube-apiserver makes it, of an event that says what it
// is.
func (w *Receiver) testRequest(ctx context.Context) (*http.Request, error) {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	event := map[string]any{
		"level": "Metadata", "auditID": "auditpatch-" + strings.ToLower(rand.Text()), "stage": "ResponseComplete",
		"requestURI": "/auditpatch-proof", "verb": "get", "userAgent": "auditpatch",
		"user":                     map[string]any{"username": "auditpatch"},
		"responseStatus":           map[string]any{"metadata": map[string]any{}, "code": http.StatusNotFound},
		"requestReceivedTimestamp": now, "stageTimestamp": now,
		"annotations": map[string]string{"auditpatch/proof": "posted by auditpatch before a change; no request was made"},
	}
	body, err := json.Marshal(map[string]any{"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": map[string]any{}, "items": []any{event}})
	if err != nil {
		return nil, err
	}
	to := *w.server
	to.RawQuery, to.Fragment, to.User = "", "", nil // as client-go does
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, */*")
	req.Header.Set("User-Agent", "auditpatch")
	return req, nil
}
