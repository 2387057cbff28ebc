// Package rollout carries a plan out on a node, as a whole or not at all:
// lock, compare, journal, back up, write in the plan's order, wait and prove,
// keep; or put everything back.
//
// A live node's API server is drained (restart.go), waited for (wait.go) and
// proven (prove.go, hook.go); Live puts these together, within the cluster's lock.
//
// Call Run with a plan. Call Recover first, in whatever command changes a
// node: it ends a run that died half way.
package rollout
