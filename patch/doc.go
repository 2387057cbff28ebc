// Package patch knows what audit logging needs, and turns the user's options into
// a Plan: which files get which bytes, in which order, and why.
// It is pure: it reads and writes nothing, so a Plan can be printed, compared
// or executed elsewhere.
//
// Call Files first to learn which files of the node are needed, then Enable,
// Disable or Restore with their contents as a State. Inspect returns what a
// manifest configures. PlanKubeadm plans the same settings for
// kubeadm's ClusterConfiguration, and the functions Export... write them as
// files for new clusters.
package patch
