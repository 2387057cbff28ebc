// Package controlplane has a made-up control-plane node for tests that ask an API
// server through package apiserver. It is apart from package standin because
// apiserver's own tests need that one.
//
// Start with [New].
package controlplane

import (
	"testing"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/node"
	"auditpatch/internal/standin"
)

// Node is a made-up API server and the file tree of the node that it runs on.
type Node struct {
	*standin.APIServer
	standin.Tree
	Server *apiserver.Server // what the program makes of the two
}

// New is a node whose API server finds nothing yet.
func New(t testing.TB) *Node {
	t.Helper()
	n := &Node{APIServer: standin.NewAPIServer(t), Tree: standin.NewTree(t)}
	n.Server = apiserver.New(node.New(n.Root, ""), n.Spec)
	return n
}
