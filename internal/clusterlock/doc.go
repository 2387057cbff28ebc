// Package clusterlock keeps two control-plane nodes of a cluster from restarting
// their API servers at the same time, with a Lease, and sees that the others are
// healthy.
//
// Call [Cluster.Enter] before a restart and [Cluster.Leave] after it; [Others]
// only looks.
package clusterlock
