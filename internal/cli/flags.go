package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/clusterlock"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// Flag categories, in the order of the help text.
const (
	whatCategory  = "1. What to log"
	hookCategory  = "2. Where else to send it"
	howCategory   = "3. How"
	auditCategory = "4. kube-apiserver's own audit flags"
)

const defaultManifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"

// settingFlags are the flags of enable and diff, from one place: the audit
// flags come from the table in package patch.
func settingFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "preset", Category: whatCategory, Usage: "a policy that ships with auditpatch, see: auditpatch policy list"},
		&cli.StringSliceFlag{Name: "namespace", Category: whatCategory, Usage: "namespace of a preset that takes namespaces; may be repeated"},
		&cli.StringFlag{Name: "policy", Category: whatCategory, Usage: "a policy `FILE` of your own, - for standard input; without --preset and --policy the policy that is there stays, else it is the preset baseline"},
		&cli.StringFlag{Name: "log-group", Category: whatCategory, Usage: "`GROUP` (name or number) that may read the log, for log shippers"},
		&cli.StringFlag{Name: "log-file-mode", Category: whatCategory, Usage: "mode of the log file in octal, such as 0640; kept when the log is rotated"},
		&cli.StringFlag{Name: "webhook-config", Category: hookCategory, Usage: "a kubeconfig `FILE` for the webhook backend, - for standard input"},
		&cli.StringFlag{Name: "webhook-url", Category: hookCategory, Usage: "`URL` that events are posted to; auditpatch writes the kubeconfig"},
		&cli.StringFlag{Name: "webhook-ca", Category: hookCategory, Usage: "PEM `FILE` with the CA of --webhook-url"},
		&cli.StringFlag{Name: "webhook-client-cert", Category: hookCategory, Usage: "PEM `FILE` with the certificate that the API server shows to --webhook-url"},
		&cli.StringFlag{Name: "webhook-client-key", Category: hookCategory, Usage: "PEM `FILE` with the key of --webhook-client-cert"},
	}
	for _, spec := range patch.Flags() {
		usage := spec.Meaning
		if spec.Deprecated != "" {
			usage += "; deprecated: use --" + spec.Deprecated
		}
		if spec.Type == patch.TypeBool {
			flags = append(flags, &cli.BoolFlag{Name: spec.Name, Category: auditCategory, Usage: usage})
			continue
		}
		flags = append(flags, &cli.StringFlag{Name: spec.Name, Category: auditCategory, Usage: usage})
	}
	return flags
}

// nodeFlags say which node is meant.
func nodeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "manifest", Category: howCategory, Value: defaultManifest, Usage: "`PATH` of the API server's manifest"},
		&cli.StringFlag{Name: "root", Category: howCategory, Usage: "`DIR` where a node's file system is mounted, for image builds"},
		&cli.StringFlag{Name: "state-dir", Category: howCategory, Value: "/var/lib/auditpatch", Usage: "`DIR` on the node for backups and the journal"},
	}
}

// changeFlags are those of commands that change a node.
func changeFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Category: howCategory, Usage: "show what would be done, change nothing"},
		&cli.StringFlag{Name: "restart", Category: howCategory, Value: string(rollout.Quick), Usage: "`HOW` the old API server ends: quick (as soon as it has answered everything), or graceful (the kubelet gives it 30 s)"},
		&cli.BoolFlag{Name: "force", Category: howCategory, Usage: "begin although the API server is not healthy now, or another of the cluster is not, a blocking webhook takes no event, or the disk of the log is full"},
	}, waitFlags()...)
}

// waitFlags are those of commands that wait for the API server.
func waitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "timeout", Category: howCategory, Value: rollout.DefaultTimeout, Usage: "how long the API server may take to come back, before everything is put back"},
		&cli.DurationFlag{Name: "lock-timeout", Category: howCategory, Value: clusterlock.DefaultTimeout, Usage: "how long to wait while another control-plane node of the cluster restarts its API server"},
		&cli.BoolFlag{Name: "no-wait", Category: howCategory, Usage: "return as soon as the files are written, without waiting for the API server"},
	}
}

// outputFlags are those of every command.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Category: howCategory, Value: "text", Usage: "text or json"},
		&cli.BoolFlag{Name: "quiet", Category: howCategory, Usage: "print errors and warnings only"},
	}
}

