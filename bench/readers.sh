#!/bin/bash
# auditpatch events beside jq, grep and DuckDB on the same log: the same questions, whole
# processes, in turns; medians, ratios, and whether the answers are the same.
#
#   LOG=FILE         a log of your own; without it, one of SIZE is made up
#   SIZE=400         of that log, in MB
#   RUNS=5           how many runs count
#   WHO=U WHERE=N    the user and the namespace of the second question
#   DUCKDB=1.5.6-r.1 the version of @duckdb/node-api; DUCKDB= leaves DuckDB out
set -euo pipefail
cd "$(dirname "$0")/.."

for program in jq grep zcat; do
  command -v "$program" >/dev/null || { printf 'readers: %s is not in PATH\n' "$program" >&2; exit 1; }
done
tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT

make -s build
go build -o "$tmp/readers" ./bench/readers
if [ -n "${DUCKDB=1.5.6-r.1}" ]; then
  cp bench/readers/duckdb.mjs "$tmp"
  npm install --prefix "$tmp" --silent --no-audit --no-fund "@duckdb/node-api@$DUCKDB"
fi
if [ -z "${LOG:-}" ]; then
  LOG=$tmp/audit.log
  go run ./bench/auditlog "${SIZE:-400}" >"$LOG"
fi
# The same log as kube-apiserver keeps it with --audit-log-compress, in eight files.
mkdir "$tmp/gz"
split -n l/8 -d --suffix-length=1 --additional-suffix=T00-00-00.000.log "$LOG" "$tmp/gz/audit-2026-11-2"
gzip -6 "$tmp"/gz/*.log
: >"$tmp/gz/audit.log"

"$tmp/readers" -auditpatch ./auditpatch -log "$LOG" -gz "$tmp/gz" -duckdb "$tmp" -runs "${RUNS:-5}" \
  -user "${WHO:-jane@example.com}" -namespace "${WHERE:-web-prod}"
