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
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/hint"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/internal/spelling"
	"auditpatch/internal/target"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
)

// Flag categories, in the order of the help text.
const (
	whatCategory  = commands.WhatCategory
	hookCategory  = "2. Where else to send it"
	howCategory   = commands.HowCategory
	auditCategory = "4. kube-apiserver's own audit flags"
)

// DefaultManifest is where kubeadm has it.
const DefaultManifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"

const defaultStateDir = "/var/lib/auditpatch"

// settingFlags are what enable, diff and export are asked for, from one place: the
// audit flags come from the table in package patch.
type settingFlags struct {
	preset, policy, logGroup, logFileMode                       string
	webhookConfig, webhookURL, webhookCA, clientCert, clientKey string
	namespaces                                                  cli.StringSlice
	acceptLeaks                                                 bool
}

func (s *settingFlags) flags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "preset", Destination: &s.preset, Category: whatCategory, Usage: "a policy that ships with auditpatch, see: auditpatch policy list"},
		&cli.StringSliceFlag{Name: "namespace", Destination: &s.namespaces, Category: whatCategory, Usage: "namespace of a preset that takes namespaces; may be repeated"},
		&cli.BoolFlag{Name: "accept-leaks", Destination: &s.acceptLeaks, Category: whatCategory, Usage: "install a preset although it puts the contents of Secrets into the log"},
		&cli.StringFlag{Name: "policy", Destination: &s.policy, Category: whatCategory, Usage: "a policy `FILE` of your own, - for standard input; without --preset and --policy the policy that is there stays, else it is the preset baseline"},
		&cli.StringFlag{Name: "log-group", Destination: &s.logGroup, Category: whatCategory, Usage: "`GROUP` (name or number) that may read the log, for log shippers"},
		&cli.StringFlag{Name: "log-file-mode", Destination: &s.logFileMode, Category: whatCategory, Usage: "mode of the log file in octal, such as 0640; kept when the log is rotated"},
		&cli.StringFlag{Name: "webhook-config", Destination: &s.webhookConfig, Category: hookCategory, Usage: "a kubeconfig `FILE` for the webhook backend, - for standard input"},
		&cli.StringFlag{Name: "webhook-url", Destination: &s.webhookURL, Category: hookCategory, Usage: "`URL` that events are posted to; auditpatch writes the kubeconfig"},
		&cli.StringFlag{Name: "webhook-ca", Destination: &s.webhookCA, Category: hookCategory, Usage: "PEM `FILE` with the CA of --webhook-url"},
		&cli.StringFlag{Name: "webhook-client-cert", Destination: &s.clientCert, Category: hookCategory, Usage: "PEM `FILE` with the certificate that the API server shows to --webhook-url"},
		&cli.StringFlag{Name: "webhook-client-key", Destination: &s.clientKey, Category: hookCategory, Usage: "PEM `FILE` with the key of --webhook-client-cert"},
	}
	for _, spec := range auditflags.All() {
		usage := spec.Meaning
		if spec.Deprecated != "" {
			usage += "; deprecated: use --" + spec.Deprecated
		}
		if spec.Type == auditflags.TypeBool {
			flags = append(flags, &cli.BoolFlag{Name: spec.Name, Category: auditCategory, Usage: usage})
			continue
		}
		flags = append(flags, &cli.StringFlag{Name: spec.Name, Category: auditCategory, Usage: usage})
	}
	return flags
}

// nodeFlags say which node is meant.
type nodeFlags struct{ manifest, root, stateDir string }

func (n *nodeFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "manifest", Destination: &n.manifest, Category: howCategory, Value: DefaultManifest, Usage: "`PATH` of the API server's manifest"},
		&cli.StringFlag{Name: "root", Destination: &n.root, Category: howCategory, Usage: "`DIR` where a node's file system is mounted, for image builds"},
		&cli.StringFlag{Name: "state-dir", Destination: &n.stateDir, Category: howCategory, Value: defaultStateDir, Usage: "`DIR` on the node for backups and the journal"},
	}
}

