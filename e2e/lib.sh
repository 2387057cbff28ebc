# Settings and small functions of the scripts in this folder. Sourced, never run.
# shellcheck shell=bash disable=SC2034
E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(dirname "$E2E")
CACHE=${E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/auditpatch-e2e}
OUT=$E2E/out
CLUSTER=${E2E_CLUSTER:-auditpatch-e2e}
KIND_VERSION=${E2E_KIND_VERSION:-v0.33.0}
KUBERNETES=${E2E_KUBERNETES:-v1.37.2} # of our own image; an official one may be newer
LOGS=$CACHE/logs/$KUBERNETES
export DEBIAN_FRONTEND=noninteractive
umask 022

say() { printf 'e2e: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# step NAME COMMAND...: run the command and say how long it took.
step() {
  local name=$1 start=${EPOCHREALTIME/./}
  shift
  "$@"
  local ms=$(((${EPOCHREALTIME/./} - start) / 1000))
  say "$(printf '%-28s %4d.%01d s' "$name" $((ms / 1000)) $((ms % 1000 / 100)))"
}

# whole NAME COMMAND...: make the folder $CACHE/NAME with COMMAND, which gets a new folder to
# fill, unless it is there. A command that fails or is killed leaves no $CACHE/NAME.
whole() {
  local target=$CACHE/$1 tmp
  shift
  if [ -e "$target" ]; then return; fi
  tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
  "$@" "$tmp"
  mv -T "$tmp" "$target" || [ -e "$target" ] # another run was faster
}

# digest FILE...: a short name for the contents of files and folders.
digest() {
  (cd "$E2E" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) |
    sha256sum | cut -c1-12
}

# need PROGRAM=PACKAGE...: install the Debian packages of programs that are missing.
need() {
  local pair packages=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
  done
  if [ ${#packages[@]} = 0 ]; then return; fi
  [ "$(id -u)" = 0 ] || die "not root, and these packages are missing: ${packages[*]}"
  command -v apt-get >/dev/null || die "no apt-get here: install ${packages[*]} yourself"
  apt-get update -qq
  apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends "${packages[@]}" >"$LOGS/apt.log" 2>&1 ||
    { tail -20 "$LOGS/apt.log" >&2; die "apt-get install ${packages[*]}"; }
}

# go_build DIR ARG...: go build in DIR, in a module of ours that still lacks most of its go.mod.
go_build() {
  local dir=$1
  shift
  (cd "$dir" && env CGO_ENABLED=0 GOWORK=off GOFLAGS="-mod=mod -buildvcs=false" \
    nice -n 5 go build -trimpath "$@" 2>"$LOGS/go-build.log") ||
    { { grep -v '^go: downloading' "$LOGS/go-build.log" || true; } | tail -20 >&2; die "go build $*"; }
}

# module_dir MODULE@VERSION: where the module lies, downloaded when it is not there.
module_dir() {
  local dir
  dir=$(cd / && GOFLAGS='' GOWORK=off go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
  [ -d "$dir" ] || die "go mod download $1"
  echo "$dir"
}
