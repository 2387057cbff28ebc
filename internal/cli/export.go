package cli

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/hint"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// exported is the JSON of export.
type exported struct {
	Changed bool     `json:"changed"`          // files were written
	Config  string   `json:"config,omitempty"` // what is printed without -o json
	Files   []string `json:"files"`            // that were written, with kubeadm-patches and kind
}

func (p *program) exportCommand() *cli.Command {
	return p.group(&cli.Command{
		Name:  "export",
		Usage: "the same settings for kubeadm and kind, for clusters that are still to be made",
		Subcommands: []*cli.Command{
			p.exportKubeadm(), p.exportPatches(), p.exportKind(),
		},
	})
}

// exportFlags are those of every export, and some of one.
type exportFlags struct {
	settings      settingFlags
	manifest      string
	version       string // of kubeadm's API
	dir           string
	controlPlanes int
}

// manifestFlag is of what kubeadm takes.
func (f *exportFlags) manifestFlag() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{Name: "manifest", Destination: &f.manifest, Category: howCategory,
		Usage: "begin with what the manifest at `PATH` sets, - for standard input, as enable does; without it, with a manifest as kubeadm writes it"}}
}

func (p *program) exportKubeadm() *cli.Command {
	f := &exportFlags{}
	return p.command(&cli.Command{
		Name:  "kubeadm",
		Usage: "print a ClusterConfiguration for kubeadm init --config",
		Description: "Takes the flags of enable and prints a ClusterConfiguration with just these settings, to be\n" +
			"merged into your own. The policy has to be on the node first: auditpatch enable --root /",
		Flags: slices.Concat(f.settings.flags(), f.manifestFlag(), []cli.Flag{
			&cli.StringFlag{Name: "api-version", Destination: &f.version, Category: howCategory, Usage: "`VERSION` of kubeadm's API: v1beta4 (from Kubernetes 1.31 on) or v1beta3 (up to 1.36); without it, the newest that the kubeadm of the manifest's release reads"},
		}, p.outputFlags()),
		Action: func(c *cli.Context) error {
			m, _, err := p.exportPlan(c, f, nil)
			if err != nil {
				return err
			}
			text, err := patch.ExportKubeadm(m, f.version)
			if err != nil {
				return err
			}
			return p.printExport(exported{Config: string(text), Files: []string{}})
		},
	})
}

func (p *program) exportPatches() *cli.Command {
	f := &exportFlags{}
	return p.command(&cli.Command{
		Name:  "kubeadm-patches",
		Usage: "write files for kubeadm --patches",
		Description: "Takes the flags of enable and writes files for the --patches of kubeadm init, join and upgrade.\n" +
			"kubeadm does not remember them: give it the folder each time, or use enable --persist.\n" +
			"The policy has to be on each node first: auditpatch enable --root /",
		Flags: slices.Concat(f.settings.flags(), f.manifestFlag(), []cli.Flag{
			&cli.StringFlag{Name: "dir", Destination: &f.dir, Category: howCategory, Value: "patches", Usage: "`DIR` that the files are written to"},
		}, p.outputFlags()),
		Action: func(c *cli.Context) error {
			m, _, err := p.exportPlan(c, f, nil)
			if err != nil {
				return err
			}
			files, err := patch.ExportPatches(m)
			if err != nil {
				return err
			}
			e := exported{Files: []string{}}
			for _, name := range patch.FileNames(files) {
				if err := p.writeExport(&e, f.dir, name, files[name], 0o644); err != nil {
					return err
				}
			}
			return p.printExport(e)
		},
	})
}

func (p *program) exportKind() *cli.Command {
	f := &exportFlags{}
	return p.command(&cli.Command{
		Name:  "kind",
		Usage: "print a configuration for kind create cluster, and write the policy that it names",
		Description: "Takes the flags of enable, writes the policy (and the webhook's config) to a folder of this\n" +
			"machine, and prints a configuration that brings that folder into the nodes:\n\n" +
			"    auditpatch export kind > kind.yaml && kind create cluster --config kind.yaml\n\n" +
			"It fits every version of kind and Kubernetes. The log lies in the node.",
		Flags: slices.Concat(f.settings.flags(), []cli.Flag{
			&cli.StringFlag{Name: "dir", Destination: &f.dir, Category: howCategory, Value: "audit", Usage: "`DIR` that the policy is written to; the nodes need it as long as the cluster lives"},
			&cli.IntFlag{Name: "control-planes", Destination: &f.controlPlanes, Category: howCategory, Value: 1, Usage: "`NUMBER` of control-plane nodes"},
		}, p.outputFlags()),
		Action: func(c *cli.Context) error { return p.runExportKind(c, f) },
	})
}

