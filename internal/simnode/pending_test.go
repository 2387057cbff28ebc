//go:build linux

package simnode

// pending are scenarios of faults that are known and not mended yet: name -> why.
// Whoever mends one takes its name out.
var pending = map[string]string{}
