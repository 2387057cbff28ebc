// Versions prints a table in Markdown of what the end-to-end tests said on several releases of
// Kubernetes.
//
//	go run ./e2e/versions FOLDER
//
// FOLDER/v1.37.2/*/log are the logs of runs on v1.37.2, as ../versions.sh keeps them: read
// collects them, and its result prints itself.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: versions FOLDER")
		return 2
	}
	all, err := read(args[0])
	if err == nil {
		_, err = fmt.Fprint(stdout, all)
	}
	if err != nil {
		fmt.Fprintln(stderr, "versions: error:", err)
		return 2
	}
	return 0
}
