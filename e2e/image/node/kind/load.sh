#!/bin/bash
# Runs in a stage of the Dockerfile: imports /images into containerd's store. Nothing is
# unpacked, so this needs no mounts and no privileges.
set -euxo pipefail
containerd --config /dev/null --state /tmp/state --address /tmp/socket >/tmp/log 2>&1 &
pid=$!
for _ in $(seq 100); do
  ctr --address /tmp/socket version >/dev/null 2>&1 && break
  sleep 0.1
done
for archive in /images/*.tar; do
  ctr --address /tmp/socket --namespace k8s.io images import --all-platforms --no-unpack "$archive" ||
    { tail -20 /tmp/log; exit 1; }
done
kill "$pid"
wait "$pid" || true
