package cluster

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// instancesOfNode is the least number of inotify instances that a control-plane node was seen
// to take: systemd, containerd, the kubelet and what watches its certificates. Later it may
// be 26.
const instancesOfNode = 22

// Room returns an error when this machine has too few inotify instances left for so many
// more nodes. Without them containers of a node do not start, and only the journal of its
// containerd says why. They are counted by user, and the nodes' are root's, so another
// user's own tell nothing.
func Room(nodes int) error {
	if os.Geteuid() != 0 {
		return nil
	}
	need := nodes * instancesOfNode
	free, err := freeInstances(need)
	if err != nil || free >= need {
		return err
	}
	return fmt.Errorf("%d nodes take %d inotify instances, and %d are left: remove other clusters, or type: sysctl -w fs.inotify.max_user_instances=512",
		nodes, need, free)
}

// freeInstances counts up to so many, by making them: nothing else tells what is left.
func freeInstances(most int) (n int, err error) {
	var made []int
	defer func() {
		for _, fd := range made {
			err = errors.Join(err, syscall.Close(fd))
		}
	}()
	for range most {
		fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("count inotify instances: %w", err)
		}
		made = append(made, fd)
	}
	return len(made), nil
}
