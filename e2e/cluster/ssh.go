package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// SSH is a real sshd in each control-plane node, and the folder of a user who may log in
// there: as root, and as admin, who may sudo without a password. The nodes have python3, which
// Ansible wants there.
type SSH struct {
	dir   string
	nodes []*Node
}

const (
	// Bastion is the name under which the first node is also known, as a host to jump over.
	Bastion = "bastion"
	// aliases are how many names cp1, cp2 and so on there are at least: the README has three.
	aliases = 3
)

// sshdScript makes sshd run in a node, with host keys of the node's own, lets the key on
// standard input log in, and prints the node's public host key. kind's own images have no
// sshd. An admin with "*" for a password has none and yet is not locked out.
const sshdScript = `set -e
packages=
[ -x /usr/sbin/sshd ] || packages=openssh-server
for name in sudo python3; do command -v $name >/dev/null || packages="$packages $name"; done
if [ -n "$packages" ]; then
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages; } >/tmp/apt.log 2>&1 ||
		{ tail -n 5 /tmp/apt.log; echo "cannot install $packages, which the image of this node lacks"; exit 1; } >&2
fi
id admin >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --password '*' admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
chmod 0440 /etc/sudoers.d/admin
key=$(cat)
for user in root admin; do
	home=$(getent passwd $user | cut -d: -f6)
	install -d -m 0700 -o $user -g $user $home/.ssh
	echo "$key" >$home/.ssh/authorized_keys
	chown $user:$user $home/.ssh/authorized_keys
	chmod 0600 $home/.ssh/authorized_keys
done
if [ ! -e /kind/sshd ]; then
	rm -f /etc/ssh/ssh_host_*
	ssh-keygen -A >/dev/null
	touch /kind/sshd
fi
systemctl restart ssh
cat /etc/ssh/ssh_host_ed25519_key.pub`

// SSH starts sshd in the control-plane nodes and fills dir, which must exist: a key,
// known_hosts, ssh_config and, in bin, the programs ssh, scp and sftp that use them. The
// nodes go by their own names and, in that order, by cp1, cp2 and so on, of which there are at
// least three: a node may have several. The first is also the [Bastion]. [SSH.Stop] ends the
// servers.
func (c *Cluster) SSH(ctx context.Context, dir string) (*SSH, error) {
	s := &SSH{dir: dir, nodes: c.nodes}
	key := filepath.Join(dir, "id_ed25519")
	if _, stderr, exit := run(ctx, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "auditpatch-e2e", "-f", key); exit != 0 {
		return nil, fmt.Errorf("make a key for SSH: %s", stderr)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		return nil, err
	}
	var hosts, config strings.Builder
	for i, n := range c.nodes {
		host, stderr, exit := n.ExecInput(ctx, public, "sh", "-c", sshdScript)
		if exit != 0 {
			return nil, fmt.Errorf("start sshd on %s: %s", n.name, stderr)
		}
		fmt.Fprintf(&hosts, "%s %s", n.name, host)
		names := n.name
		for alias := i; alias < max(aliases, len(c.nodes)); alias += len(c.nodes) {
			names += fmt.Sprintf(" cp%d", alias+1)
		}
		if i == 0 {
			names += " " + Bastion
		}
		address, _, err := net.SplitHostPort(n.endpoint)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&config, "Host %s\n  HostName %s\n  HostKeyAlias %s\n", names, address, n.name)
	}
	fmt.Fprintf(&config, `Host *
  IdentityFile %q
  IdentitiesOnly yes
  UserKnownHostsFile %q
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 10
`, key, s.path("known_hosts"))
	for name, text := range map[string]string{"known_hosts": hosts.String(), "ssh_config": config.String()} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return s, s.wrap("ssh", "scp", "sftp")
}

// wrap makes programs of this machine use the folder's configuration: OpenSSH looks for its
// own in the home directory of the password file, whatever HOME says.
func (s *SSH) wrap(programs ...string) error {
	if err := os.MkdirAll(s.path("bin"), 0o755); err != nil {
		return err
	}
	for _, name := range programs {
		real, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		script := fmt.Sprintf("#!/bin/sh\nexec '%s' -F '%s' \"$@\"\n", real, s.Config())
		if err := os.WriteFile(s.path("bin/"+name), []byte(script), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (s *SSH) path(name string) string { return filepath.Join(s.dir, name) }

// Config is the path of the ssh_config, for "ssh -F".
func (s *SSH) Config() string { return s.path("ssh_config") }

// Env is this process's environment with the folder's programs first in PATH, so that
// "ssh root@cp1" works as a user types it.
func (s *SSH) Env() []string {
	return append(os.Environ(), "PATH="+s.path("bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Stop ends the servers and the connections that are open.
func (s *SSH) Stop(ctx context.Context) error {
	for _, n := range s.nodes {
		if err := n.script(ctx, "systemctl kill ssh; systemctl stop ssh"); err != nil {
			return err
		}
	}
	return nil
}
