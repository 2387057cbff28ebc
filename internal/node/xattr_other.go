//go:build !linux

package node

import "os"

// xattrs and setXattrs: control planes run on Linux. Elsewhere the tool only
// edits images, whose labels are set when they are booted.
func xattrs(*os.File) (map[string][]byte, error) { return nil, nil }

func setXattrs(*os.File, map[string][]byte) error { return nil }
