// Package webhook finds out whether the receiver of a webhook takes audit events:
// before a change, by posting one, and after it, by kube-apiserver's own counters.
//
// Start with [Read].
package webhook
