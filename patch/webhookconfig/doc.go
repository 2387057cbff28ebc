// Package webhookconfig writes and checks the kubeconfig that names a webhook
// backend.
//
// Call [Kubeconfig] to write one, [Check] for one that is there.
package webhookconfig
