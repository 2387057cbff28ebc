// Kubeletcheck asks the kubelet's own code whether it would run static pod manifests.
//
//	kubeletcheck FILE...
//
// It prints a line for each file, "FILE: ok" or "FILE: why not", and exits 1 when
// any is refused, 2 when it cannot tell. The answer is that of k8s.io/kubernetes
// as in go.mod, or in go136.mod with -modfile, with its default feature gates.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(files []string, stdout, stderr io.Writer) int {
	if len(files) == 0 {
		fmt.Fprintln(stderr, "usage: kubeletcheck FILE...")
		return 2
	}
	refusals, err := check(files)
	if err != nil {
		fmt.Fprintln(stderr, "kubeletcheck: error:", err)
		return 2
	}
	out := bufio.NewWriter(stdout)
	code := 0
	for i, file := range files {
		if refusals[i] == "" {
			fmt.Fprintf(out, "%s: ok\n", file)
			continue
		}
		code = 1
		fmt.Fprintf(out, "%s: %s\n", file, refusals[i])
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(stderr, "kubeletcheck: error:", err)
		return 2
	}
	return code
}
