// Package change turns audit logging on and off, goes back to a backup, and ends
// runs that died: it reads the node, plans, and hands the plan to rollout.
//
// Call [Enable], [Disable], [Restore] or [Recover] with a request; [Diff] plans
// and changes nothing. What comes back is a [Result]; [Result.Failure] tells what
// an error means for whoever called the program.
package change
