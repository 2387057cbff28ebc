package simnode

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// pid 1 stays on its first thread, whose namespaces are the node's for whoever
// looks from outside; see [launch.fork].
func init() {
	if filepath.Base(os.Args[0]) == "simnode-init" {
		runtime.LockOSThread()
	}
}

// Main runs the part of a node that this process was started as, which its name
// (argv[0]) tells. It returns false for any other name: then this is the test.
func Main() bool {
	var part func() error
	switch filepath.Base(os.Args[0]) {
	case "simnode-init":
		part = runMachine
	case "kubelet":
		part = runKubelet
	case "kube-apiserver":
		part = runServer
	default:
		return false
	}
	if os.Getenv(envBystander) != "" {
		part = stand // it only has the name
	}
	if err := part(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		time.Sleep(lastWords)
		os.Exit(1)
	}
	return true
}

// lastWords is time for whoever copies them: else the program under test may look
// for them in vain on a busy machine; see [Faults.LateLog].
const lastWords = 50 * time.Millisecond

// The environment carries what the parts are told by those who start them.
const (
	envMachine   = "SIMNODE_MACHINE"   // to pid 1
	envFaults    = "SIMNODE_FAULTS"    // to kube-apiserver
	envBystander = "SIMNODE_BYSTANDER" // a file to note signals in
)

// fromEnv decodes what an environment variable carries, and removes it.
func fromEnv(name string, into any) error {
	text := os.Getenv(name)
	if err := os.Unsetenv(name); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// toEnv is the opposite.
func toEnv(name string, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return name + "=" + string(data)
}
