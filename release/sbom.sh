#!/bin/sh
# sbom.sh BINARY VERSION writes BINARY.cdx.json: the modules that are linked into
# the binary, with checksums and licences, in the format CycloneDX.
set -eu
binary=$1 version=$2
# Without serial number and time the same binary has the same description. The tool's remarks, that
# neither this module nor Go's own library can be downloaded, matter only when it fails.
if ! words=$(bin/cyclonedx-gomod bin -json -noserial -notimestamp -std -licenses \
  -version "$version" -output "$binary.cdx.json" "$binary" 2>&1); then
  printf '%s\n' "$words" >&2
  exit 1
fi
