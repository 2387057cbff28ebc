package manifest_test

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/manifest"
)

const path = "/etc/kubernetes/manifests/kube-apiserver.yaml"

var small = []byte(`apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
spec:
  containers:
  - name: kube-apiserver
    command:
    - kube-apiserver
    - --secure-port=6443   # behind the load balancer
    - --profiling
    image: registry.k8s.io/kube-apiserver:v1.36.3
`)

// Only the lines of the flags differ: the comment keeps its place.
func Example() {
	f, err := manifest.Parse(path, small)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := f.Apply(
		manifest.SetFlag{Name: "profiling", Value: "false"},
		manifest.SetFlag{Name: "v", Value: "2"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// apiVersion: v1
	// kind: Pod
	// metadata:
	//   name: kube-apiserver
	// spec:
	//   containers:
	//   - name: kube-apiserver
	//     command:
	//     - kube-apiserver
	//     - --secure-port=6443   # behind the load balancer
	//     - --profiling=false
	//     - --v=2
	//     image: registry.k8s.io/kube-apiserver:v1.36.3
}

// Dropping what was added gives back the same bytes.
func ExampleFile_Edited() {
	f, err := manifest.Parse(path, small)
	if err != nil {
		fmt.Println(err)
		return
	}
	kind := corev1.HostPathDirectoryOrCreate
	with, err := f.Edited(
		manifest.AddVolume{Volume: corev1.Volume{Name: "tmp", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/var/tmp", Type: &kind}}}},
		manifest.AddMount{Mount: corev1.VolumeMount{Name: "tmp", MountPath: "/tmp"}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	without, err := with.Apply(manifest.DropMount{MountPath: "/tmp"}, manifest.DropVolume{Name: "tmp"})
	fmt.Println(with.Container().VolumeMounts[0].MountPath, string(without) == string(small), err)
	// Output: /tmp true <nil>
}

// Flags tell where they stand, whatever their spelling.
func ExampleFile_Flags() {
	f, err := manifest.Parse(path, small)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, flag := range f.Flags() {
		fmt.Printf("%d:%d %s %q\n", flag.Line, flag.Col, flag.Name, flag.Value)
	}
	// Output:
	// 10:7 secure-port "6443"
	// 11:7 profiling ""
}

// A refusal says where and why, and often what to do.
func ExampleError() {
	_, err := manifest.Parse("kube-apiserver.yaml", []byte(`apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver}
spec:
  containers:
  - name: kube-apiserver
    command: [kube-apiserver, --secure-port=6443]
    tty: "yes"
`))
	var refusal *manifest.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Line, refusal.Col)
	}
	fmt.Println(err)
	// Output:
	// 8 10
	// kube-apiserver.yaml:8:10: the kubelet cannot read this as a Pod: spec.containers.tty is a string, not a bool
}

// kubeadm writes the manifest anew from its ClusterConfiguration, which is edited the
// same way.
func ExampleParseClusterConfig() {
	c, err := manifest.ParseClusterConfig("kubeadm.yaml", []byte(`apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  extraArgs:
  - name: v
    value: "2"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := c.Apply(manifest.SetArg{Name: "profiling", Value: "false"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// apiVersion: kubeadm.k8s.io/v1beta4
	// kind: ClusterConfiguration
	// apiServer:
	//   extraArgs:
	//   - name: v
	//     value: "2"
	//   - name: profiling
	//     value: "false"
}
