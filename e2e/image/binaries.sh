# The programs of a node, built from source: where no image can be pulled, the Go module
# proxy still has all of them. Sourced by ../image.sh.
# shellcheck shell=bash

# build_kubernetes DIR: the programs, and in DIR/images the images that kubeadm of this version
# asks for, one a line: nothing else tells which etcd and which pause belong to a version.
#
# Kubernetes' own go.mod requires its staging modules at v0.0.0 and replaces them by folders;
# a replace counts only in the main module, so it is written there, with versions.
build_kubernetes() {
  local dir=$1 source component version=k8s.io/component-base/version packages=() ldflags
  source=$(module_dir "k8s.io/kubernetes@$KUBERNETES")
  mkdir -p "$dir/src"
  {
    printf 'module node\n\n'
    grep -E -m1 '^go ' "$source/go.mod"
    printf '\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$KUBERNETES"
    staging "$source/go.mod"
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
  "$dir/kubeadm" config images list --kubernetes-version "$KUBERNETES" >"$dir/images"
  rm -rf "$dir/src"
}

# staging GOMOD: a replace for each staging module, with the version that belongs to
# $KUBERNETES. Where the proxy lacks that one it is the latest before it of the same minor
# release, which differs in fixes. The module k8s.io/kube-proxy is nothing but the types of a
# configuration: v0.30.4 does for all of 1.30, of which later ones cannot be verified everywhere.
staging() {
  local modules
  modules=$(sed -n 's#^\t*\(k8s.io/[a-z0-9-]*\) => ./staging/.*#\1#p' "$1" | sort -u)
  # shellcheck disable=SC2086 # a word is a module
  (cd / && GOFLAGS='' GOWORK=off go list -e -m -versions $modules) |
    awk -v want="v0.${KUBERNETES#v1.}" '
      BEGIN { split(want, wanted, ".") }
      {
        best = ""
        for (i = 2; i <= NF && best != want; i++) { # in ascending order
          split($i, v, ".")
          if ($i == want || ($i ~ /^v0\.[0-9]+\.[0-9]+$/ && v[2] == wanted[2] && v[3] + 0 < wanted[3] + 0)) best = $i
        }
        print "\t" $1 " => " $1 " " (best == "" ? want : best)
      }' |
    sed 's#kube-proxy v0\.30\..*#kube-proxy v0.30.4#'
}

# build_etcd VERSION DIR, in a module of our own, because etcd's has replace directives. Only
# the server: not every version's etcdctl can be had and verified everywhere.
build_etcd() {
  mkdir "$2/src"
  printf 'module node\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 %s\n' "$1" >"$2/src/go.mod"
  go_build "$2/src" -ldflags '-s -w' -o "$2/etcd" go.etcd.io/etcd/server/v3
  rm -rf "$2/src"
}

# build_kind DIR
build_kind() {
  mkdir "$1/src"
  printf 'module node\n\ngo 1.26.0\n\nrequire sigs.k8s.io/kind %s\n' "$KIND_VERSION" >"$1/src/go.mod"
  go_build "$1/src" -ldflags '-s -w' -o "$1/kind" sigs.k8s.io/kind
  rm -rf "$1/src"
}
