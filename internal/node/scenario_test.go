package node

import (
	"errors"
	"strings"
	"testing"
)

// A scenario is a change of files that may die at any instant.
type scenario struct {
	before map[string]string
	steps  func(t testing.TB, n *Node) []Step
	undo   bool // the run is taken back after Apply
	// interim is what the decisive file holds between Apply and Finalize.
	interim string
}

var scenarios = map[string]scenario{
	"enable":   {before: plainNode, steps: enableSteps},
	"symlink":  {before: linkedNode, steps: enableSteps},
	"disable":  {before: auditedNode, steps: disableSteps},
	"rollback": {before: plainNode, steps: enableSteps, undo: true},
	"restore":  {before: auditedNode, steps: disableSteps, undo: true},

	"in-two":    {before: plainNode, steps: interimly(enableSteps), interim: interimText},
	"turn-back": {before: plainNode, steps: interimly(enableSteps), interim: interimText, undo: true},
}

const interimText = "new manifest, with a passing note\n"

// interimly gives the decisive step an interim content.
func interimly(steps func(testing.TB, *Node) []Step) func(testing.TB, *Node) []Step {
	return func(t testing.TB, n *Node) []Step {
		all := steps(t, n)
		for i := range all {
			if all[i].Commit {
				all[i].Interim = []byte(interimText)
			}
		}
		return all
	}
}

var (
	plainNode = map[string]string{
		manifestPath:                   "old manifest\n",
		manifests + "/etcd.yaml":       "etcd\n",
		webhookPath:                    "old webhook\n",
		"/var/log/":                    "",
		"/etc/kubernetes/kubelet.conf": "conf\n",
	}
	linkedNode = map[string]string{
		manifestPath:             "-> /srv/k8s/apiserver",
		"/srv/k8s":               "-> ../data",
		"/data/apiserver":        "old manifest\n",
		manifests + "/etcd.yaml": "etcd\n",
		webhookPath:              "old webhook\n",
		"/var/log":               "-> /data/log",
		"/data/log/":             "",
	}
	auditedNode = map[string]string{
		manifestPath:                   "old manifest, audited\n",
		manifests + "/etcd.yaml":       "etcd\n",
		policyPath:                     "policy\n",
		"/etc/kubernetes/webhook/conf": "webhook\n",
		logPath:                        "{}\n",
	}
)

func enableSteps(t testing.TB, n *Node) []Step {
	commit := write(t, n, manifestPath, strings.Repeat("new manifest\n", 1000))
	commit.Commit = true
	log := file("", 0o640)
	log.Kind, log.Enforce = Present, true
	return []Step{
		{Path: logDir, Old: stat(t, n, logDir), New: directory(0o700)},
		{Path: logPath, Old: stat(t, n, logPath), New: log},
		write(t, n, policyPath, "new policy\n"),
		{Path: webhookPath, Old: read(t, n, webhookPath), New: file("new webhook\n", 0o640)},
		commit,
	}
}

func disableSteps(t testing.TB, n *Node) []Step {
	commit := write(t, n, manifestPath, "new manifest, plain\n")
	commit.Commit = true
	gone := Content{Kind: Absent}
	return []Step{
		commit,
		{Path: policyPath, Old: read(t, n, policyPath), New: gone},
		{Path: "/etc/kubernetes/webhook/conf", Old: read(t, n, "/etc/kubernetes/webhook/conf"), New: gone},
		{Path: "/etc/kubernetes/webhook", Old: stat(t, n, "/etc/kubernetes/webhook"), New: gone},
	}
}

// carryOut is what the child process does: a whole run.
func (s scenario) carryOut(t testing.TB, n *Node) error {
	lock, err := n.Lock("test")
	if err != nil {
		return err
	}
	r, err := n.Begin("enable", s.steps(t, n), map[string]string{"key": "value"})
	if err == nil {
		err = r.Apply()
	}
	if err == nil {
		err = r.SetPhase("waiting")
	}
	if err == nil && !s.undo {
		err = r.Finalize()
	}
	if err == nil && s.undo {
		err = errors.Join(r.Undo(), r.Abandon("test"))
	} else if err == nil {
		err = r.Done()
	}
	return errors.Join(err, lock.Unlock())
}
