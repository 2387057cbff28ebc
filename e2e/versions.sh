#!/bin/bash
# What "make e2e-versions" runs: all tests on each minor release of Kubernetes, one after the
# other, whatever fails, and a table of the results. README.md has the variables.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Of each minor release the latest that the Go module proxy has with all its parts.
VERSIONS=${E2E_VERSIONS:-v1.30.14 v1.31.14 v1.32.13 v1.33.13 v1.34.4 v1.35.4 v1.36.3 v1.37.2}
RESULTS=${E2E_RESULTS:-$OUT/versions}

# one VERSION: a run, its log, and the folders of the tests that failed. Status: that of the run.
one() {
  local status=0 dir
  dir=$RESULTS/$1/$(date -u +%Y%m%dT%H%M%SZ)
  mkdir -p "$dir"
  say "$1: $dir/log"
  printf 'e2e: auditpatch %s\n' "$(program)" >"$dir/log"
  E2E_KUBERNETES=$1 E2E_OUTAGE=${E2E_OUTAGE:-3} E2E_TIMEOUT=${E2E_TIMEOUT:-2h} "$E2E/run.sh" >>"$dir/log" 2>&1 ||
    status=$?
  printf 'e2e: exit status %d\n' "$status" >>"$dir/log"
  find "$OUT" -mindepth 1 -maxdepth 1 -type d \( -name 'Test*' -o -name all \) -newer "$dir" -exec mv -t "$dir" {} +
  say "$1: exit status $status"
  return "$status"
}

# program: the state of the checkout, as the Makefile has it.
program() { git --git-dir="$REPO/.git" --work-tree="$REPO" describe --tags --always --abbrev=12 --dirty 2>/dev/null || echo dev; }

main() {
  local version failed=0 stopped=
  command -v go >/dev/null || die "Go is not in PATH"
  for version in $VERSIONS; do
    [[ $version =~ ^v1\.[0-9]+\.[0-9]+$ ]] || die "$version is no version: E2E_VERSIONS='v1.30.14 v1.37.2'"
  done
  # A run that is stopped ends by itself, as Ctrl-C reaches it too; there is no further one.
  trap 'stopped=1' INT TERM
  for version in $VERSIONS; do
    one "$version" || failed=1
    if [ -n "$stopped" ]; then break; fi
  done
  (cd "$REPO" && go run ./e2e/versions "$RESULTS")
  if [ -n "$stopped" ]; then exit 130; fi
  exit "$failed"
}

main
