package auditflags

import (
	"fmt"
	"strconv"
	"strings"

	"auditpatch/internal/lazyregexp"
)

// Version is a Kubernetes release, such as 1.36. The zero Version is unknown.
type Version struct{ Major, Minor int }

// AtLeast reports whether v is known and is o or a later release.
func (v Version) AtLeast(o Version) bool {
	if v == (Version{}) {
		return false
	}
	return v.Major > o.Major || v.Major == o.Major && v.Minor >= o.Minor
}

// Before reports whether v is known and is an earlier release than o.
// An unknown version is neither before o nor at least o.
func (v Version) Before(o Version) bool {
	return v != (Version{}) && !v.AtLeast(o)
}

// String returns "1.36", or "unknown".
func (v Version) String() string {
	if v == (Version{}) {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// A release tag may go on with what a vendor or a build adds: v1.29.3-eks-1,
// v1.31.0-alpha.1.12_0a1b2c, v1.30.1_vmware.1. No more than three digits, so that
// a date (20240131.1) is not taken for a release.
var releaseTag = lazyregexp.New(`^v?([1-9][0-9]{0,2})\.([0-9]{1,3})(?:[.+_-].*)?$`)

// ParseImageVersion reads the release from the tag of a container image reference.
// A reference without a tag, with a tag that names no release (latest), or with
// a digest alone gives false.
func ParseImageVersion(image string) (Version, bool) {
	image, _, _ = strings.Cut(image, "@")
	last := image[strings.LastIndexByte(image, '/')+1:]
	_, tag, ok := strings.Cut(last, ":")
	if !ok {
		return Version{}, false
	}
	m := releaseTag().FindStringSubmatch(tag)
	if m == nil {
		return Version{}, false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return Version{major, minor}, true
}
