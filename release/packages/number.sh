#!/bin/sh
# number.sh VERSION prints VERSION, which is git describe's, as packages have it: a pre-release
# sorts before its release, and commits after a tag sort behind it. Where there is no tag the
# date of SOURCE_DATE_EPOCH orders them, before every release.
set -eu
case $1 in
  v[0-9]*.* | [0-9]*.*)
    printf '%s\n' "${1#v}" |
      sed -E 's/-dirty$/+dirty/; s/-([0-9]+)-g([0-9a-f]+)/+\1.g\2/; s/-/~/; s/-/./g' ;;
  *)
    printf '0~%s.%s\n' "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d)" "$1" | tr - . ;;
esac
