package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/urfave/cli/v2"

	"auditpatch/internal/apiserver"
	"auditpatch/manifest"
	"auditpatch/patch"
)

const (
	// writeWithin is how long the write of kubeadm-config is tried: just after its
	// start an API server may still refuse.
	writeWithin = 15 * time.Second
	// statusWithin is how long status waits for kubeadm-config.
	statusWithin = 3 * time.Second
)

// persistFlag is of enable, diff and disable.
func persistFlag() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "persist", Category: howCategory,
		Usage: "the same in the cluster's " + patch.KubeadmConfig + ", so that kubeadm upgrade and kubeadm join keep it"}}
}

// kubeadmChange is what became of kubeadm-config, as JSON.
type kubeadmChange struct {
	ConfigMap string   `json:"configMap"`
	Changed   bool     `json:"changed"` // with dryRun and diff: would change
	Edits     []string `json:"edits"`
	Diff      string   `json:"diff,omitempty"`
}

// notPersisted is the error of a change that was made on the node, and could not
// be written into the cluster.
type notPersisted struct {
	verb   string
	backup string
	cause  error
}

func (e *notPersisted) Error() string {
	if e.verb == "disable" {
		return fmt.Sprintf("audit logging is off on this node, but %s still has it: %v", patch.KubeadmConfig, e.cause)
	}
	return fmt.Sprintf("audit logging is on, but %s does not have it: %v", patch.KubeadmConfig, e.cause)
}

func (e *notPersisted) Unwrap() error { return e.cause }

// hint is what to type: the same again only where that can help.
func (e *notPersisted) hint() string {
	again := fmt.Sprintf("auditpatch %s --persist", e.verb)
	var forbidden *apiserver.ForbiddenError
	switch own := hintOf(e.cause); {
	case errors.As(e.cause, &forbidden):
		return canPatch(apiserver.Credentials[0]) + ", and once it may: " + again
	case errors.Is(e.cause, apiserver.ErrNoKubeadmConfig):
		return "kubectl -n kube-system get configmap kubeadm-config"
	case own != "":
		return own + ", and then: " + again
	}
	return again
}

// planKubeadm adds to a plan what --persist asks for. It is refused before
// anything is touched when it cannot be done.
func (p *program) planKubeadm(c *cli.Context, t *target, plan *patch.Plan) error {
	if !c.Bool("persist") {
		return nil
	}
	switch {
	case !t.live:
		return hinted("auditpatch export kubeadm", "--persist writes into a running cluster, and there is none to talk to here")
	case c.Bool("no-wait"):
		return hinted(c.Command.HelpName+" --persist", "--persist needs the API server, which --no-wait does not wait for")
	}
	server, err := clusterServer(t, plan.Before.Server)
	if err != nil {
		return err
	}
	text, err := server.KubeadmConfig(c.Context)
	if errors.Is(err, apiserver.ErrNoKubeadmConfig) {
		return hinted(c.Command.HelpName, "%v", err)
	}
	if err != nil {
		return noRight(err, server.Kubeconfig(), c.Command.HelpName)
	}
	settled, err := plan.Settled()
	if err != nil {
		return err
	}
	if plan.Kubeadm, err = patch.PlanKubeadm(text, settled); err != nil || plan.Kubeadm.Empty() {
		return err
	}
	// Else the API server would restart first, and the write be refused after it.
	err = server.TryKubeadmConfig(c.Context, plan.Kubeadm.New)
	if err = noRight(err, server.Kubeconfig(), c.Command.HelpName); err != nil && (c.Command.Name == "diff" || c.Bool("dry-run")) {
		plan.Warnings = append(plan.Warnings, patch.Problem{Message: err.Error(), Hint: hintOf(err)})
		return nil
	}
	return err
}

// noRight adds what to type to an error of whoever may not write kubeadm-config:
// how to ask for the right, and the way without it.
func noRight(err error, kubeconfig, without string) error {
	var forbidden *apiserver.ForbiddenError
	if !errors.As(err, &forbidden) {
		return err
	}
	return hinted(fmt.Sprintf("%s; or on this node only: %s", canPatch(kubeconfig), without), "%v", err)
}

// canPatch asks the API server for the right to write kubeadm-config.
func canPatch(kubeconfig string) string {
	return "kubectl --kubeconfig=" + kubeconfig + " -n kube-system auth can-i patch configmaps/kubeadm-config"
}

// clusterServer is the API server of this node, with credentials.
func clusterServer(t *target, spec patch.Server) (*apiserver.Server, error) {
	server := apiserver.New(t.node, spec)
	if server.User == "" {
		return nil, server.NoCredentials()
	}
	return server, nil
}

