//go:build !linux

package handover

import (
	"errors"
	"os"
)

// redirect is for Linux only, as nodes are.
type redirect struct{}

func newRedirect(int) (*redirect, error) { return nil, errors.New("only Linux has sk_lookup") }

func (*redirect) attach(*os.File) error { return errors.ErrUnsupported }

func (*redirect) close() {}

func labelNear(string) []byte { return nil }

func setLabel(*os.File, []byte) error { return nil }

// local is for Linux only too.
type local struct{}

func takeLocal(int, int, ...string) (*local, error) { return nil, errors.ErrUnsupported }

func (*local) close() {}

func ownName() (string, error) { return "", errors.ErrUnsupported }