func (p *program) runExportKind(c *cli.Context, f *exportFlags) error {
	nodes := f.controlPlanes
	if nodes < 1 {
		return hint.Errorf(hint.Flag("control-planes", 1), "--control-planes %d: a cluster has at least one", nodes)
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	m, opts, err := p.exportPlan(c, f, kindPaths)
	if err != nil {
		return err
	}
	text, err := patch.ExportKind(m, dir, nodes)
	if err != nil {
		return err
	}
	e := exported{Config: string(text), Files: []string{}}
	set := patch.Inspect(m)
	if err := p.writeExport(&e, dir, path.Base(set.Policy.Path), opts.Policy.Data, 0o644); err != nil {
		return err
	}
	if opts.Webhook != nil {
		if err := p.writeExport(&e, dir, path.Base(set.Webhook.Path), opts.Webhook.Data, 0o600); err != nil {
			return err
		}
	}
	return p.printExport(e)
}

// kindPaths puts the files where the folder is mounted, and refuses other places.
func kindPaths(opts *patch.Options) error {
	for _, f := range []struct {
		flag, otherwise string
		content         *patch.Content
	}{
		{"audit-policy-file", patch.DefaultPolicyPath, opts.Policy},
		{"audit-webhook-config-file", patch.DefaultWebhookPath, opts.Webhook},
	} {
		at, given := opts.Flags[f.flag]
		here := path.Join(patch.KindDir, path.Base(f.otherwise))
		switch {
		case f.content == nil && given && at != "":
			return hint.Errorf(hint.Flag("webhook-url", "URL"), "--%s: give its contents, with --webhook-config or --webhook-url", f.flag)
		case f.content != nil && !given:
			opts.Flags[f.flag] = here
		case f.content != nil && path.Dir(at) != patch.KindDir:
			return hint.Errorf(hint.Flag(f.flag, here), "--%s=%s: the folder with it is mounted at %s", f.flag, at, patch.KindDir)
		}
	}
	return nil
}

// exportPlan is the manifest that enable with the same flags would make of one as
// kubeadm writes it.
func (p *program) exportPlan(c *cli.Context, f *exportFlags, adjust func(*patch.Options) error) (*manifest.File, patch.Options, error) {
	none := patch.Options{}
	if err := f.settings.check(p, c, f.manifest, ""); err != nil {
		return nil, none, err
	}
	for _, g := range []given{{"log-group", f.settings.logGroup}, {"log-file-mode", f.settings.logFileMode}} {
		if g.value != "" {
			return nil, none, hint.Errorf(hint.Command("enable").Spaced("root", "/").Flag(g.name, g.value).Elsewhere(), "--%s is of the node's files, and neither kubeadm nor kind can set it", g.name)
		}
	}
	settings, err := f.settings.read(p, c)
	if err != nil {
		return nil, none, err
	}
	var from *change.Input
	if f.manifest != "" {
		if from, err = p.readInput("manifest", f.manifest); err != nil {
			return nil, none, err
		}
	}
	m, opts, warnings, err := change.Export(settings, from, adjust)
	p.warn(warnings...)
	return m, opts, err
}

// writeExport writes one file of an export beside what is there.
func (p *program) writeExport(e *exported, dir, name string, data []byte, mode os.FileMode) error {
	if err := p.Begin(); err != nil {
		return err
	}
	to, err := replaceOwn(dir, name, data, mode)
	if err != nil {
		p.Spared() // earlier files of the export were told of
		return err
	}
	p.SetNext(hint.Command("export").Switch("help"))
	p.SetChanged()
	e.Changed, e.Files = true, append(e.Files, to)
	return nil
}

// printExport prints the configuration, and the names of the files for people.
func (p *program) printExport(e exported) error {
	if p.json {
		p.printJSON(e)
		return nil
	}
	for _, f := range e.Files {
		p.printf("%-9s %s", "written", f)
	}
	if _, err := fmt.Fprint(p.Out, e.Config); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	if len(e.Files) == 0 || strings.HasSuffix(e.Files[0], patch.FlagsPatch) {
		p.printf("auditpatch: hint: the policy has to be on each node before kubeadm runs there: %s", hint.Command("enable").Spaced("root", "/").Elsewhere())
	}
	return nil
}
