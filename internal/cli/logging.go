package cli

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/answers"
	"auditpatch/internal/inspect"
	"auditpatch/internal/simulate"
	"auditpatch/internal/target"
	"auditpatch/patch"
)

// Logging are the flags that name a node, and what finds out how it logs.
func (c console) Logging(command string) ([]cli.Flag, func() (answers.Logging, error)) {
	n := &nodeFlags{}
	return n.flags(), func() (answers.Logging, error) {
		o := n.options(c.p)
		o.Command = command
		t, err := target.New(o)
		if err != nil {
			return answers.Logging{}, err
		}
		l, err := inspect.LookAtLogging(t)
		if err != nil {
			return answers.Logging{}, err
		}
		out := answers.Logging{Log: l.Log, PolicyName: l.PolicyName, Policy: l.Policy, Used: l.Usage.Bytes}
		if l.Log != "" {
			out.Rotation = rotationOf(l)
		}
		if l.Space != nil {
			out.Free, out.FreeKnown = l.Space.Free, true
		}
		return out, nil
	}
}

// rotationOf is what the flags mean to this version of kube-apiserver: up to 1.35 all are 0
// unless they are set, and a size of 0 stands for 100 MB.
func rotationOf(l inspect.Logging) *simulate.Rotation {
	late := l.Version.AtLeast(patch.Version{Major: 1, Minor: 36})
	number := func(name string, otherwise int64) int64 {
		text, set := l.Flags[name]
		n, err := strconv.ParseInt(text, 10, 64)
		if !set || err != nil {
			return otherwise
		}
		return n
	}
	of := func(n int64) int64 { // what a flag is that is not set
		if late {
			return n
		}
		return 0
	}
	r := &simulate.Rotation{
		MaxSize: number("audit-log-maxsize", of(100)), MaxBackup: number("audit-log-maxbackup", of(100)), MaxAge: number("audit-log-maxage", of(366)),
	}
	if r.MaxSize == 0 && !late {
		r.MaxSize = 100
	}
	r.Compress, _ = strconv.ParseBool(l.Flags["audit-log-compress"])
	return r
}
