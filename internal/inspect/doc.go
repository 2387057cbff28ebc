// Package inspect says how a node is: what is configured, what runs, and whether
// they fit together. It changes nothing.
//
// Call [Status], [Doctor] or [LastFailure].
package inspect