// options are the node for whoever works on it.
func (n *nodeFlags) options(p *program) target.Options {
	return target.Options{Manifest: n.manifest, Root: n.root, StateDir: n.stateDir, Stdin: p.In, Command: p.words[1], Here: p.node}
}

// stdin tells whether the manifest comes from standard input.
func (n *nodeFlags) stdin() bool { return n.manifest == "-" }

// waitFlags are those of commands that wait for the API server.
type waitFlags struct {
	timeout, lockTimeout time.Duration
	noWait               bool
}

func (w *waitFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "timeout", Destination: &w.timeout, Category: howCategory, Value: rollout.DefaultTimeout, Usage: "how long the API server may take to come back, before everything is put back"},
		&cli.DurationFlag{Name: "lock-timeout", Destination: &w.lockTimeout, Category: howCategory, Value: clusterlock.DefaultTimeout, Usage: "how long to wait while another control-plane node of the cluster restarts its API server"},
		&cli.BoolFlag{Name: "no-wait", Destination: &w.noWait, Category: howCategory, Usage: "return as soon as the files are written, without waiting for the API server"},
	}
}

// changeFlags are those of commands that change a node.
type changeFlags struct {
	waitFlags
	dryRun, force, persist bool
	restart, rehearse      string
}

func (f *changeFlags) flags() []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Destination: &f.dryRun, Category: howCategory, Usage: "show what would be done, change nothing"},
		&cli.StringFlag{Name: "restart", Destination: &f.restart, Category: howCategory, Value: string(rollout.Strategies[0].Restart), Usage: "`HOW` the API server restarts: " + strategies()},
		&cli.StringFlag{Name: "rehearse", Destination: &f.rehearse, Category: howCategory, Value: string(rehearsal.Choices[0].When), Usage: "`WHEN` a second kube-apiserver tries the new settings out before anything is touched: " + occasions()},
		&cli.BoolFlag{Name: "force", Destination: &f.force, Category: howCategory, Usage: "begin although the API server is not healthy now, or another of the cluster is not, a blocking webhook takes no event, or the disk of the log is full"},
	}, f.waitFlags.flags()...)
}

// persistFlag is of enable, diff and disable.
func (f *changeFlags) persistFlag() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "persist", Destination: &f.persist, Category: howCategory,
		Usage: "the same in the cluster's " + patch.KubeadmConfig + ", so that kubeadm upgrade and kubeadm join keep it"}}
}

// how is how a change is carried out.
func (f *changeFlags) how(p *program) change.How {
	return change.How{
		DryRun: f.dryRun, Force: f.force, NoWait: f.noWait, Persist: f.persist, Restart: rollout.Restart(f.restart), Rehearse: rehearsal.When(f.rehearse),
		Timeout: f.timeout, LockTimeout: f.lockTimeout, Version: p.version,
	}
}

// strategies are the ways to restart in words.
func strategies() string {
	var words []string
	for _, s := range rollout.Strategies {
		words = append(words, fmt.Sprintf("%s (%s)", s.Restart, s.Means))
	}
	return strings.Join(words, ", ")
}

// occasions are the choices of --rehearse in words.
func occasions() string {
	var words []string
	for _, c := range rehearsal.Choices {
		words = append(words, fmt.Sprintf("%s (%s)", c.When, c.Means))
	}
	return strings.Join(words, ", ")
}

// outputFlags are those of every command, with the formats that it has beside text
// and JSON.
func (p *program) outputFlags(more ...string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Destination: &p.output, Aliases: []string{"o"}, Category: howCategory, Value: "text", Usage: spelling.Either(append([]string{"text", "json"}, more...))},
		&cli.BoolFlag{Name: "quiet", Destination: &p.quiet, Category: howCategory, Usage: "print errors and warnings only"},
	}
}

