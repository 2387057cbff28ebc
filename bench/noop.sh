#!/bin/bash
# A run of auditpatch that changes nothing, beside yq reading the same file: both
# as whole processes, in turns. The bound is twice yq.
#
#   RUNS=40          how many runs of each count
#   YQ_VERSION=v4.x  another yq than the newest that builds
set -euo pipefail
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT

# install_yq builds the first of these versions for which all modules can be had.
install_yq() {
  local v
  for v in ${YQ_VERSION:-v4.54.1 v4.53.6 v4.47.2 v4.44.3}; do
    if CGO_ENABLED=0 GOBIN="$tmp" go install -trimpath -ldflags '-s -w' "github.com/mikefarah/yq/v4@$v" 2>"$tmp/yq.log"; then
      return
    fi
  done
  cat "$tmp/yq.log" >&2
  return 1
}

make -s build
cp auditpatch "$tmp/auditpatch"
install_yq

manifest=$tmp/node/etc/kubernetes/manifests/kube-apiserver.yaml
mkdir -p "${manifest%/*}" "$tmp/node/var/lib"
cp testdata/kube-apiserver.yaml "$manifest"
chmod 0600 "$manifest"
"$tmp/auditpatch" enable --root "$tmp/node" --quiet
cp "$manifest" "$tmp/enabled.yaml"

go run ./bench "${RUNS:-40}" \
  "$tmp/auditpatch" enable --root "$tmp/node" --quiet -- \
  "$tmp/yq" eval . "$manifest"

cmp "$manifest" "$tmp/enabled.yaml" # it has indeed changed nothing
printf '\nauditpatch %s, %s bytes; %s\n' \
  "$("$tmp/auditpatch" version | cut -d' ' -f2)" "$(stat -c %s "$tmp/auditpatch")" "$("$tmp/yq" --version)"
