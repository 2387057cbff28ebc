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

# assemble PROGRAMS BASE: NODE_IMAGE from both, with kind's own files.
assemble() {
  local programs=$1 base=$2 dir kind tag
  dir=$(mktemp -d "$CACHE/tmp.XXXXXX")
  kind=$(module_dir "sigs.k8s.io/kind@$KIND_VERSION")
  cp -r --no-preserve=mode "$kind/images/base/files" "$dir/kind"
  chmod 0755 "$dir"/kind/kind/bin/* "$dir"/kind/usr/local/bin/*
  cp -r "$E2E/image/node" "$dir/node"
  mkdir "$dir/bin" "$dir/images"
  ln "$programs"/{kubeadm,kubelet,kubectl} "$dir/bin/"
  while read -r tag; do save_image "$programs" "$tag" "$dir/images"; done <"$programs/images"
  docker_build "$NODE_IMAGE" -f "$E2E/image/Dockerfile" --build-arg "BASE=$base" \
    --build-arg "KUBERNETES=$KUBERNETES" --build-arg "PAUSE=$(grep /pause: "$programs/images")" "$dir"
  rm -rf "$dir"
}

# save_image PROGRAMS TAG TO: an image of one program, as an archive in the folder TO; none
# for what is not built here (CoreDNS, kube-proxy).
save_image() {
  local programs=$1 tag=$2 to=$3 name=${2##*/} dir
  name=${name%%:*}
  [ -e "$programs/$name" ] || return 0
  dir=$(mktemp -d "$CACHE/tmp.XXXXXX")
  ln "$programs/$name" "$dir/"
  if [ "$name" = etcd ]; then ln "$programs/etcdctl" "$dir/"; fi
  printf 'FROM scratch\nCOPY . /usr/local/bin/\nENV PATH=/usr/local/bin\nENTRYPOINT ["%s"]\n' "$name" |
    docker_build "$tag" -f - "$dir"
  docker save -o "$to/$name.tar" "$tag"
  docker rmi "$tag" >/dev/null
  rm -rf "$dir"
}

# balancer_image BASE: a stand-in under the name that kind wants for several control planes.
balancer_image() {
  local dir tag
  tag=$(sed -n 's/^const Image = "\(.*\)"/\1/p' \
    "$(module_dir "sigs.k8s.io/kind@$KIND_VERSION")/pkg/cluster/internal/loadbalancer/const.go")
  dir=$(mktemp -d "$CACHE/tmp.XXXXXX")
  go_build "$REPO" -ldflags '-s -w' -o "$dir/envoy" ./e2e/image/balancer
  printf 'FROM %s\nCOPY envoy /usr/local/bin/\nENTRYPOINT ["/usr/bin/env"]\n' "$1" |
    docker_build "$tag" -f - "$dir"
  rm -rf "$dir"
}

# docker_build IMAGE ARG...: with the builder that every engine has.
docker_build() {
  DOCKER_BUILDKIT=0 docker build -t "$@" >"$LOGS/docker-build.log" 2>&1 ||
    { tail -20 "$LOGS/docker-build.log" >&2; die "docker build $1"; }
}
