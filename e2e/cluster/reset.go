package cluster

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// ManifestDir is the folder that the kubelet reads static pods from.
	ManifestDir = "/etc/kubernetes/manifests"
	// Manifest is the API server's static pod.
	Manifest = ManifestDir + "/kube-apiserver.yaml"
)

// leftovers are what auditpatch and the tests leave behind besides the manifest.
const leftovers = "/etc/kubernetes/audit* /etc/kubernetes/.audit* /var/log/kubernetes /var/lib/auditpatch"

// ResetManifest puts the node back as it was made: the manifest of kubeadm and nothing else
// in its folder, no policy, no log, no state, a running kubelet and a healthy API server.
// It costs nothing when nothing differs, else about 6 s.
func (n *Node) ResetManifest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := n.script(ctx, "systemctl start kubelet"); err != nil {
		return err
	}
	pristine, err := n.ReadFile(ctx, pristineFile)
	if err != nil {
		return err
	}
	current, _ := n.ReadFile(ctx, Manifest)
	strays, err := n.strays(ctx)
	if err != nil {
		return err
	}
	if len(strays) > 0 || !bytes.Equal(current, pristine) || readyz(n.endpoint) != "200" {
		if err := n.reinstall(ctx, pristine, strays); err != nil {
			return fmt.Errorf("reset %s: %w", n.name, err)
		}
	}
	return n.script(ctx, "rm -rf "+leftovers)
}

// strays are the files in the manifests directory that kubeadm did not put there.
func (n *Node) strays(ctx context.Context) ([]string, error) {
	stdout, stderr, exit := n.Exec(ctx, "find", ManifestDir, "-mindepth", "1",
		"!", "-name", "etcd.yaml", "!", "-name", "kube-apiserver.yaml",
		"!", "-name", "kube-controller-manager.yaml", "!", "-name", "kube-scheduler.yaml")
	if exit != 0 {
		return nil, fmt.Errorf("list %s on %s: %s", ManifestDir, n.name, stderr)
	}
	return strings.Fields(stdout), nil
}

// reinstall takes the pod away, helps its process to end, and adds the pod again. The kubelet
// starts a new pod at once when it no longer knows one of that name; to replace a running one
// takes it 40 s and more.
func (n *Node) reinstall(ctx context.Context, manifest []byte, strays []string) error {
	from := time.Now()
	if err := n.script(ctx, "rm -rf "+strings.Join(append(strays, Manifest), " ")); err != nil {
		return err
	}
	if err := n.endServers(ctx); err != nil {
		return err
	}
	if err := n.waitPodGone(ctx); err != nil {
		return err
	}
	if err := n.WriteFileAtomically(ctx, Manifest, manifest); err != nil {
		return err
	}
	if _, err := n.WaitServer(ctx, 0); err != nil {
		return err
	}
	seen, err := n.Updates(ctx, from, time.Now())
	n.Intend(seen.Remove)
	return err
}

// endServers waits until the API server has closed its listener, which is when the kubelet
// has told it to end, and then does not wait for its watches to drain.
func (n *Node) endServers(ctx context.Context) error {
	for n.listening() {
		if err := pause(ctx, "the API server closes its listener"); err != nil {
			return err
		}
	}
	for {
		servers, err := n.Servers(ctx)
		if err != nil || len(servers) == 0 {
			return err
		}
		if err := pause(ctx, "the API server ends"); err != nil {
			return err
		}
		for _, s := range servers {
			if err := n.script(ctx, fmt.Sprintf("kill -KILL %d 2>/dev/null || true", s.PID)); err != nil {
				return err
			}
		}
	}
}

// waitPodGone waits until no API server's pod has a control group, the last thing to go, and
// a little longer: the kubelet gives the pod's name free up to 0.4 s after that.
func (n *Node) waitPodGone(ctx context.Context) error {
	const script = `for d in /var/log/pods/kube-system_kube-apiserver-*; do
		find /sys/fs/cgroup/ -maxdepth 6 -name "*pod${d##*_}*" -print -quit; done`
	for {
		stdout, stderr, exit := n.Exec(ctx, "sh", "-c", script)
		if err := pause(ctx, "the old pod's control group goes"); err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		if exit == 0 && stdout == "" { // find fails where a group goes while it looks
			time.Sleep(time.Second / 2)
			return nil
		}
	}
}

// script runs a shell script in the node.
func (n *Node) script(ctx context.Context, script string) error {
	if _, stderr, exit := n.Exec(ctx, "sh", "-c", script); exit != 0 {
		return fmt.Errorf("%s on %s: exit status %d: %s", script, n.name, exit, stderr)
	}
	return nil
}

// pause lets a loop wait a little for something.
func pause(ctx context.Context, event string) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait until %s: %w", event, ctx.Err())
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}
