// Package lazyregexp makes regular expressions that are compiled when they are first asked for. The
// program has some sixty, of which one run needs a few: to compile all of them takes a tenth of the
// time of a short run.
package lazyregexp

import (
	"regexp"
	"sync"
)

// New is the regular expression once it is called. It panics then if it is none, which TestCompile
// sees before.
//
//go:noinline
func New(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
