package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// reports are the commands whose output explains a node's state, by file name.
var reports = []struct{ file, script string }{
	{"kubelet.log", "journalctl --unit kubelet --no-pager --output short-precise"},
	{"containerd.log", "journalctl --unit containerd --no-pager --output short-precise"},
	{"processes.txt", "ps -ef"},
	{"containers.txt", "crictl ps --all 2>&1 || { ctr --namespace k8s.io containers list; ctr --namespace k8s.io tasks list; }"},
	{"manifests.txt", "ls -la --time-style=full-iso " + ManifestDir},
}

// collect writes the reports and copies of the files that matter into the folder dir.
func (n *Node) collect(ctx context.Context, dir string) error {
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return err
	}
	var errs []error
	for _, r := range reports {
		stdout, stderr, _ := n.Exec(ctx, "sh", "-c", r.script)
		errs = append(errs, os.WriteFile(filepath.Join(dir, r.file), []byte(stdout+stderr), 0o644))
	}
	// What is absent or changes while it is read is no failure here.
	archive, _, _ := n.Exec(ctx, "sh", "-c", "tar -C / --ignore-failed-read -cf - var/log/pods var/log/kubernetes "+
		"var/lib/auditpatch etc/kubernetes/manifests etc/kubernetes/audit* 2>/dev/null")
	if _, stderr, exit := run(ctx, []byte(archive), "tar", "-C", files, "--no-same-owner", "-xf", "-"); exit != 0 {
		errs = append(errs, fmt.Errorf("unpack the files of %s: %s", n.name, stderr))
	}
	return errors.Join(errs...)
}
