package inspect

import (
	"auditpatch/internal/hint"
	"auditpatch/patch"
)

// KubeadmStatus is how kubeadm-config stands to the manifest.
type KubeadmStatus struct {
	ConfigMap string `json:"configMap"`
	// Persisted tells whether it has the manifest's audit settings; null when that
	// could not be learned.
	Persisted *bool  `json:"persisted"`
	Unknown   string `json:"unknown,omitempty"` // why not
	Audits    bool   `json:"-"`                 // it has audit settings
}

// kubeadmCheck holds the manifest against what kubeadm would make of it at the next
// upgrade. A cluster that kubeadm does not know has nothing to compare, and an API
// server that cannot be asked is no drift.
func (f *facts) kubeadmCheck(out *findings) {
	c := f.live.kubeadm
	if c.err != nil || c.text == nil {
		return
	}
	plan, err := patch.PlanKubeadm(c.text, f.manifest)
	persist := hint.Command("enable").Switch("persist")
	switch {
	case err != nil:
	case plan.Empty() && plan.Audits:
		out.say(fine, nil, "%s has the same audit settings", patch.KubeadmConfig)
	case plan.Empty(), !f.now.Enabled() && !plan.Audits:
	case !plan.Audits:
		out.say(hurts, persist, "the next kubeadm upgrade takes audit logging out")
	case !f.now.Enabled():
		out.say(apart, hint.Command("enable").Then(", or ", hint.Command("disable").Switch("persist")),
			"%s has audit settings and the manifest none", patch.KubeadmConfig)
	default:
		for _, d := range plan.Differences() {
			out.say(apart, persist, "%s: %s", patch.KubeadmConfig, d)
		}
	}
}

// kubeadmStatus is what status has of it; nil where kubeadm is not known.
func (f *facts) kubeadmStatus() *KubeadmStatus {
	if f.live == nil || f.live.kubeadm.err == nil && f.live.kubeadm.text == nil {
		return nil
	}
	k := &KubeadmStatus{ConfigMap: patch.KubeadmConfig}
	err := f.live.kubeadm.err
	var plan *patch.KubeadmPlan
	if err == nil {
		plan, err = patch.PlanKubeadm(f.live.kubeadm.text, f.manifest)
	}
	if err != nil {
		k.Unknown = err.Error()
		return k
	}
	same := plan.Empty()
	k.Persisted, k.Audits = &same, plan.Audits
	return k
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
