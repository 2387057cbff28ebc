package cluster

import (
	"context"
	"fmt"
)

// Crash takes the node's power away and gives it back: all its processes are killed at once,
// and systemd, containerd and the kubelet start anew. It does not wait for them. What they had
// written is not lost, as it can be when a real machine loses its power.
func (n *Node) Crash(ctx context.Context) error {
	for _, args := range [][]string{{"kill", "--signal", "KILL", n.name}, {"start", n.name}} {
		if _, stderr, exit := run(ctx, nil, "docker", args...); exit != 0 {
			return fmt.Errorf("docker %s %s: %s", args[0], n.name, stderr)
		}
	}
	address, err := endpoint(ctx, n.name)
	if err == nil && address != n.endpoint {
		err = fmt.Errorf("%s had the address %s and has %s now", n.name, n.endpoint, address)
	}
	return err
}
