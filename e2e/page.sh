#!/bin/bash
# What "make e2e-page" runs: reports of events --html in a headless Chromium, as any user.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

main() {
  command -v go >/dev/null || die "Go is not in PATH"
  mkdir -p "$LOGS" "$OUT"
  browser
  export E2E_AUDITPATCH=$REPO/auditpatch E2E_PICTURES=${E2E_PICTURES:-$OUT/page}
  step "tests" go_test
}

# browser installs Chromium where none is found, if that is possible; the tests skip without it,
# but for CI. A function that had its name would be found as well.
browser() {
  local name
  for name in ${E2E_CHROMIUM:+"$E2E_CHROMIUM"} chromium chromium-browser google-chrome; do
    if type -P "$name" >/dev/null; then return; fi
  done
  if [ "$(id -u)" = 0 ]; then step "chromium" need chromium=chromium; fi
}

go_test() {
  (cd "$REPO" && go test -tags e2e ./e2e/page -count=1 -v -timeout "${E2E_TIMEOUT:-10m}" -run "${E2E_RUN:-.}" 2>&1) |
    tee "$OUT/page.log"
}

main
