#!/bin/bash
# Runs while the image is built, with the version of Kubernetes and the pause image: the RUN
# steps of kind's images/base/Dockerfile, and what our own base differs in.
set -euxo pipefail

# Units that fight with being a container.
rm -f /lib/systemd/system/{sysinit.target.wants/systemd-tmpfiles-setup.service,multi-user.target.wants/*} \
  /etc/systemd/system/*.wants/* /lib/systemd/system/{local-fs,basic}.target.wants/* \
  /lib/systemd/system/sockets.target.wants/*{udev,initctl}*
echo ReadKMsg=no >>/etc/systemd/journald.conf
ln -sf /lib/systemd/systemd /sbin/init
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service
mkdir -p /etc/kubernetes/manifests /opt/cni

# Debian's containerd and CNI plugins lie elsewhere than kind's.
ln -s /usr/bin/containerd /usr/local/bin/containerd
ln -s /usr/lib/cni /opt/cni/bin
# restrict_oom_score_adj: static pods ask for -997, and where CAP_SYS_RESOURCE cannot be had
# nobody may go below what the node itself has.
sed -i -e "s#^\( *sandbox_image = \).*#\1\"$2\"#" \
  -e 's#restrict_oom_score_adj = false#restrict_oom_score_adj = true#' /etc/containerd/config.toml
ctr oci spec | jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] |
  del(.process.rlimits)' >/etc/containerd/cri-base.json

printf %s "$1" >/kind/version
