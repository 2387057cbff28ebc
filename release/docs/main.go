// Docs writes the man page and the completion scripts of auditpatch into a
// folder, as make dist ships them.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"auditpatch/internal/cli"
	"auditpatch/internal/session"
)

func main() {
	dir := flag.String("dir", ".", "folder to write into")
	version := flag.String("version", "dev", "version of auditpatch")
	date := flag.Int64("date", 0, "date of the man page in seconds since 1970")
	flag.Parse()
	if err := write(*dir, *version, time.Unix(*date, 0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir, version string, date time.Time) error {
	files := map[string]string{"auditpatch.1": cli.ManPage(version, date)}
	// Each shell looks for the script under a name of its own.
	for name, shell := range map[string]string{"auditpatch.bash": "bash", "_auditpatch": "zsh", "auditpatch.fish": "fish"} {
		var out, problem bytes.Buffer
		args := []string{"auditpatch", "completion", shell}
		if cli.Main(context.Background(), args, session.Streams{In: strings.NewReader(""), Out: &out, Err: &problem}, version) != 0 {
			return errors.New(problem.String())
		}
		files[name] = out.String()
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
