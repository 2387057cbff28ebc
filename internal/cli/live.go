package cli

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/urfave/cli/v2"
	auditv1 "k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/node"
	"auditpatch/internal/policy"
	"auditpatch/internal/rollout"
	"auditpatch/internal/webhook"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// live prepares the wait for the API server of this machine.
func (p *program) live(c *cli.Context, t *target, plan *patch.Plan) (*rollout.Live, error) {
	l := &rollout.Live{
		Node: t.node, Manifest: t.manifest, Old: plan.Before, New: plan.After, Restart: rollout.Restart(c.String("restart")),
		Timeout: c.Duration("timeout"), LockTimeout: c.Duration("lock-timeout"), Force: c.Bool("force"), Say: p.progress,
		Warn: p.warnOf(plan),
	}
	if plan.After.Server.Command == nil { // the manifest itself stays
		l.New = plan.Before
	}
	return l, p.addProbe(l, t, func(name string) ([]byte, bool) { return plan.Text(name) })
}

// unwatched prepares a change that nobody waits for: even so no other node may
// be restarting its API server.
func (p *program) unwatched(c *cli.Context, t *target, plan *patch.Plan) *rollout.Unwatched {
	server := apiserver.New(t.node, plan.Before.Server)
	return &rollout.Unwatched{Cluster: &clusterlock.Cluster{
		Server: server, LockTimeout: c.Duration("lock-timeout"), Force: c.Bool("force"), Unseen: true,
		Say: rollout.ClusterSteps(p.progress), Warn: p.warnOf(plan),
	}}
}

// warnOf prints warnings, and keeps them for -o json.
func (p *program) warnOf(plan *patch.Plan) func(error) {
	return func(err error) {
		warning := patch.Problem{Message: err.Error()}
		plan.Warnings = append(plan.Warnings, warning)
		p.warn(warning)
	}
}

// liveAgain prepares the wait for the API server of a run that died; nil when
// that run was not about the manifest.
func (p *program) liveAgain(c *cli.Context, t *target, run *node.Run) (*rollout.Live, error) {
	before, after, err := run.Contents(t.manifest)
	if err != nil || before == nil || after == nil {
		return nil, err
	}
	l := &rollout.Live{Node: t.node, Manifest: t.manifest, Resumed: true, ResumedKubelet: rollout.KubeletOf(run), Restart: rollout.RestartOf(run), Timeout: c.Duration("timeout"), LockTimeout: c.Duration("lock-timeout"), Say: p.progress,
		Warn: func(err error) { p.warn(patch.Problem{Message: err.Error()}) }}
	for _, side := range []struct {
		text []byte
		to   *patch.Settings
	}{{before, &l.Old}, {after, &l.New}} {
		m, err := manifest.Parse(t.manifest, side.text)
		if err != nil {
			return nil, err
		}
		*side.to = patch.Inspect(m)
	}
	return l, p.addProbe(l, t, func(name string) ([]byte, bool) {
		_, data, err := run.Contents(name)
		return data, err == nil && data != nil
	})
}

// addProbe works out how to prove that events are written. planned is what
// files are going to hold.
func (p *program) addProbe(l *rollout.Live, t *target, planned func(name string) ([]byte, bool)) error {
	if !l.New.Enabled() {
		return nil
	}
	if mode := l.New.Flags["audit-log-mode"]; mode == "batch" {
		l.Delay, _ = time.ParseDuration(l.New.Flags["audit-log-batch-max-wait"])
	}
	if l.New.Webhook.Covered() {
		config, err := t.will(planned, l.New.Webhook.Host)
		if err != nil {
			return err
		}
		// What cannot be read kube-apiserver cannot read either, and says so.
		l.Webhook, _ = webhook.Read(config, l.New)
	}
	data, err := t.will(planned, l.New.Policy.Host)
	if err != nil {
		return err
	}
	server := apiserver.New(t.node, l.New.Server)
	if server.User == "" {
		l.Unproven = server.NoCredentials().Error()
		return nil
	}
	user, groups := server.Identity(context.Background())
	l.Probe, err = findProbe(l.New.Policy.Host, data, user, groups)
	switch {
	case err != nil && l.Resumed: // what was begun has to be ended all the same
		l.Unproven = err.Error()
		return nil
	case err != nil:
		return err
	}
	logged := l.New.Flags["audit-log-path"] != ""
	switch {
	case logged && !l.New.Log.Covered():
		l.Unproven = "the log does not lie on this node"
	case logged && l.Probe == nil:
		l.Unproven = "the policy records none of the requests that change nothing"
	}
	return nil
}

// will is what a file is going to hold.
func (t *target) will(planned func(name string) ([]byte, bool), name string) ([]byte, error) {
	if data, ok := planned(name); ok {
		return data, nil
	}
	f, err := t.node.Read(name)
	return f.Data, err
}

// probeName is in every request that proves something, so that people who
// read the log know where it came from.
const probeName = "auditpatch-proof"

// findProbe asks the policy which of the requests that change nothing it
// records. They name an object that does not exist.
func findProbe(name string, data []byte, user string, groups []string) (*apiserver.Probe, error) {
	pol, err := policy.Load(name, data)
	if err != nil {
		return nil, err
	}
	v1, err := pol.V1()
	if err != nil {
		return nil, err
	}
	namespaces := []string{"default", "kube-system"}
	for _, r := range v1.Rules {
		for _, ns := range r.Namespaces {
			if ns != "" {
				namespaces = append(namespaces, ns)
			}
		}
	}
	for _, verb := range []string{"get", "delete"} {
		for _, ns := range namespaces {
			for _, resource := range []string{"configmaps", "secrets", "pods", "services"} {
				d := pol.Evaluate(policy.Request{
					User: user, Groups: groups, Verb: verb, Version: "v1", Resource: resource, Namespace: ns, Name: probeName,
				}.Attributes())
				if d.Records(auditv1.StageResponseComplete) {
					return probe(verb, ns, resource), nil
				}
			}
		}
	}
	d := pol.Evaluate(policy.Request{User: user, Groups: groups, Verb: "get", Path: "/version"}.Attributes())
	if d.Records(auditv1.StageResponseComplete) {
		return &apiserver.Probe{Method: "GET", Path: "/version"}, nil
	}
	return nil, nil
}

// probe is a request for an object that does not exist. A delete is a dry run
// on top, should somebody have made it after all.
func probe(verb, namespace, resource string) *apiserver.Probe {
	path := fmt.Sprintf("/api/v1/namespaces/%s/%s/%s", url.PathEscape(namespace), resource, probeName)
	if verb == "delete" {
		return &apiserver.Probe{Method: "DELETE", Path: path + "?dryRun=All"}
	}
	return &apiserver.Probe{Method: "GET", Path: path}
}

// progress prints one step of a wait.
func (p *program) progress(s rollout.Progress) {
	p.record.progress(s)
	p.say("%-9s %-46s %.1f s", s.Step, s.Text, s.After.Seconds())
	if s.Detail != "" {
		p.say("%-9s %s", "", s.Detail)
	}
}
