# The programs of a node, built from source: where no image can be pulled, the Go module
# proxy still has all of them. Sourced by ../image.sh.
# shellcheck shell=bash

# binaries DIR: Kubernetes, etcd and pause in DIR, and DIR/images: the names that kubeadm of
# this version wants them under, one a line.
binaries() {
  local dir=$1 etcd
  step "go build Kubernetes" build_kubernetes "$dir"
  # kubeadm itself says which etcd and pause belong to its version.
  "$dir/kubeadm" config images list --kubernetes-version "$KUBERNETES" >"$dir/images"
  etcd=$(sed -n 's#.*/etcd:\([0-9.]*\)-.*#v\1#p' "$dir/images")
  [ -n "$etcd" ] || die "kubeadm $KUBERNETES names no etcd version: $(cat "$dir/images")"
  step "go build etcd $etcd" build_etcd "$dir" "$etcd"
  go_build "$REPO" -ldflags '-s -w' -o "$dir/pause" ./e2e/image/pause
  rm -rf "$dir/src"
}

# build_kubernetes DIR. Kubernetes' own go.mod requires its staging modules at v0.0.0 and
# replaces them by folders; a replace counts only in the main module, so it is written there,
# with versions.
build_kubernetes() {
  local dir=$1 source component version=k8s.io/component-base/version packages=() ldflags
  source=$(module_dir "k8s.io/kubernetes@$KUBERNETES")
  mkdir -p "$dir/src"
  {
    printf 'module node\n\n'
    grep -E -m1 '^go ' "$source/go.mod"
    printf '\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$KUBERNETES"
    sed -n 's#^\t*\(k8s.io/[a-z0-9-]*\) => ./staging/.*#\1#p' "$source/go.mod" | sort -u |
      sed "s#.*#\t& => & v0.${KUBERNETES#v1.}#"
    printf ')\n'
  } >"$dir/src/go.mod"
  ldflags="-s -w -X $version.gitVersion=$KUBERNETES -X $version.gitMajor=1"
  ldflags+=" -X $version.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES") -X $version.gitTreeState=clean"
  ldflags+=" -X $version.gitCommit=0000000000000000000000000000000000000000"
  ldflags+=" -X $version.buildDate=2026-01-01T00:00:00Z"
  for component in kube-apiserver kube-controller-manager kube-scheduler kubelet kubeadm kubectl; do
    packages+=("k8s.io/kubernetes/cmd/$component")
  done
  # One go build for all: shared packages are compiled once, and links overlap with compiles.
  go_build "$dir/src" -ldflags "$ldflags" -o "$dir/" "${packages[@]}"
}

# build_etcd DIR VERSION, in a module of our own, because etcd's has replace directives.
build_etcd() {
  local dir=$1 module
  mkdir -p "$dir/src/etcd"
  printf 'module node\n\ngo 1.26.0\n\nrequire (\n\tgo.etcd.io/etcd/server/v3 %s\n\tgo.etcd.io/etcd/etcdctl/v3 %s\n)\n' \
    "$2" "$2" >"$dir/src/etcd/go.mod"
  for module in server etcdctl; do
    go_build "$dir/src/etcd" -ldflags '-s -w' -o "$dir/${module/server/etcd}" "go.etcd.io/etcd/$module/v3"
  done
}

# build_kind DIR
build_kind() {
  mkdir "$1/src"
  printf 'module node\n\ngo 1.26.0\n\nrequire sigs.k8s.io/kind %s\n' "$KIND_VERSION" >"$1/src/go.mod"
  go_build "$1/src" -ldflags '-s -w' -o "$1/kind" sigs.k8s.io/kind
  rm -rf "$1/src"
}
