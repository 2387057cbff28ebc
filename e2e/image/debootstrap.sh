#!/bin/bash
# debootstrap.sh SUITE MIRROR PACKAGES: a Debian root file system in memory, as an archive on
# standard output. Must run in a mount namespace of its own.
set -euo pipefail
root=$(mktemp -d)
mount -t tmpfs e2e "$root"
debootstrap --variant=minbase --include="$3" "$1" "$root" "$2" >&2
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
tar --numeric-owner -C "$root" --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -cf - .
