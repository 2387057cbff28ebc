// Package cluster runs a kind cluster for tests and reaches into its control-plane nodes:
// commands, files, the API server's process, what the kubelet did and when. [Start] is the
// first function to call. It needs Docker, kind and, for [Watch], a route to the nodes'
// addresses, as Linux has. Nothing here knows what auditpatch does.
package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
)

// Options say which cluster Start is to bring up.
type Options struct {
	Name       string // of the kind cluster
	Kind       string // path of kind
	Image      string // of the nodes
	OwnImage   bool   // Image has no network add-on, kube-proxy and CoreDNS
	Config     []byte // kind configuration
	Kubeconfig string // file for kind to write; the tests themselves use the nodes' own
	Program    string // path of the static auditpatch binary, put into every node
	Reuse      bool   // a cluster that an earlier Start made from the same options will do
	Log        func(format string, args ...any)
}

// Cluster is a running kind cluster.
type Cluster struct {
	options Options
	nodes   []*Node
}

const (
	markFile     = "/kind/auditpatch-e2e"           // what the cluster was made from
	pristineFile = "/kind/kube-apiserver.yaml.orig" // the manifest as kubeadm wrote it
	startTimeout = 10 * time.Minute
)

// Start makes the cluster, or takes the running one when it may and that one is healthy.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	kubernetes, err := kubernetesOf(ctx, o.Image)
	if err != nil {
		return nil, err
	}
	config, err := Config(o.Config, Machine{OwnImage: o.OwnImage, CgroupV1: cgroupV1(), Kubernetes: kubernetes})
	if err != nil {
		return nil, err
	}
	o.Config = config
	c := &Cluster{options: o}
	if mark := c.mark(ctx); !o.Reuse || !c.reuse(ctx, mark) {
		if err := c.create(ctx, mark); err != nil {
			return nil, err
		}
	}
	for _, n := range c.nodes {
		if err := n.CopyIn(ctx, o.Program, "/usr/local/bin/auditpatch"); err != nil {
			return nil, err
		}
		n.since, n.intended, n.miscounted = time.Now(), 0, nil
	}
	return c, nil
}

// kubernetesOf is the version of Kubernetes in a node image, from the file that kind itself
// looks in: an image's name need not tell.
func kubernetesOf(ctx context.Context, image string) (*version.Version, error) {
	stdout, stderr, exit := run(ctx, nil, "docker", "run", "--rm", "--entrypoint", "cat", image, "/kind/version")
	if exit != 0 {
		return nil, fmt.Errorf("read the version of Kubernetes in %s: %s", image, stderr)
	}
	return version.ParseGeneric(strings.TrimSpace(stdout))
}

// Nodes are the control-plane nodes in the order of their names.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Kubectl runs kubectl as the cluster's administrator, in the first node.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (stdout, stderr string, exit int) {
	return c.nodes[0].Kubectl(ctx, args...)
}

// Endpoint is the address of the API that kubectl uses: the load balancer's where there are
// several nodes, else the node's.
func (c *Cluster) Endpoint(ctx context.Context) (string, error) {
	if len(c.nodes) == 1 {
		return c.nodes[0].Endpoint(), nil
	}
	names, err := c.containers(ctx, "external-load-balancer")
	if err != nil || len(names) != 1 {
		return "", fmt.Errorf("find the load balancer of %s: %q, %w", c.options.Name, names, err)
	}
	return endpoint(ctx, names[0])
}

// Unintended says where the kubelet was told of more or fewer changes of the API server's pod
// since Start than the tests meant to make; see [Node.Intend].
func (c *Cluster) Unintended(ctx context.Context) error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.miscounted, n.unintended(ctx))
	}
	return errors.Join(errs...)
}

// Collect copies what explains a failure into the folder dir, below each node's name.
func (c *Cluster) Collect(ctx context.Context, dir string) error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.collect(ctx, filepath.Join(dir, n.Name())))
	}
	return errors.Join(errs...)
}

// mark is the digest of everything that a reused cluster must have been made from.
func (c *Cluster) mark(ctx context.Context) string {
	id, _, _ := run(ctx, nil, "docker", "image", "inspect", "-f", "{{.Id}}", c.options.Image)
	sum := sha256.Sum256(append([]byte(c.options.Image+id), c.options.Config...))
	return fmt.Sprintf("%x", sum)
}

