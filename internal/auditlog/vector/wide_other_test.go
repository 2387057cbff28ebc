//go:build !amd64 || purego

package vector

func setWide(bool) {}
