# Our own node image from its parts. Sourced by ../image.sh. All in this folder is what the
# image is made from: a change of any file here makes a new one.
# shellcheck shell=bash

# base_image IMAGE SUITE: Debian with kind's packages, from the mirror that apt uses here.
base_image() {
  local image=$1 suite=$2 mirror packages id
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  need debootstrap=debootstrap
  # shellcheck disable=SC2016 # apt-get's own variables
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    awk -v suite="$suite" '$2 == suite {print $1; exit}')
  [ -n "$mirror" ] || die "apt knows no mirror of Debian $suite"
  packages=$(tr -s ' \n' ',' <"$E2E/image/packages")
  # In memory, because dpkg syncs each file; in a mount namespace of its own, so that all
  # mounts go with it even if it is killed.
  id=$(unshare --mount bash "$E2E/image/debootstrap.sh" "$suite" "$mirror" "${packages%,}" \
    2>"$LOGS/debootstrap.log" | docker import -) ||
    { tail "$LOGS/debootstrap.log" >&2; die "debootstrap $suite"; }
  docker tag "$id" "$image" # only now, when all of it is there
}

# assemble BASE KUBERNETES ETCD: NODE_IMAGE from the base and two folders of programs, with
# kind's own files.
assemble() {
  local base=$1 programs=$2 etcd=$3 dir kind tag
  dir=$(mktemp -d "$CACHE/tmp.XXXXXX")
  kind=$(module_dir "sigs.k8s.io/kind@$KIND_VERSION")
  cp -r --no-preserve=mode "$kind/images/base/files" "$dir/kind"
  chmod 0755 "$dir"/kind/kind/bin/* "$dir"/kind/usr/local/bin/*
  cp -r "$E2E/image/node" "$dir/node"
  mkdir "$dir/bin" "$dir/images" "$dir/pods"
  ln "$programs"/{kubeadm,kubelet,kubectl} "$dir/bin/"
  if wants_crictl; then
    whole "crictl-$CRICTL_VERSION" build_crictl
    ln "$CACHE/crictl-$CRICTL_VERSION/crictl" "$dir/bin/"
  fi
  ln "$programs"/kube-{apiserver,controller-manager,scheduler} "$etcd/etcd" "$dir/pods/"
  go_build "$REPO" -mod=readonly -ldflags '-s -w' -o "$dir/pods/pause" ./e2e/image/pause
  while read -r tag; do save_image "$tag" "$dir"; done <"$programs/images"
  rm -rf "$dir/pods"
  docker_build "$NODE_IMAGE" -f "$E2E/image/Dockerfile" --build-arg "BASE=$base" \
    --build-arg "KUBERNETES=$KUBERNETES" --build-arg "PAUSE=$(grep /pause: "$programs/images")" "$dir"
  rm -rf "$dir"
}

# wants_crictl: kubeadm upgrade of 1.30 does not go on without the program, whatever it is
# told to ignore.
wants_crictl() { [ "$(cut -d. -f2 <<<"$KUBERNETES")" -le 30 ]; }

CRICTL_VERSION=v1.34.0

# build_crictl DIR
build_crictl() {
  mkdir "$1/src"
  printf 'module node\n\ngo 1.26.0\n\nrequire sigs.k8s.io/cri-tools %s\n' "$CRICTL_VERSION" >"$1/src/go.mod"
  go_build "$1/src" -ldflags '-s -w' -o "$1/crictl" sigs.k8s.io/cri-tools/cmd/crictl
  rm -rf "$1/src"
}

# save_image TAG DIR: DIR/images/NAME.tar, an image that has the program DIR/pods/NAME; none
# for what is not built here (CoreDNS, kube-proxy).
save_image() {
  local tag=$1 dir=$2 name=${1##*/} context
  name=${name%%:*}
  [ -e "$dir/pods/$name" ] || return 0
  context=$(mktemp -d -p "$dir")
  ln "$dir/pods/$name" "$context/"
  printf 'FROM scratch\nCOPY . /usr/local/bin/\nENV PATH=/usr/local/bin\nENTRYPOINT ["%s"]\n' "$name" |
    docker_build "$tag" -f - "$context"
  docker save -o "$dir/images/$name.tar" "$tag"
  docker rmi "$tag" >/dev/null
  rm -rf "$context"
}

# balancer_image BASE: a stand-in under the name that kind wants for several control planes.
balancer_image() {
  local dir tag
  tag=$(sed -n 's/^const Image = "\(.*\)"/\1/p' \
    "$(module_dir "sigs.k8s.io/kind@$KIND_VERSION")/pkg/cluster/internal/loadbalancer/const.go")
  dir=$(mktemp -d "$CACHE/tmp.XXXXXX")
  go_build "$REPO" -mod=readonly -ldflags '-s -w' -o "$dir/envoy" ./e2e/image/balancer
  printf 'FROM %s\nCOPY envoy /usr/local/bin/\nENTRYPOINT ["/usr/bin/env"]\nLABEL auditpatch-e2e=balancer\n' "$1" |
    docker_build "$tag" -f - "$dir"
  rm -rf "$dir"
}

# docker_build IMAGE ARG...: with the builder that every engine has.
docker_build() {
  DOCKER_BUILDKIT=0 docker build -t "$@" >"$LOGS/docker-build.log" 2>&1 ||
    { tail -20 "$LOGS/docker-build.log" >&2; die "docker build $1"; }
}
