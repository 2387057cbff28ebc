package change

import (
	"context"
	"errors"
	"fmt"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// writeWithin is how long the write of kubeadm-config is tried: just after its
// start an API server may still refuse.
const writeWithin = 15 * time.Second

// KubeadmChange is what became of kubeadm-config, as JSON.
type KubeadmChange struct {
	ConfigMap string   `json:"configMap"`
	Changed   bool     `json:"changed"` // with dryRun and diff: would change
	Edits     []string `json:"edits"`
	Diff      string   `json:"diff,omitempty"`
}

// NotPersisted is the error of a change that was made on the node, and could not
// be written into the cluster.
type NotPersisted struct {
	verb   string
	backup string
	cause  error
}

func (e *NotPersisted) Error() string {
	if e.verb == "disable" {
		return fmt.Sprintf("audit logging is off on this node, but %s still has it: %v", patch.KubeadmConfig, e.cause)
	}
	return fmt.Sprintf("audit logging is on, but %s does not have it: %v", patch.KubeadmConfig, e.cause)
}

func (e *NotPersisted) Unwrap() error { return e.cause }

// Remedy is what to type: the same again only where that can help.
func (e *NotPersisted) Remedy() hint.Hint {
	again := hint.Command(e.verb).Switch("persist")
	var forbidden *apiserver.ForbiddenError
	switch own := hint.Of(e.cause); {
	case errors.As(e.cause, &forbidden):
		return canPatch(apiserver.Credentials[0]).Then(", and once it may: ", again)
	case errors.Is(e.cause, apiserver.ErrNoKubeadmConfig):
		return hint.Shell("kubectl -n kube-system get configmap kubeadm-config")
	case len(own) > 0:
		return own.Then(", and then: ", again)
	}
	return again
}

// planKubeadm adds to a plan what --persist asks for. It is refused before
// anything is touched when it cannot be done.
func (j *job) planKubeadm(ctx context.Context, plan *patch.Plan) error {
	if !j.how.Persist {
		return nil
	}
	command := hint.Command(j.result.Command)
	switch {
	case !j.target.Live:
		return hint.Errorf(hint.Command("export kubeadm"), "--persist writes into a running cluster, and there is none to talk to here")
	case j.how.NoWait:
		return hint.Errorf(command.Switch("persist"), "--persist needs the API server, which --no-wait does not wait for")
	}
	server, err := apiserver.Open(j.target.Node, plan.Before.Server)
	if err != nil {
		return err
	}
	text, err := server.KubeadmConfig(ctx)
	if errors.Is(err, apiserver.ErrNoKubeadmConfig) {
		return hint.Errorf(command, "%v", err)
	}
	if err != nil {
		return noRight(err, server.Kubeconfig(), command)
	}
	settled, err := plan.Settled()
	if err != nil {
		return err
	}
	if plan.Kubeadm, err = patch.PlanKubeadm(text, settled); err != nil || plan.Kubeadm.Empty() {
		return err
	}
	// Else the API server would restart first, and the write be refused after it.
	err = server.TryKubeadmConfig(ctx, plan.Kubeadm.New)
	if err = noRight(err, server.Kubeconfig(), command); err != nil && j.how.DryRun {
		plan.Warnings = append(plan.Warnings, patch.Problem{Message: err.Error(), Hint: hint.Of(err)})
		return nil
	}
	return err
}

// noRight adds what to type to an error of whoever may not write kubeadm-config:
// how to ask for the right, and the way without it.
func noRight(err error, kubeconfig string, without hint.Hint) error {
	var forbidden *apiserver.ForbiddenError
	if !errors.As(err, &forbidden) {
		return err
	}
	return hint.Errorf(canPatch(kubeconfig).Then("; or on this node only: ", without), "%v", err)
}

// canPatch asks the API server for the right to write kubeadm-config.
func canPatch(kubeconfig string) hint.Hint {
	return hint.Shell("kubectl --kubeconfig=%s -n kube-system auth can-i patch configmaps/kubeadm-config", hint.Path(kubeconfig))
}

// persist writes kubeadm-config as planned. It is worked out again from what
// stands there now: somebody else may have changed it since.
func (j *job) persist(ctx context.Context, plan *patch.Plan) error {
	if plan.Kubeadm == nil || plan.Kubeadm.Empty() {
		return nil
	}
	if err := j.how.Listener.begin(); err != nil {
		return err
	}
	settled, err := plan.Settled()
	if err != nil {
		return err
	}
	spec := plan.After.Server
	if spec.Command == nil { // the manifest itself stays
		spec = plan.Before.Server
	}
	server, err := apiserver.Open(j.target.Node, spec)
	if err != nil {
		return err
	}
	edit := func(text []byte) ([]byte, error) {
		k, err := patch.PlanKubeadm(text, settled)
		if err != nil {
			return nil, err
		}
		return k.New, nil
	}
	for deadline := time.Now().Add(writeWithin); ; {
		_, err := server.EditKubeadmConfig(ctx, edit)
		if err == nil || isRefusal(err) || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Second)
	}
}

// isRefusal tells whether trying again is of no use.
func isRefusal(err error) bool {
	var m *manifest.Error
	var pt *patch.Error
	return errors.Is(err, apiserver.ErrNoKubeadmConfig) || errors.As(err, &m) || errors.As(err, &pt)
}

// persistAlone is the way where the node is as asked and kubeadm-config is not.
func (j *job) persistAlone(ctx context.Context, plan *patch.Plan) error {
	j.how.Listener.plan(plan)
	if err := j.persist(ctx, plan); err != nil {
		return err
	}
	j.result.Touched = true
	j.remarkPersisted(plan)
	return nil
}

// remarkPersisted says what the cluster now keeps, and what it cannot.
func (j *job) remarkPersisted(plan *patch.Plan) {
	if plan.Kubeadm == nil || plan.Kubeadm.Empty() {
		return
	}
	remark := patch.Problem{
		Message: "kubeadm upgrade and kubeadm join keep it",
		Hint: hint.Words("before kubeadm join of a further control-plane node, on that node").
			Then(": ", hint.Command("enable").Spaced("root", "/").Elsewhere()),
	}
	if plan.Verb == "disable" {
		remark = patch.Problem{Message: "kubeadm upgrade and kubeadm join leave audit logging off"}
	}
	j.result.Remarks = append(j.result.Remarks, remark)
}

// kubeadmDiff is the unified diff of the ClusterConfiguration.
func kubeadmDiff(k *patch.KubeadmPlan) string {
	if k.Empty() {
		return ""
	}
	name := patch.KubeadmConfig + "/ClusterConfiguration"
	return unified(name, k.Old, name, k.New)
}

// newKubeadmChange is the plan for kubeadm-config as JSON, nil without one.
func newKubeadmChange(k *patch.KubeadmPlan) *KubeadmChange {
	if k == nil {
		return nil
	}
	r := &KubeadmChange{ConfigMap: patch.KubeadmConfig, Changed: !k.Empty(), Edits: []string{}, Diff: kubeadmDiff(k)}
	for _, e := range k.Edits {
		r.Edits = append(r.Edits, e.String())
	}
	return r
}
