package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Node is one control-plane node: a Docker container.
type Node struct {
	name     string
	endpoint string
	since    time.Time // when the tests took it over
	intended int       // changes of the API server's pod since then
	// miscounted says where earlier counts were wrong.
	miscounted error
}

// Name is the node's name, in Docker and in Kubernetes.
func (n *Node) Name() string { return n.name }

// Endpoint is the HOST:PORT of the node's own API server.
func (n *Node) Endpoint() string { return n.endpoint }

// Exec runs a command in the node. The exit status is -1 when ctx ended first.
func (n *Node) Exec(ctx context.Context, args ...string) (stdout, stderr string, exit int) {
	return run(ctx, nil, "docker", append([]string{"exec", n.name}, args...)...)
}

// ExecInput runs a command in the node with a standard input.
func (n *Node) ExecInput(ctx context.Context, stdin []byte, args ...string) (stdout, stderr string, exit int) {
	return run(ctx, stdin, "docker", append([]string{"exec", "-i", n.name}, args...)...)
}

// Auditpatch runs auditpatch in the node.
func (n *Node) Auditpatch(ctx context.Context, args ...string) (stdout, stderr string, exit int) {
	return n.Exec(ctx, append([]string{"auditpatch"}, args...)...)
}

// Kubectl runs kubectl in the node as the cluster's administrator.
func (n *Node) Kubectl(ctx context.Context, args ...string) (stdout, stderr string, exit int) {
	return n.Exec(ctx, append([]string{"kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"}, args...)...)
}

// ReadFile reads a file of the node.
func (n *Node) ReadFile(ctx context.Context, path string) ([]byte, error) {
	stdout, stderr, exit := n.Exec(ctx, "cat", path)
	if exit != 0 {
		return nil, fmt.Errorf("read %s on %s: %s", path, n.name, stderr)
	}
	return []byte(stdout), nil
}

// WriteFileAtomically replaces a file of the node, mode 0600, by way of a name with a dot
// before it, which the kubelet does not read.
func (n *Node) WriteFileAtomically(ctx context.Context, path string, data []byte) error {
	return n.write(ctx, path, "0600", data)
}

// CopyIn copies a program or other file of this machine into the node, mode 0755.
func (n *Node) CopyIn(ctx context.Context, local, path string) error {
	data, err := os.ReadFile(local)
	if err != nil {
		return err
	}
	return n.write(ctx, path, "0755", data)
}

func (n *Node) write(ctx context.Context, path, mode string, data []byte) error {
	const script = `umask 077
		t=$(dirname "$1")/.$(basename "$1").e2e
		cat >"$t" && chmod "$2" "$t" && sync "$t" && mv -fT "$t" "$1"`
	if _, stderr, exit := n.ExecInput(ctx, data, "sh", "-c", script, "sh", path, mode); exit != 0 {
		return fmt.Errorf("write %s on %s: %s", path, n.name, stderr)
	}
	return nil
}

// prepare keeps the manifest as kubeadm wrote it and marks the node as complete.
func (n *Node) prepare(ctx context.Context, mark string) error {
	original, err := n.ReadFile(ctx, Manifest)
	if err != nil {
		return err
	}
	if err := n.WriteFileAtomically(ctx, pristineFile, original); err != nil {
		return err
	}
	if _, err := n.WaitServer(ctx, 0); err != nil {
		return err
	}
	return n.WriteFileAtomically(ctx, markFile, []byte(mark))
}

// Process is a running kube-apiserver.
type Process struct {
	PID  int // in the node
	Args []string
}

// Servers are the kube-apiserver processes in the node: one, or none, or for a moment two.
func (n *Node) Servers(ctx context.Context) ([]Process, error) {
	const script = `for p in $(pgrep -x kube-apiserver); do
		echo "$p $(base64 -w0 /proc/$p/cmdline 2>/dev/null)"; done`
	stdout, stderr, exit := n.Exec(ctx, "sh", "-c", script)
	if exit != 0 {
		return nil, fmt.Errorf("list the processes of %s: %s", n.name, stderr)
	}
	var found []Process
	for line := range strings.Lines(stdout) {
		pid, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
		argv, _ := base64.StdEncoding.DecodeString(encoded)
		if len(argv) == 0 {
			continue // it has ended meanwhile
		}
		number, err := strconv.Atoi(pid)
		if err != nil {
			return nil, fmt.Errorf("list the processes of %s: %q", n.name, line)
		}
		args := strings.Split(strings.TrimSuffix(string(argv), "\x00"), "\x00")
		found = append(found, Process{PID: number, Args: args})
	}
	return found, nil
}

// WaitServer waits until one kube-apiserver runs, with another process id than old, and
// answers /readyz with 200.
func (n *Node) WaitServer(ctx context.Context, old int) (Process, error) {
	var servers []Process
	var state string
	for {
		var err error
		if servers, err = n.Servers(ctx); err != nil {
			return Process{}, err
		}
		if len(servers) == 1 && servers[0].PID != old {
			if state = readyz(n.endpoint); state == "200" {
				return servers[0], nil
			}
		}
		select {
		case <-ctx.Done():
			return Process{}, fmt.Errorf("wait for a kube-apiserver on %s, not %d: %w; running: %v, /readyz: %s",
				n.name, old, ctx.Err(), servers, state)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// listening tells whether somebody accepts connections on the API server's port.
func (n *Node) listening() bool {
	conn, err := net.DialTimeout("tcp", n.endpoint, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// run runs a program of this machine. What ran but failed has its exit status; what could
// not be run, or was ended because ctx is done, has -1 and the reason in stderr.
func run(ctx context.Context, stdin []byte, name string, args ...string) (stdout, stderr string, exit int) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	err := cmd.Run()
	if cmd.ProcessState != nil {
		exit = cmd.ProcessState.ExitCode()
	}
	if err != nil && (exit <= 0 || ctx.Err() != nil) {
		exit = -1
		fmt.Fprintf(&errs, "%s: %v", name, err)
	}
	return out.String(), errs.String(), exit
}
