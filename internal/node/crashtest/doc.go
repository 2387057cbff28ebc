// Package crashtest is for tests only. It runs a program under ptrace(2) and
// kills it at a chosen file system call, so that a test can try every instant at
// which a change of files may be cut off:
//
//	for n := 1; ; n++ {
//		fresh tree
//		res, err := crashtest.Run(program, n)
//		if !res.Killed {
//			break // it ended before its n-th call: all have been tried
//		}
//		look at the tree, recover, look again
//	}
//
// The call at which the program dies is not carried out. A death after a call is
// a death at the next one; for the same reason close(2) does not count, it leaves
// the disk as it is.
package crashtest
