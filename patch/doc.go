// Package patch knows what audit logging needs and turns what the user asks
// for into a Plan: which files get which bytes, in which order, and why.
// It is pure: it reads and writes nothing, so a Plan can be printed, compared
// or carried out elsewhere.
//
// Call Files first to learn which files of the node it has to see, then
// Enable, Disable or Restore with their contents as a State. Inspect tells
// what a manifest has configured. PlanKubeadm plans the same settings for
// kubeadm's ClusterConfiguration, and the functions Export... write them as
// files for clusters that are still to be made.
package patch
