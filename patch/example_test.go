package patch_test

import (
	"fmt"
	"strings"

	"auditpatch/manifest"
	"auditpatch/patch"
)

// freshNode is a node as it was read: it has a manifest, and none of the other files.
func freshNode() patch.State {
	return patch.State{
		Manifest: patch.File{
			Path:   "/etc/kubernetes/manifests/kube-apiserver.yaml",
			Exists: true,
			Mode:   0o600,
			Data:   []byte(pod("", "", "", "")),
		},
		Files: map[string]patch.File{}, // nil would plan for the manifest alone
	}
}

const examplePolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
`

// A plan says which files get which bytes, in the order in which they have to be
// written. Nothing has been written yet.
func ExampleEnable() {
	state := freshNode()
	options := patch.Options{
		Policy: &patch.Content{Origin: "policy.yaml", Detail: "1 rule", Data: []byte(examplePolicy)},
		Flags:  map[string]string{"audit-log-maxage": "7"},
	}
	files, err := patch.Files(state, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("read first:", files.All())
	plan, err := patch.Enable(state, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range plan.Changes {
		fmt.Println(c.Kind, c.Path, c.Mode, c.Why)
	}
	text, _ := plan.Text(plan.Manifest)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "--audit") {
			fmt.Print(strings.TrimLeft(line, " "))
		}
	}
	// Output:
	// read first: [/etc/kubernetes/audit-policy.yaml /var/log/kubernetes/audit /var/log/kubernetes/audit/audit.log]
	// mkdir /var/log/kubernetes/audit -rwx------ new folder, 0700 0:0
	// write /etc/kubernetes/audit-policy.yaml -rw------- new: policy.yaml, 1 rule
	// write /etc/kubernetes/manifests/kube-apiserver.yaml -rw------- +5 flags +2 mounts +2 volumes +1 annotation
	// - --audit-policy-file=/etc/kubernetes/audit-policy.yaml
	// - --audit-log-path=/var/log/kubernetes/audit/audit.log
	// - --audit-log-maxage=7
	// - --audit-log-maxbackup=10
	// - --audit-log-maxsize=100
}

// Disable gives back the manifest of before, byte for byte.
func ExampleDisable() {
	state := freshNode()
	before := string(state.Manifest.Data)
	plan, err := patch.Enable(state, patch.Options{Policy: &patch.Content{Data: []byte(examplePolicy)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	state.Manifest.Data, _ = plan.Text(plan.Manifest)
	if plan, err = patch.Disable(state, false); err != nil {
		fmt.Println(err)
		return
	}
	text, _ := plan.Text(plan.Manifest)
	fmt.Println(plan.Counts(), string(text) == before)
	// Output: -5 flags -2 mounts -2 volumes -1 annotation true
}

// Settings are what counts of a manifest, with the paths as the node has them.
func ExampleInspect() {
	m, err := manifest.Parse("kube-apiserver.yaml", []byte(pod(allFlags, policyMount+logMount, volumes, "")))
	if err != nil {
		fmt.Println(err)
		return
	}
	now := patch.Inspect(m)
	fmt.Println(now.Version, now.Policy.Host, now.Log.Host, now.Flags["audit-log-maxsize"], now.Webhook == nil)
	// Output: 1.36 /etc/kubernetes/audit-policy.yaml /var/log/kubernetes/audit/audit.log 100 true
}
