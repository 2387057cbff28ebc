//go:build !linux

package node

import (
	"io/fs"
	"time"
)

func written(info fs.FileInfo) time.Time { return info.ModTime() }
