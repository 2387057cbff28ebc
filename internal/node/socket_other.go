//go:build !linux

package node

import "errors"

// Abort is for Linux only, as nodes are.
func (n *Node) Abort(Process, []Connection) error { return errors.ErrUnsupported }

// Kill is for Linux only, as nodes are.
func (n *Node) Kill(Process) error { return errors.ErrUnsupported }
