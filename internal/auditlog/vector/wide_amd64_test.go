//go:build !purego

package vector

func setWide(to bool) { wide = to }
