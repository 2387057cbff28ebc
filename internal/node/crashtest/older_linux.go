//go:build linux && !amd64

package crashtest

var older = map[uint64]spec{}
