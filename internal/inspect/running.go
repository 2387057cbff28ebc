package inspect

import (
	"strings"

	"auditpatch/internal/clusterlock"
	"auditpatch/internal/hint"
)

// serverCheck wants an API server that runs as the manifest has it.
func (f *facts) serverCheck(out *findings) {
	f.preflightCheck(out)
	if f.live.current != nil && !*f.live.current {
		out.say(apart, hint.Shell("journalctl -u kubelet"), "the API server that runs was started before the manifest was last changed")
	}
}

// credentialsCheck looks at the kubeconfigs, with which the API server was asked.
func (f *facts) credentialsCheck(out *findings) {
	if none := f.live.NoCredentials(); f.live.User == "" {
		out.say(hurts, none.Remedy(), "%v; so nothing can be proven", none)
		return
	}
	for _, e := range f.live.Skipped() {
		out.say(hurts, e.Hint, "%v; %s is used", e, f.live.Kubeconfig())
	}
}

// clusterCheck looks at the API servers of the other control-plane nodes.
func (f *facts) clusterCheck(out *findings) {
	switch o := f.live.others; {
	case o == nil:
	case o.err != nil:
		out.say(doubt, nil, "the other control-plane nodes cannot be seen: %v", o.err)
	case len(o.unready) > 0:
		out.say(refused, hint.Command("doctor").Elsewhere().Note(", on that node"), "other API servers are not healthy: %s", strings.Join(o.unready, "; "))
	case o.holder != "":
		out.say(doubt, hint.Shell("kubectl -n kube-system get lease auditpatch"), "%s has the cluster's lock: a change here would wait for it", o.holder)
	case o.n > 0:
		out.say(fine, nil, "%s", clusterlock.OthersReady(o.n))
	}
}
