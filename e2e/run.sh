#!/bin/bash
# What "make e2e" runs: a machine with Docker, a node image, a cluster, the tests.
# README.md has the variables.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$E2E/docker.sh"
. "$E2E/image.sh"

# prepare makes ready all that lies outside the checkout; one run at a time and version.
prepare() {
  exec 8>"$CACHE/$KUBERNETES.lock"
  flock -n 8 || { say "another run prepares Kubernetes $KUBERNETES, waiting for it"; flock 8; }
  # What killed runs left; a run of today may still be at work.
  find "$CACHE" -maxdepth 1 -name 'tmp.*' -mmin +720 -exec rm -rf --one-file-system {} +
  need jq=jq ssh=openssh-client ansible-playbook=ansible-core
  step "Docker" docker_up
  step "kind $KIND_VERSION" kind_program
  step "node image" node_image
  exec 8>&-
}

# null_device: /dev/null is as everybody expects. A privileged container gets the mode that it
# has here, and then nobody but root can write to it in a node.
null_device() {
  local is
  is=$(stat -c '%a %t:%T' /dev/null) || is=missing
  case $is in
    666\ 1:3) ;;
    *\ 1:3) die "/dev/null has mode ${is% *}, and users of the nodes would have it too: chmod 666 /dev/null" ;;
    *) die "/dev/null is not the null device: rm -f /dev/null && mknod -m 666 /dev/null c 1 3" ;;
  esac
}

# finish runs however the run ends, but for kill -9: the next run clears up after that.
finish() {
  if [ "${E2E_KEEP:-}" = 1 ]; then
    say "kept: E2E_KEEP=1 make e2e uses the cluster again, make e2e starts anew"
    return
  fi
  delete_clusters
}

# delete_clusters: the main one, and those that tests made beside it.
delete_clusters() {
  local name
  for name in $("$KIND" get clusters 2>/dev/null | grep -E "^$CLUSTER(-|\$)" || true); do
    "$KIND" delete cluster -q --name "$name" --kubeconfig "$CACHE/$name.kubeconfig"
    rm -f "$CACHE/$name.kubeconfig"
  done
}

main() {
  command -v go >/dev/null || die "Go is not in PATH"
  null_device
  mkdir -p "$LOGS" "$OUT"
  step "vet the tests" go_vet
  prepare
  exec 9>"$CACHE/$CLUSTER.lock"
  flock -n 9 || { say "another run has the cluster $CLUSTER, waiting for it"; flock 9; }
  trap finish EXIT
  trap 'exit 130' INT TERM
  if [ "${E2E_KEEP:-}" != 1 ]; then delete_clusters; fi
  say "$NODE_IMAGE"
  export E2E_KIND=$KIND E2E_NODE_IMAGE=$NODE_IMAGE E2E_OWN_IMAGE=$OWN_IMAGE E2E_CLUSTER=$CLUSTER
  export E2E_CACHE=$CACHE E2E_KUBERNETES=$KUBERNETES
  step "tests" go_test
}

go_vet() { (cd "$REPO" && go vet -tags e2e ./e2e/...); }

# The tests of the cluster with three nodes. They wait most of the time, as the others do.
THREE='^Test(Ansible|SSHThree|Three)'

go_test() {
  local three status=0
  if [ -n "${E2E_SKIP:-}" ]; then say "left out: $E2E_SKIP"; fi
  if [ -n "${E2E_RUN:-}" ] || [ "${E2E_BESIDE:-}" != 1 ]; then
    go_run go-test.log -run "${E2E_RUN:-.}" ${E2E_SKIP:+-skip "$E2E_SKIP"}
    return
  fi
  say "$OUT/go-test-three.log: the tests of the cluster with three nodes, beside the others"
  E2E_PART=three go_run go-test-three.log -run "$THREE" >/dev/null &
  three=$!
  go_run go-test.log -skip "$THREE${E2E_SKIP:+|$E2E_SKIP}" || status=$?
  wait "$three" || status=$?
  cat "$OUT/go-test-three.log"
  return "$status"
}

# go_run LOG ARGUMENT...: the tests, and what they say in a file too.
go_run() {
  local log=$1
  shift
  (cd "$REPO" && go test -tags e2e ./e2e/ -count=1 -v -timeout "${E2E_TIMEOUT:-60m}" "$@" 2>&1) | tee "$OUT/$log"
}

main
