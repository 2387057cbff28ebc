// Package simnode is a control-plane node in namespaces of its own, for tests
// that run the real program on it: a scenario that takes minutes in a kind
// cluster takes a second or two here. It proves decisions; a real cluster stays
// the judge of what Kubernetes really does, and of its timing.
//
// A node is three programs, all of them this test binary under another name
// (see [Main]):
//
//   - the machine, pid 1 of the node's namespaces: boots, reboots and runs
//     whatever a test asks for (machine_linux.go), and is the container runtime
//     (runtime_linux.go, container_linux.go). It outlives the kubelet, as a
//     containerd does;
//   - a stand-in for the kubelet: the part that runs static Pods. source_linux.go
//     reads manifests, pod.go gives them their identity, worker_linux.go starts
//     and ends Pods, volumes_linux.go checks host paths, mirror_linux.go speaks
//     to the API server. Each names the function of Kubernetes that it follows;
//   - a stand-in for kube-apiserver: flags, certificates, health, audit log,
//     objects kept in files, and an end that takes as long as somebody watches.
//
// All waits of the stand-ins are divided by [Speed], and the program under test
// is linked with the same divisor (auditpatch/internal/wait.speed).
//
// The scenarios are in the _test files: run_test.go is what they are written in,
// and a first one to read is in plain_test.go.
//
//	go test -v -run TestScenarios ./internal/simnode            what fits into a minute, and a table
//	go test -v -run TestScenarios ./internal/simnode -all       every variant
package simnode
