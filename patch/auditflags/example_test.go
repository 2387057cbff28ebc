package auditflags_test

import (
	"fmt"

	"auditpatch/patch/auditflags"
)

// What kube-apiserver would refuse at its start is found without it.
func ExampleCheck() {
	errs, warns := auditflags.Check(map[string]string{
		"audit-policy-file":    "/etc/kubernetes/audit-policy.yaml",
		"audit-log-path":       "/var/log/kubernetes/audit/audit.log",
		"audit-log-maxbackup":  "ten",
		"audit-log-max-backup": "10",
	}, auditflags.Version{Major: 1, Minor: 36})
	for _, p := range append(errs, warns...) {
		fmt.Println(p.Message)
	}
	// Output:
	// --audit-log-max-backup: not an audit flag of kube-apiserver
	// --audit-log-maxbackup "ten": not a whole number
}
