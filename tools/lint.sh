#!/bin/bash
# lint.sh runs staticcheck and errcheck, as tools/go.mod pins them, over every package: with
# all build tags, and in the modules beside the program's. What staticcheck must not say is in
# staticcheck.conf or in a lint:ignore comment, what errcheck must not say in errcheck.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/tools
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
staticcheck=$(go tool -modfile="$tools/go.mod" -n staticcheck)
errcheck=$(go tool -modfile="$tools/go.mod" -n errcheck)

# deferred drops the deferred Close of an os.File: it belongs to a file that was only read. One
# that was written is closed where the error can be returned, and stays in the list.
deferred() { grep -v $'\t(\*os\.File)\.Close\tdefer ' || true; }

# unchecked DIRECTORY TAGS PACKAGE... prints the calls whose errors nobody looks at.
unchecked() {
  local dir=$1 tags=$2 said
  shift 2
  # Status 1 means findings; anything above, that packages could not be loaded.
  said=$(cd "$dir" && "$errcheck" -verbose -exclude "$tools/errcheck.txt" -tags "$tags" "$@" 2>"$log") || [ $? = 1 ] || {
    cat "$log" >&2
    return 2
  }
  printf '%s' "$said" | deferred
}

# lint DIRECTORY TAGS PACKAGE...
lint() {
  local dir=$1 tags=$2 found
  printf 'staticcheck, errcheck: %s %s\n' "$dir" "$tags"
  (cd "$dir" && "$staticcheck" -tags "$tags" ./...)
  found=$(unchecked "$@")
  if [ -n "$found" ]; then
    printf '%s\n' "$found"
    return 1
  fi
}

lint . e2e,dist ./...
lint upstream "" ./...
lint upstream/kubelet "" ./...
