#!/bin/bash
# What "make fuzz" runs: each fuzz target for FUZZTIME. A target that was stopped by the end of its
# time in the middle of slow work ends with "context deadline exceeded" and without an input that
# fails: that is no finding, and it gets a second and a third try.
set -euo pipefail

once() { go test -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZTIME:-30s}" "$1" 2>&1 | tee "$tmp/log"; }

deadline_only() { grep -q '^ *context deadline exceeded$' "$tmp/log" && ! grep -q -e 'Failing input written' -e panic "$tmp/log"; }

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
for pkg in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
    echo "== $pkg $target"
    for try in 1 2 3; do
      if once "$pkg" "$target"; then break; fi
      if [ "$try" = 3 ] || ! deadline_only; then exit 1; fi
    done
  done
done