// auditFlags collects the kube-apiserver flags that were given.
func auditFlags(c *cli.Context) map[string]string {
	given := map[string]string{}
	set := c.LocalFlagNames()
	for _, spec := range auditflags.All() {
		if !slices.Contains(set, spec.Name) {
			continue
		}
		if spec.Type == auditflags.TypeBool {
			given[spec.Name] = strconv.FormatBool(c.Bool(spec.Name))
			continue
		}
		given[spec.Name] = c.String(spec.Name)
	}
	return given
}

// readInput reads a file of the machine that auditpatch runs on, - for standard
// input. Messages about its contents have the name of the result.
func (p *program) readInput(flag, name string) (*change.Input, error) {
	if p.reader != nil {
		if data, ok := p.reader.contents[flag]; ok {
			return &change.Input{Name: name, Data: data}, nil
		}
	}
	if name == "-" {
		data, err := target.ReadStdin(flag, p.In)
		return &change.Input{Name: "<stdin>", Data: data}, err
	}
	f, err := p.openInput(flag, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxInput>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return &change.Input{Name: name, Data: data}, nil
}

// maxInput is the largest file that is read as a whole: a device may have no end.
const maxInput = 16 << 20

// openInput opens a file of the machine that auditpatch runs on, - for standard
// input, whatever its size.
func (p *program) openInput(flag, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.In), nil
	}
	if IsText(name) {
		return nil, notText(flag)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return f, nil
}

func notText(flag string) error {
	return hint.Errorf(hint.Flag(flag, "FILE"), "--%s: it takes the path of a file, not the text of one", flag)
}

// IsText tells whether the text of a file was given where its path belongs. It may
// have credentials, and is not repeated.
func IsText(name string) bool {
	start := strings.TrimSpace(name)
	return strings.ContainsAny(name, "\n\r") || strings.HasPrefix(start, "{") || strings.HasPrefix(start, "-----BEGIN")
}

// logAccess reads --log-group and --log-file-mode.
func (s *settingFlags) logAccess() (group *int, mode uint32, err error) {
	if s.logGroup != "" {
		gid, err := groupID(s.logGroup)
		if err != nil {
			return nil, 0, err
		}
		group = &gid
	}
	if text := s.logFileMode; text != "" {
		m, err := strconv.ParseUint(text, 8, 32)
		switch {
		case err != nil || m > 0o777 || m&0o600 != 0o600:
			return nil, 0, hint.Errorf(hint.Flag("log-file-mode", "0640"), "--log-file-mode %q: not an octal mode that lets the API server read and write", text)
		case m != 0o600 && m != 0o640:
			return nil, 0, hint.Errorf(hint.Flag("log-file-mode", "0640"), "--log-file-mode %q: the log would be open to others; with 0640 its group reads it, with 0600 nobody", text)
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
			return 0, hint.Errorf(hint.Shell("getent group %s", name), "--log-group %q: there is no such group on this machine", name)
		}
		number = g.Gid
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return 0, hint.Errorf(hint.Shell("getent group"), "--log-group %q: the number of a group is at most 4294967294", name)
	}
	return int(n), nil
}

// given is a flag and its value.
type given struct{ name, value string }

// conflict refuses flags that exclude each other.
func (p *program) conflict(c *cli.Context, a, b given) error {
	if a.value == "" || b.value == "" {
		return nil
	}
	return hint.Errorf(p.leftOut(c, b.name, hint.Spaced(a.name, "...")), "--%s and --%s exclude each other", a.name, b.name)
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

// withNames wraps the flags that it can. A list has to stay as it is, since urfave/cli tells
// it in person that commas do not separate.
func withNames(flags []cli.Flag) []cli.Flag {
	out := make([]cli.Flag, len(flags))
	for i, f := range flags {
		out[i] = f
		_, list := f.(*cli.StringSliceFlag)
		if full, ok := f.(fullFlag); ok && !list {
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
