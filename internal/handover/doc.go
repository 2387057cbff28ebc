// Package handover has a second kube-apiserver serve while the node's own restarts, so that
// nobody notices: new TCP connections for the API server's port go to the second one's
// listener (sk_lookup, a BPF program of the network namespace), the endpoints of the Service
// kubernetes stay filled, and the audit events of that time end up in the API server's log.
//
// Start with [Possible] and [Prepare]. A [Standby] is attached with [Standby.Attach] before
// anything is written, and ended with [Standby.End] when the API server is back. All of it
// ends with this process, however it ends: the links are descriptors, and the second server is
// tied to its parent. Only the events lie on disk, for [Settle] of the next run.
package handover
