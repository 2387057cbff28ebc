// Package standin has stand-ins for what surrounds the program on a node, for
// tests: the node's file tree with its /proc, an API server, a webhook's
// receiver. The real ones are in e2e.
//
// Start with [NewTree] or [NewAPIServer].
package standin
