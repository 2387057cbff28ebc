# The node image: an official one, or one of our own where none can be pulled.
# Sourced by run.sh; node_image is the way in.
# shellcheck shell=bash disable=SC2034
. "$E2E/programs.sh"
. "$E2E/image/assemble.sh"

# node_image sets NODE_IMAGE, and OWN_IMAGE to 1 when the image is ours. E2E_BUILD_IMAGE:
# 1 our own in any case, 0 never, else where the official one cannot be pulled.
node_image() {
  OWN_IMAGE=0
  NODE_IMAGE=${E2E_NODE_IMAGE:-}
  if [ -n "$NODE_IMAGE" ]; then
    available "$NODE_IMAGE" || die "there is no image $NODE_IMAGE, and it cannot be pulled"
    return
  fi
  if [ "${E2E_BUILD_IMAGE:-}" != 1 ]; then
    NODE_IMAGE=$(official_image)
    if available "$NODE_IMAGE"; then return; fi
    [ "${E2E_BUILD_IMAGE:-}" != 0 ] || die "$NODE_IMAGE cannot be pulled, and E2E_BUILD_IMAGE=0"
    say "$NODE_IMAGE cannot be pulled here: our own node image, Kubernetes $KUBERNETES"
  fi
  OWN_IMAGE=1
  own_image
}

# available IMAGE: it is there or can be pulled. A small question first, for it has a short
# time limit and the pull a long one.
available() {
  if docker image inspect "$1" >/dev/null 2>&1; then return; fi
  timeout 20 docker manifest inspect "$1" >/dev/null 2>&1 || return 1
  timeout 900 docker pull -q "$1" >&2
}

# official_image: of the Kubernetes version asked for, else the one this version of kind was
# made for.
official_image() {
  if [ -n "${E2E_KUBERNETES:-}" ]; then echo "kindest/node:$E2E_KUBERNETES"; return; fi
  sed -n 's/^const Image = "\(.*\)"/\1/p' \
    "$(module_dir "sigs.k8s.io/kind@$KIND_VERSION")/pkg/apis/config/defaults/image.go"
}

# kind_program sets KIND: the one in PATH when it is of the wanted version, else built.
kind_program() {
  KIND=$(command -v kind || true)
  if [ -n "$KIND" ] && [ "v$("$KIND" version -q)" = "$KIND_VERSION" ]; then return; fi
  whole "kind-$KIND_VERSION" build_kind
  KIND=$CACHE/kind-$KIND_VERSION/kind
}

# own_image sets NODE_IMAGE. Its tag says all that it is made from, but for the version of Go.
own_image() {
  local suite programs base key
  need jq=jq
  # shellcheck source=/dev/null
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  programs=kubernetes-$KUBERNETES-$(digest image/binaries.sh)
  base=auditpatch-e2e/base:$suite-$(digest image/packages image/debootstrap.sh)
  key=$(sha256sum <<<"$programs $base $KIND_VERSION $(digest image)" | cut -c1-12)
  NODE_IMAGE=auditpatch-e2e/node:$KUBERNETES-$key
  if docker image inspect "$NODE_IMAGE" >/dev/null 2>&1; then return; fi
  step "Debian base" base_image "$base" "$suite" & # network and disk, beside what is all CPU
  own_programs
  wait $!
  # One version at a time: the images within have names in common, pause and etcd, and
  # forget_older takes what is between two steps of a build for left over.
  exec 7>"$CACHE/images.lock"
  flock 7
  step "load balancer image" balancer_image "$base"
  step "all into the node image" assemble "$base" "$PROGRAMS" "$ETCD"
  forget_older "$programs"
  exec 7>&-
}

# forget_older PROGRAMS: what this version's earlier images were made from, and those of them
# that no cluster uses.
forget_older() {
  docker image prune -f --filter label=auditpatch-e2e >/dev/null 2>&1 ||
    true # Docker prunes for one at a time: then the next run does it
  docker images --format '{{.Repository}}:{{.Tag}}' "auditpatch-e2e/node:$KUBERNETES-*" |
    grep -vxF "$NODE_IMAGE" | xargs -r -n1 docker rmi >/dev/null 2>&1 || true
  find "$CACHE" -maxdepth 1 -name "kubernetes-$KUBERNETES-*" ! -name "$1" -exec rm -rf {} +
}
