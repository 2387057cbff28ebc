package cli

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

func (p *program) versionCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "version",
		Usage: "print the version",
		Flags: p.outputFlags(),
		Action: func(*cli.Context) error {
			if p.json {
				p.printJSON(struct {
					Changed  bool   `json:"changed"`
					Version  string `json:"version"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{false, p.version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
				return nil
			}
			fmt.Fprintf(p.Out, "auditpatch %s (%s, %s/%s)\n", p.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	})
}
