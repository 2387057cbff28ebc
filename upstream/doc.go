// Package upstream holds auditpatch's tables against the code they were taken from:
// the flags, their defaults and their rules against k8s.io/apiserver, the checks of a
// webhook's kubeconfig against client-go, the limits of rotation against lumberjack.
//
// It is a module of its own so that none of this weighs on auditpatch. It has only tests:
//
//	go test ./...                       against the newest release, as in go.mod
//	go test -modfile=go135.mod ./...    against 1.35, the last before rotation changed
//	go test -modfile=go130.mod ./...    against 1.30, the oldest that the tests in clusters run on
//
// k8s.io/apiserver 1.30 does not compile with what others here require, so go130.mod replaces
// each of these modules by the version that 1.30 itself was made with.
//
// The folder kubelet is another module, on k8s.io/kubernetes: go.mod has the newest release,
// go136.mod the last that could still be told to take a static pod which names API objects.
package upstream
