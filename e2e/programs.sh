# The programs of Kubernetes and etcd, built from the Go module proxy into the cache.
# Sourced, never run.
# shellcheck shell=bash disable=SC2034
. "$E2E/image/binaries.sh"

# own_programs sets PROGRAMS and ETCD: the folders that have Kubernetes' programs and the etcd
# that belongs to them. What is not there yet is built.
own_programs() {
  local recipe etcd
  recipe=$(digest image/binaries.sh)
  PROGRAMS=$CACHE/kubernetes-$KUBERNETES-$recipe
  step "Kubernetes $KUBERNETES" whole "${PROGRAMS##*/}" build_kubernetes
  etcd=$(sed -n 's#.*/etcd:\([0-9.]*\)-.*#v\1#p' "$PROGRAMS/images")
  [ -n "$etcd" ] || die "kubeadm $KUBERNETES names no version of etcd: $(cat "$PROGRAMS/images")"
  ETCD=$CACHE/etcd-$etcd-$recipe
  step "etcd $etcd" whole "${ETCD##*/}" build_etcd "$etcd"
}
