//go:build e2e

// Package e2e drives the built auditpatch in kind clusters. "make e2e" runs it; README.md
// says how and with what. Each test begins with [begin].
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"auditpatch/e2e/cluster"
)

// The clusters of all tests: one node, and three, which is made when a test asks for it.
var (
	oneNode    *cluster.Cluster
	threeNodes = sync.OnceValues(func() (*cluster.Cluster, error) {
		return start("-three", "three-nodes.yaml")
	})
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// most is how many nodes there are at once when all tests run: those of oneNode and threeNodes,
// and that of TestKindCluster.
const most = 5

func run(m *testing.M) int {
	var err error
	if os.Getenv("E2E_PART") == "three" { // whoever runs the other tests makes the other cluster
		return m.Run()
	}
	if os.Getenv("E2E_RUN") == "" && os.Getenv("E2E_KEEP") != "1" {
		if err = cluster.Room(most); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: error:", err)
			return 1
		}
	}
	if oneNode, err = start("", "../kind-config.yaml"); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	status := m.Run()
	if err := oneNode.Unintended(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: all tests together:", err)
		status = max(status, 1)
		if err := oneNode.Collect(context.Background(), "out/all"); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
		}
		fmt.Fprintln(os.Stderr, "e2e: logs in e2e/out/all")
	}
	return status
}

// start brings up a cluster from a kind configuration, with what run.sh prepared.
func start(suffix, config string) (*cluster.Cluster, error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	if os.Getenv("E2E_KIND") == "" {
		return nil, fmt.Errorf("E2E_KIND is not set: run the tests with make e2e")
	}
	program, err := filepath.Abs("../auditpatch")
	if err != nil {
		return nil, err
	}
	name := os.Getenv("E2E_CLUSTER") + suffix
	return cluster.Start(context.Background(), cluster.Options{
		Name:       name,
		Kind:       os.Getenv("E2E_KIND"),
		Image:      os.Getenv("E2E_NODE_IMAGE"),
		OwnImage:   os.Getenv("E2E_OWN_IMAGE") == "1",
		Config:     text,
		Kubeconfig: filepath.Join(os.Getenv("E2E_CACHE"), name+".kubeconfig"),
		Program:    program,
		Reuse:      os.Getenv("E2E_KEEP") == "1",
		Log: func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, "e2e: "+format+"\n", args...)
		},
	})
}
