//go:build !linux

package apiserver

import (
	"os"
	"syscall"
)

var terminate = os.Interrupt

func attributes() *syscall.SysProcAttr { return nil }
