// Package expect holds a policy against a file of expectations: which requests it is
// to record, at which level, for whom. People write the file by hand, and run it in CI.
//
// Load reads such a file strictly, and Run asks a policy. A file has users by short
// names, and tests:
//
//	users:
//	  alice: {groups: [devs]}
//	tests:
//	- name: who opens a shell is recorded
//	  as: [alice, anonymous]
//	  requests: [kubectl exec web -- sh, "GET /api/v1/namespaces/a/pods/web/exec"]
//	  level: at least Metadata
//
// Package explain answers for each request; nothing is decided here.
package expect
