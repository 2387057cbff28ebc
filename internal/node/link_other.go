//go:build !linux

package node

func (t tree) touchLink(string) {}
