package presets_test

import (
	"fmt"
	"strings"

	"auditpatch/presets"
)

// The first is the one to take unless there is a reason.
func ExampleAll() {
	for _, p := range presets.All() {
		fmt.Printf("%s: %s\n", p.Name, p.Purpose)
	}
	// Output:
	// baseline: who changed what, who read secrets and who went into pods, without the hum of the cluster
	// metadata: every request: who did what, when, from where and with what answer
	// writes: every change with what was sent, and who went into pods; no reads
	// incident: as much as is safe: every request, changes of most built-in objects with both bodies
	// who-reads-secrets: who read which secret, or tried to
	// pod-deletions: who deleted or evicted which pod, one by one or all at once
	// falco: what the rules of Falco's plugin k8saudit look at, for the webhook or a file it follows
	// cis: CIS Kubernetes Benchmark 3.2.2 point by point, and no request left out
	// stig: the policy of STIG V-242403 as it is written there: every request with all bodies
	// kubernetes-docs: the example of the Kubernetes documentation, rule for rule, to compare and to learn from
	// gke: what the API servers of Google's clusters log, made to fit a cluster of kubeadm
	// openshift-default: OpenShift's audit profile Default: every request without bodies, but for logins
	// openshift-write-bodies: OpenShift's audit profile WriteRequestBodies: each change with both bodies, reads without
	// openshift-all-bodies: OpenShift's audit profile AllRequestBodies: every request with both bodies
	// everything: every request with what was sent and what came back
	// none: nothing is written; the switch is on and the flags are set, to be given a policy later
}

// Namespaced presets can be limited to namespaces. A misspelt name gets a proposal.
func ExampleGet() {
	p, err := presets.Get(presets.Default)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Name, p.Namespaced)
	_, err = presets.Get("basline")
	fmt.Println(err)
	// Output:
	// baseline false
	// no preset "basline": did you mean "baseline"? there are baseline, metadata, writes, incident, who-reads-secrets, pod-deletions, falco, cis, stig, kubernetes-docs, gke, openshift-default, openshift-write-bodies, openshift-all-bodies, everything, none
}

// The policy is the file as it will lie on the node, with a comment on each rule.
func ExamplePreset_Policy() {
	p, err := presets.Get("pod-deletions")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := p.Policy([]string{"shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, rules, _ := strings.Cut(string(text), "rules:\n")
	first, _, _ := strings.Cut(strings.TrimSpace(rules), "\n\n")
	fmt.Println(first)
	// Output:
	// # Only the answer tells which pods went when all of a namespace or of a selector were deleted: it
	//   # lists them. That is also how they go when their namespace is deleted.
	//   - level: RequestResponse
	//     verbs: ["deletecollection"]
	//     namespaces: ["shop"]
	//     resources:
	//       - group: ""
	//         resources: ["pods"]
}