// auditFlags collects the kube-apiserver flags that were given.
func auditFlags(c *cli.Context) map[string]string {
	given := map[string]string{}
	set := c.LocalFlagNames()
	for _, spec := range patch.Flags() {
		if !slices.Contains(set, spec.Name) {
			continue
		}
		if spec.Type == patch.TypeBool {
			given[spec.Name] = strconv.FormatBool(c.Bool(spec.Name))
			continue
		}
		given[spec.Name] = c.String(spec.Name)
	}
	return given
}

// readInput reads a file of the machine that auditpatch runs on, - for
// standard input.
func (p *program) readInput(flag, name string) ([]byte, error) {
	if data, ok := p.contents[flag]; ok {
		return data, nil
	}
	if name == "-" {
		data, err := io.ReadAll(io.LimitReader(p.In, 16<<20))
		if err != nil {
			return nil, fmt.Errorf("--%s: read standard input: %w", flag, err)
		}
		return data, nil
	}
	if isText(name) {
		return nil, notText(flag)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return data, nil
}

func notText(flag string) error {
	return hinted("--"+flag+"=FILE", "--%s: it takes the path of a file, not the text of one", flag)
}

// isText tells whether the text of a file was given where its path belongs. It may
// have credentials, and is not repeated.
func isText(name string) bool {
	start := strings.TrimSpace(name)
	return strings.Contains(name, "\n") || strings.HasPrefix(start, "{") || strings.HasPrefix(start, "-----BEGIN")
}

// logAccess reads --log-group and --log-file-mode.
func logAccess(c *cli.Context) (group *int, mode uint32, err error) {
	if name := c.String("log-group"); name != "" {
		gid, err := groupID(name)
		if err != nil {
			return nil, 0, err
		}
		group = &gid
	}
	if text := c.String("log-file-mode"); text != "" {
		m, err := strconv.ParseUint(text, 8, 32)
		switch {
		case err != nil || m > 0o777 || m&0o600 != 0o600:
			return nil, 0, hinted("--log-file-mode=0640", "--log-file-mode %q: not an octal mode that lets the API server read and write", text)
		case m != 0o600 && m != 0o640:
			return nil, 0, hinted("--log-file-mode=0640", "--log-file-mode %q: the log would be open to others; with 0640 its group reads it, with 0600 nobody", text)
		}
		mode = uint32(m)
	}
	return group, mode, nil
}

// groupID is the number of a group. The last number of 32 bits is none: to chown(2)
// it means that the group stays.
func groupID(name string) (int, error) {
	number := name
	if strings.Trim(name, "0123456789") != "" {
		g, err := user.LookupGroup(name)
		if err != nil {
			return 0, hinted("getent group "+name, "--log-group %q: there is no such group on this machine", name)
		}
		number = g.Gid
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return 0, hinted("getent group", "--log-group %q: the number of a group is at most 4294967294", name)
	}
	return int(n), nil
}

// conflict refuses flags that exclude each other.
func conflict(c *cli.Context, names ...string) error {
	var set []string
	for _, n := range names {
		if c.IsSet(n) {
			set = append(set, "--"+n)
		}
	}
	if len(set) < 2 {
		return nil
	}
	return hinted(c.Command.HelpName+" "+set[0]+" ...", "%s exclude each other", strings.Join(set, " and "))
}

// fullFlag is all that urfave/cli asks of a flag.
type fullFlag interface {
	cli.RequiredFlag
	cli.DocGenerationFlag
	cli.CategorizableFlag
	cli.ActionableFlag
}

// namedFlag remembers its names. urfave/cli works them out anew with a regular
// expression at each look, for every flag whenever one is looked up: with fifty
// flags that was a tenth of a run that changes nothing.
type namedFlag struct {
	fullFlag
	names []string
}

func (f namedFlag) Names() []string { return f.names }

// withNames wraps the flags that it can.
func withNames(flags []cli.Flag) []cli.Flag {
	out := make([]cli.Flag, len(flags))
	for i, f := range flags {
		out[i] = f
		if full, ok := f.(fullFlag); ok {
			out[i] = namedFlag{full, names(f)}
		}
	}
	return out
}

// names are a flag's own name and its aliases.
func names(f cli.Flag) []string {
	switch f := f.(type) {
	case *cli.StringFlag:
		return append([]string{f.Name}, f.Aliases...)
	case *cli.StringSliceFlag:
		return append([]string{f.Name}, f.Aliases...)
	case *cli.BoolFlag:
		return append([]string{f.Name}, f.Aliases...)
	case *cli.DurationFlag:
		return append([]string{f.Name}, f.Aliases...)
	}
	return f.Names()
}
