// Package proc looks at the processes of the machine, at the Pods that they run
// in and at their connections, and ends them as far as a restart needs that.
//
// Start with a [Host] and [Host.Processes].
package proc
