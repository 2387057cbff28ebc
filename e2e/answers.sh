#!/bin/bash
# What "make e2e-answers" runs: the tests of the answers that are in the audit log, with a real kube-apiserver
# and etcd on loopback, as any user. README.md has the variables.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$E2E/programs.sh"

DUCKDB_VERSION=1.5.6-r.1

build_duckdb() { npm install --prefix "$1" --silent --no-audit --no-fund "@duckdb/node-api@$DUCKDB_VERSION"; }

main() {
  command -v go >/dev/null || die "Go is not in PATH"
  mkdir -p "$LOGS" "$OUT"
  # make e2e builds the same programs, one run at a time and version.
  exec 8>"$CACHE/$KUBERNETES.lock"
  flock -n 8 || { say "another run prepares Kubernetes $KUBERNETES, waiting for it"; flock 8; }
  own_programs
  exec 8>&-
  export E2E_KUBE_APISERVER=$PROGRAMS/kube-apiserver E2E_KUBECTL=$PROGRAMS/kubectl E2E_ETCD=$ETCD/etcd
  export E2E_KUBERNETES=$KUBERNETES E2E_QUICK=${E2E_QUICK:-}
  need node=nodejs npm=npm
  step "DuckDB $DUCKDB_VERSION" whole "duckdb-$DUCKDB_VERSION" build_duckdb
  cp "$E2E/answers/duckdb.mjs" "$CACHE/duckdb-$DUCKDB_VERSION"
  export E2E_DUCKDB=$CACHE/duckdb-$DUCKDB_VERSION
  step "tests" go_test
}

go_test() {
  (cd "$REPO" && go test -tags e2e ./e2e/answers -count=1 -v -timeout "${E2E_TIMEOUT:-30m}" -run "${E2E_RUN:-.}" 2>&1) |
    tee "$OUT/answers.log"
}

main
