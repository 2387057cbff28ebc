// Auditlog writes a made-up audit log of some MB to standard output, always the same:
// auditlog 400 > audit.log
package main

import (
	"fmt"
	"os"
	"strconv"

	"auditpatch/internal/standin/auditevents"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "auditlog:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: auditlog MB")
	}
	size, err := strconv.Atoi(args[0])
	if err != nil || size < 1 {
		return fmt.Errorf("%q is not a number of MB", args[0])
	}
	g := auditevents.New(1)
	for range size {
		if _, err := os.Stdout.Write(g.Log(1e6)); err != nil {
			return err
		}
	}
	return nil
}
