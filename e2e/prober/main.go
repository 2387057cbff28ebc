// Command prober asks an API server for its health with a new connection each time, until its
// standard input ends. Then it prints when it was told 200, in microseconds, one time a line.
// It runs in a node, where the API server has addresses that nobody else can reach.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"auditpatch/e2e/cluster"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: prober HOST:PORT EVERY")
	}
	every, err := time.ParseDuration(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	p := cluster.NewProber(os.Args[1], every)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}
	out := bufio.NewWriter(os.Stdout)
	for _, at := range p.Stop() {
		fmt.Fprintln(out, at.UnixMicro())
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
