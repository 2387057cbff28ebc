//go:build !linux

package simnode

import "testing"

func TestScenarios(t *testing.T) {
	t.Skip("a node is made of Linux namespaces")
}