// persist writes kubeadm-config as planned. It is worked out again from what
// stands there now: somebody else may have changed it since.
func (p *program) persist(ctx context.Context, t *target, plan *patch.Plan) error {
	if plan.Kubeadm == nil || plan.Kubeadm.Empty() {
		return nil
	}
	if err := p.gate.enter(); err != nil {
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
	server, err := clusterServer(t, spec)
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
func (p *program) persistAlone(c *cli.Context, t *target, plan *patch.Plan) error {
	p.sayPlan(plan)
	if err := p.persist(c.Context, t, plan); err != nil {
		return err
	}
	p.changed = true
	p.sayPersisted(plan)
	p.printResult(c.Command.Name, plan, "", false)
	return nil
}

// sayPersisted says what the cluster now keeps, and what it cannot.
func (p *program) sayPersisted(plan *patch.Plan) {
	switch {
	case plan.Kubeadm == nil || plan.Kubeadm.Empty():
	case plan.Verb == "disable":
		p.say("kubeadm upgrade and kubeadm join leave audit logging off")
	default:
		p.say("kubeadm upgrade and kubeadm join keep it")
		p.say("auditpatch: hint: before kubeadm join of a further control-plane node, on that node: auditpatch enable --root /")
	}
}

// kubeadmDiff is the unified diff of the ClusterConfiguration.
func kubeadmDiff(k *patch.KubeadmPlan) string {
	if k.Empty() {
		return ""
	}
	name := patch.KubeadmConfig + "/ClusterConfiguration"
	d := string(diff.Diff(name, k.Old, name, k.New))
	_, d, _ = strings.Cut(d, "\n")
	return d
}

// newKubeadmChange is the plan for kubeadm-config as JSON, nil without one.
func newKubeadmChange(k *patch.KubeadmPlan) *kubeadmChange {
	if k == nil {
		return nil
	}
	r := &kubeadmChange{ConfigMap: patch.KubeadmConfig, Changed: !k.Empty(), Edits: []string{}, Diff: kubeadmDiff(k)}
	for _, e := range k.Edits {
		r.Edits = append(r.Edits, e.String())
	}
	return r
}

// kubeadmStatus is how kubeadm-config stands to the manifest.
type kubeadmStatus struct {
	ConfigMap string `json:"configMap"`
	// Persisted tells whether it has the manifest's audit settings; null when that
	// could not be learned.
	Persisted *bool  `json:"persisted"`
	Unknown   string `json:"unknown,omitempty"` // why not
	audits    bool
}

// addKubeadm holds the manifest against what kubeadm would make of it at the next
// upgrade. A cluster that kubeadm does not know has nothing to compare, and an API
// server that cannot be asked is no drift.
func (r *statusReport) addKubeadm(ctx context.Context, t *target, m *manifest.File) {
	if r.Server == nil || !r.Server.Ready {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	server, err := clusterServer(t, patch.Inspect(m).Server)
	var text []byte
	if err == nil {
		text, err = server.KubeadmConfig(ctx)
	}
	switch {
	case errors.Is(err, apiserver.ErrNoKubeadmConfig):
	case err != nil:
		r.Kubeadm = &kubeadmStatus{ConfigMap: patch.KubeadmConfig, Unknown: err.Error()}
	default:
		r.compareKubeadm(text, m)
	}
}

// compareKubeadm holds the manifest against the ClusterConfiguration.
func (r *statusReport) compareKubeadm(text []byte, m *manifest.File) {
	k := &kubeadmStatus{ConfigMap: patch.KubeadmConfig}
	r.Kubeadm = k
	plan, err := patch.PlanKubeadm(text, m)
	if err != nil {
		k.Unknown = err.Error()
		return
	}
	same := plan.Empty()
	k.Persisted, k.audits = &same, plan.Audits
	switch {
	case same || !r.Enabled && !plan.Audits:
	case !plan.Audits:
		r.Warnings = append(r.Warnings, "the next kubeadm upgrade takes audit logging out: auditpatch enable --persist")
	case !r.Enabled:
		r.drift("%s has audit settings and the manifest none: auditpatch enable, or auditpatch disable --persist", k.ConfigMap)
	default:
		for _, d := range plan.Differences() {
			r.drift("%s: %s: auditpatch enable --persist", k.ConfigMap, d)
		}
	}
}

func (k *kubeadmStatus) words() string {
	switch {
	case k.Persisted == nil:
		return "not known: " + k.Unknown
	case !k.audits:
		return "no audit settings"
	case *k.Persisted:
		return "has the same audit settings"
	}
	return "has other audit settings"
}
