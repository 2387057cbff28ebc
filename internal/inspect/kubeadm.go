package inspect

import (
	"context"
	"errors"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// statusWithin is how long kubeadm-config is waited for.
const statusWithin = 3 * time.Second

// KubeadmStatus is how kubeadm-config stands to the manifest.
type KubeadmStatus struct {
	ConfigMap string `json:"configMap"`
	// Persisted tells whether it has the manifest's audit settings; null when that
	// could not be learned.
	Persisted *bool  `json:"persisted"`
	Unknown   string `json:"unknown,omitempty"` // why not
	Audits    bool   `json:"-"`                 // it has audit settings
}

// addKubeadm holds the manifest against what kubeadm would make of it at the next
// upgrade. A cluster that kubeadm does not know has nothing to compare, and an API
// server that cannot be asked is no drift.
func (r *Report) addKubeadm(ctx context.Context, t *target.Target, m *manifest.File) {
	if r.Server == nil || !r.Server.Ready {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	server, err := apiserver.Open(t.Node, patch.Inspect(m).Server)
	var text []byte
	if err == nil {
		text, err = server.KubeadmConfig(ctx)
	}
	switch {
	case errors.Is(err, apiserver.ErrNoKubeadmConfig):
	case err != nil:
		r.Kubeadm = &KubeadmStatus{ConfigMap: patch.KubeadmConfig, Unknown: err.Error()}
	default:
		r.compareKubeadm(text, m)
	}
}

// compareKubeadm holds the manifest against the ClusterConfiguration.
func (r *Report) compareKubeadm(text []byte, m *manifest.File) {
	k := &KubeadmStatus{ConfigMap: patch.KubeadmConfig}
	r.Kubeadm = k
	plan, err := patch.PlanKubeadm(text, m)
	if err != nil {
		k.Unknown = err.Error()
		return
	}
	same := plan.Empty()
	k.Persisted, k.Audits = &same, plan.Audits
	switch {
	case same || !r.Enabled && !plan.Audits:
	case !plan.Audits:
		r.warn("the next kubeadm upgrade takes audit logging out: %s", hint.Command("enable").Switch("persist"))
	case !r.Enabled:
		r.drift("%s has audit settings and the manifest none: %s", k.ConfigMap,
			hint.Command("enable").Then(", or ", hint.Command("disable").Switch("persist")))
	default:
		for _, d := range plan.Differences() {
			r.drift("%s: %s: %s", k.ConfigMap, d, hint.Command("enable").Switch("persist"))
		}
	}
}

// String says it for people.
func (k *KubeadmStatus) String() string {
	switch {
	case k.Persisted == nil:
		return "not known: " + k.Unknown
	case !k.Audits:
		return "no audit settings"
	case *k.Persisted:
		return "has the same audit settings"
	}
	return "has other audit settings"
}
