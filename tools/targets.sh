#!/bin/sh
# targets.sh fails when make has a target of which make help says nothing.
set -eu
cd "$(dirname "$0")/.."
# make -q says by its status that the target is not up to date, which is of no interest here.
known=$(make -qpRr build 2>/dev/null || true)
targets=$(printf '%s\n' "$known" | awk '
  /^# Not a target/ { getline; next }
  /^[a-z][a-z0-9-]*:([^=]|$)/ { sub(/:.*/, ""); print }' | sort -u)
[ -n "$targets" ]
status=0
for target in $targets; do
  if ! make -s help | grep -q "^make $target  *[a-z]"; then
    echo "make help does not say what make $target is for: add a comment ## to it" >&2
    status=1
  fi
done
exit $status
