package change

import (
	"context"
	"fmt"
	"net/url"

	auditv1 "k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/node"
	"auditpatch/internal/policy"
	"auditpatch/internal/rollout"
	"auditpatch/internal/webhook"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// liveAgain prepares the wait for the API server of a run that died; nil when
// that run was not about the manifest.
func (j *job) liveAgain(ctx context.Context, run *node.Run) (*rollout.Live, error) {
	before, after, err := run.Contents(j.target.Manifest)
	if err != nil || before == nil || after == nil {
		return nil, err
	}
	l := &rollout.Live{
		Node: j.target.Node, Manifest: j.target.Manifest, Resumed: &rollout.Resumed{Kubelet: rollout.KubeletOf(run)},
		Terms:    rollout.Terms{Timeout: j.how.Timeout, LockTimeout: j.how.LockTimeout, Restart: rollout.RestartOf(run)},
		Listener: rollout.Listener{Say: j.step, Warn: func(err error) { j.warn(patch.Problem{Message: err.Error()}) }},
	}
	for _, side := range []struct {
		text []byte
		to   *patch.Settings
	}{{before, &l.Old}, {after, &l.New}} {
		m, err := manifest.Parse(j.target.Manifest, side.text)
		if err != nil {
			return nil, err
		}
		*side.to = patch.Inspect(m)
	}
	return l, j.addProbe(ctx, l, func(name string) ([]byte, bool) {
		_, data, err := run.Contents(name)
		return data, err == nil && data != nil
	})
}

// addProbe works out how to prove that events are written. planned is what
// files are going to hold.
func (j *job) addProbe(ctx context.Context, l *rollout.Live, planned func(name string) ([]byte, bool)) error {
	if !l.New.Enabled() {
		return nil
	}
	l.Delay = batchDelay(l.New)
	if l.New.Webhook.Covered() {
		config, err := j.will(planned, l.New.Webhook.Host)
		if err != nil {
			return err
		}
		// What cannot be read kube-apiserver cannot read either, and says so.
		l.Webhook, _ = webhook.Read(config, l.New)
	}
	data, err := j.will(planned, l.New.Policy.Host)
	if err != nil {
		return err
	}
	l.Probe, l.Unproven, err = j.probe(ctx, l.New, data)
	// What was begun has to be ended all the same. What is gone back to was judged as
	// kube-apiserver does, which ignores a field that enable would refuse.
	if err != nil && (l.Resumed != nil || j.result.Command == "restore") {
		l.Unproven, err = err.Error(), nil
	}
	return err
}

// probe is the request that proves something under a policy, or why nothing can be
// proven.
func (j *job) probe(ctx context.Context, s patch.Settings, policy []byte) (probe *apiserver.Probe, unproven string, err error) {
	server, err := apiserver.Open(j.target.Node, s.Server)
	if err != nil {
		return nil, err.Error(), nil
	}
	user, groups := server.Identity(ctx)
	if probe, err = findProbe(s.Policy.Host, policy, user, groups); err != nil {
		return nil, "", err
	}
	logged := s.Flags["audit-log-path"] != ""
	switch {
	case logged && !s.Log.Covered():
		unproven = "the log does not lie on this node"
	case logged && probe == nil:
		unproven = "the policy records none of the requests that change nothing"
	}
	return probe, unproven, nil
}

// will is what a file is going to hold.
func (j *job) will(planned func(name string) ([]byte, bool), name string) ([]byte, error) {
	if data, ok := planned(name); ok {
		return data, nil
	}
	f, err := j.target.Node.Read(name)
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
					return probeOf(verb, ns, resource), nil
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

// probeOf is a request for an object that does not exist. A delete is a dry run
// on top, should somebody have made it after all.
func probeOf(verb, namespace, resource string) *apiserver.Probe {
	path := fmt.Sprintf("/api/v1/namespaces/%s/%s/%s", url.PathEscape(namespace), resource, probeName)
	if verb == "delete" {
		return &apiserver.Probe{Method: "DELETE", Path: path + "?dryRun=All"}
	}
	return &apiserver.Probe{Method: "GET", Path: path}
}
