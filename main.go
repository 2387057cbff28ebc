// Auditpatch turns Kubernetes audit logging on, and keeps it right, on
// control-plane nodes that kubeadm or kind made.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"k8s.io/klog/v2"

	"auditpatch/internal/ansible"
	"auditpatch/internal/cli"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/session"
)

// version is set at build time.
var version = "dev"

func main() {
	os.Exit(run())
}

// run is main without the exit, so that what it defers runs.
func run() int {
	rehearsal.Stage(os.Args)
	// What Kubernetes' libraries would log this program says itself.
	klog.SetLogger(klog.New(nil)) // SetOutput would leave errors on stderr
	// A run ends at little more than the 4 MB at which the first collection would begin,
	// which takes a tenth of its time.
	debug.SetGCPercent(200)
	// A dropped SSH connection must not end a change half way.
	detached := signal.Ignored(syscall.SIGHUP) // as nohup does
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	// Not given back at the end: a signal that comes then must not be the exit status of
	// a change that was made.
	// SIGQUIT, Ctrl-\ on a terminal, would end the program where it is, files written or not.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	streams := session.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Detached: detached}
	if text, isTask := ansible.TaskFile(os.Args); isTask {
		return ansible.Main(ctx, text, streams, version)
	}
	return cli.Main(ctx, os.Args, streams, version)
}
