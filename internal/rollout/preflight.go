package rollout

import (
	"context"
	"fmt"
	"path"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/node"
	"auditpatch/internal/wait"
	"auditpatch/internal/webhook"
)

// Check is something that has to hold before a change is begun.
type Check struct {
	Name string
	// Run says what it found, or why a change is refused: a *apiserver.NotHealthy
	// where the check itself could be made.
	Run func(ctx context.Context) (Found, error)
}

// Found is what a check that holds has found.
type Found struct {
	Text string
	// Doubt says that the check could not tell for sure.
	Doubt bool
	// Server is what the check of the API server has seen, also where it does not hold.
	Server *Seen
}

// Seen is what runs of the manifest's static Pod, and what it says of itself.
type Seen struct {
	apiserver.Running
	Ready    bool
	NotReady string // why not
}

// Preflight are the checks that stand before a change of a running node. A change
// ends at the first that fails; status and doctor make all of them, status without hook,
// to which an event is posted. [KubeletCheck] is the first.
func Preflight(s *apiserver.Server, manifest string, hook *webhook.Receiver) []Check {
	return []Check{
		KubeletCheck(s.Node, manifest),
		{"API server", func(ctx context.Context) (Found, error) { return checkServer(ctx, s, manifest, 0) }},
		{"webhook", func(ctx context.Context) (Found, error) { return checkBlocking(ctx, hook) }},
	}
}

// KubeletCheck needs no manifest that can be read.
func KubeletCheck(n *node.Node, manifest string) Check {
	return Check{"kubelet", func(context.Context) (Found, error) { return checkKubelet(n, manifest) }}
}

// checkKubelet wants one that reads the manifest's directory.
func checkKubelet(n *node.Node, manifest string) (Found, error) {
	k, err := kubelet.Find(n)
	switch dir := path.Dir(manifest); {
	case err != nil:
		return Found{}, err
	case k.PID == 0:
		return Found{}, &apiserver.NotHealthy{Reason: ErrNoKubelet.Error(), Hint: startKubelet}
	case k.StaticPodPath == "":
		return Found{Text: fmt.Sprintf("it runs (pid %d); its configuration %s does not say where manifests are", k.PID, k.Config), Doubt: true}, nil
	case k.StaticPodPath != dir:
		return Found{}, &apiserver.NotHealthy{
			Reason: fmt.Sprintf("the kubelet reads manifests from %s (%s), not from %s", k.StaticPodPath, k.Config, dir),
			Hint:   hint.Command("doctor").Spaced("manifest", path.Join(k.StaticPodPath, path.Base(manifest))),
		}
	default:
		return Found{Text: fmt.Sprintf("it runs (pid %d) and reads %s", k.PID, dir)}, nil
	}
}

// checkServer wants an API server that runs as the manifest has it, and is ready
// after a while at the latest.
func checkServer(ctx context.Context, s *apiserver.Server, manifest string, patience time.Duration) (Found, error) {
	running, err := s.Running()
	if err != nil {
		return Found{}, err
	}
	found := Found{Server: &Seen{Running: running}}
	if running.PID == 0 {
		found.Server.Ready, found.Server.NotReady = s.Ready(ctx)
		down := NotRunning(s.Node, manifest, running)
		down.Reason += lastly(s.LastWords())
		return found, down
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(pollEvery) {
		ready, why := s.Ready(ctx)
		found.Server.Ready, found.Server.NotReady = ready, why
		switch {
		case ready:
			found.Text = fmt.Sprintf("it runs (pid %d) as the manifest has it, and is ready", running.PID)
			return found, nil
		case ctx.Err() != nil:
			return found, wait.ErrInterrupted
		case !time.Now().Before(deadline):
			return found, &apiserver.NotHealthy{Reason: fmt.Sprintf("kube-apiserver runs (pid %d) and is not ready: %s%s", running.PID, why, lastly(s.LastWords()))}
		}
	}
}

// NotRunning says of a static Pod in which no API server runs as the manifest has
// it what runs instead, and what to type.
func NotRunning(n *node.Node, manifest string, running apiserver.Running) *apiserver.NotHealthy {
	down := &apiserver.NotHealthy{Reason: "no kube-apiserver runs on this node", Hint: hint.Shell("journalctl -u kubelet")}
	if kubelet.Stuck(n, manifest) { // it was started while the API server was away
		down.Hint, down.Kubelet = hint.Shell(kubelet.RestartCommand), true
	}
	switch {
	case running.Others > 0:
		down.Reason = "the kube-apiserver that runs was started with other flags than the manifest has, and the kubelet has not acted on it"
	case running.Ending > 0:
		return &apiserver.NotHealthy{Reason: "the earlier kube-apiserver is ending, and the kubelet has yet to start one with the manifest's flags", Hint: hint.Command("enable").Note("waits for it")}
	case running.Stranger != "":
		down.Reason = "no kube-apiserver runs in this manifest's Pod: " + running.Stranger
	}
	return down
}

// checkBlocking posts an event to a receiver that every request would wait for. Any
// other may be away.
func checkBlocking(ctx context.Context, hook *webhook.Receiver) (Found, error) {
	if hook.IfBlocking() == nil {
		return Found{}, nil
	}
	if cause := hook.Refuses(ctx); cause != "" && ctx.Err() == nil {
		return Found{}, &webhook.Blocked{Undelivered: webhook.Undelivered{Host: hook.Host, Cause: cause}, Mode: hook.Mode}
	}
	return Found{Text: "the webhook " + hook.Host + " takes events"}, nil
}
