#!/bin/sh
# package.sh VERSION PLATFORM... makes a .deb and an .rpm of the binary of each platform,
# such as linux/amd64, out of dist/ and into it.
set -eu
cd "$(dirname "$0")/../.."
version=$1
shift
stage=$(mktemp -d)
trap 'rm -rf -- "$stage"' EXIT

gzip -9nc dist/auditpatch.1 >"$stage/auditpatch.1.gz"
PACKAGE_VERSION=$(release/packages/number.sh "$version")
export PACKAGE_VERSION STAGE="$stage"
for platform; do
  binary=dist/auditpatch-${platform%/*}-${platform#*/}
  for format in deb rpm; do
    ARCH=${platform#*/} BINARY=$binary \
      bin/nfpm package -f release/packages/nfpm.yaml -p "$format" -t "$binary.$format" >"$stage/log" || {
      cat "$stage/log" >&2
      exit 1
    }
  done
done