// reuse takes the running cluster over, with its nodes put back as they were made.
func (c *Cluster) reuse(ctx context.Context, mark string) bool {
	if err := c.find(ctx); err != nil || len(c.nodes) == 0 {
		return false
	}
	for _, n := range c.nodes {
		if have, err := n.ReadFile(ctx, markFile); err != nil || string(have) != mark {
			c.options.Log("cluster %s was made from something else", c.options.Name)
			return false
		}
	}
	for _, n := range c.nodes {
		if err := n.ResetManifest(ctx); err != nil {
			c.options.Log("cluster %s cannot be used again: %v", c.options.Name, err)
			return false
		}
	}
	c.options.Log("cluster %s is used again", c.options.Name)
	return true
}

// create replaces whatever cluster has the name. The mark comes last: a cluster that was
// made only half way is not used again.
func (c *Cluster) create(ctx context.Context, mark string) error {
	started := time.Now()
	if _, stderr, exit := c.kind(ctx, "delete", "cluster"); exit != 0 {
		return fmt.Errorf("kind delete cluster: %s", stderr)
	}
	nodes, err := nodesOf(c.options.Config)
	if err != nil {
		return err
	}
	if err := Room(nodes); err != nil {
		return err
	}
	if err := c.kindCreate(ctx); err != nil {
		return err
	}
	if err := c.find(ctx); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := n.prepare(ctx, mark); err != nil {
			return err
		}
	}
	c.options.Log("cluster %s made in %.1f s", c.options.Name, time.Since(started).Seconds())
	return nil
}

// kindCreate leaves the containers of a cluster that does not come up: their logs say why.
func (c *Cluster) kindCreate(ctx context.Context) error {
	file, err := os.CreateTemp("", "kind-*.yaml")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err = file.Write(c.options.Config); err == nil {
		err = file.Close()
	}
	if err != nil {
		return err
	}
	_, stderr, exit := c.kind(ctx, "create", "cluster", "--image", c.options.Image,
		"--config", file.Name(), "--wait", "5m", "--retain")
	if exit != 0 {
		return fmt.Errorf("kind create cluster (the containers are kept): %s", stderr)
	}
	return nil
}

// Delete removes the cluster, for a test that made one that no other can use.
func (c *Cluster) Delete() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, stderr, exit := c.kind(ctx, "delete", "cluster"); exit != 0 {
		return fmt.Errorf("kind delete cluster: %s", stderr)
	}
	return os.Remove(c.options.Kubeconfig)
}

// kind runs kind on this cluster.
func (c *Cluster) kind(ctx context.Context, args ...string) (stdout, stderr string, exit int) {
	args = append(args, "--name", c.options.Name, "--kubeconfig", c.options.Kubeconfig)
	return run(ctx, nil, c.options.Kind, args...)
}

// find fills in the nodes of the running cluster, if there is one.
func (c *Cluster) find(ctx context.Context) error {
	names, err := c.containers(ctx, "control-plane")
	if err != nil {
		return err
	}
	slices.Sort(names)
	c.nodes = nil
	for _, name := range names {
		address, err := endpoint(ctx, name)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, &Node{name: name, endpoint: address})
	}
	return nil
}

// containers are the names of the cluster's running containers in a role of kind's.
func (c *Cluster) containers(ctx context.Context, role string) ([]string, error) {
	stdout, stderr, exit := run(ctx, nil, "docker", "ps", "--format", "{{.Names}}",
		"--filter", "label=io.x-k8s.kind.cluster="+c.options.Name,
		"--filter", "label=io.x-k8s.kind.role="+role)
	if exit != 0 {
		return nil, fmt.Errorf("docker ps: %s", stderr)
	}
	return strings.Fields(stdout), nil
}

// endpoint is the API's address on a container.
func endpoint(ctx context.Context, container string) (string, error) {
	stdout, stderr, exit := run(ctx, nil, "docker", "inspect", "-f",
		"{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", container)
	addresses := strings.Fields(stdout)
	if exit != 0 || len(addresses) == 0 {
		return "", fmt.Errorf("find the address of %s: %s", container, stderr)
	}
	return addresses[0] + ":6443", nil
}
