// Package apiserver asks the API server of this machine: whether it is ready,
// which of its static Pod's processes runs, what its mirror Pod, its metrics, its
// kubeadm-config and its log say.
//
// Start with [New], which never fails: a [Server] without credentials still can
// tell that something answers.
package apiserver
