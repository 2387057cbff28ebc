package cli

import (
	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
	"auditpatch/patch/webhookconfig"
)

// read is what the flags ask for, with the texts of the files that they name.
func (s *settingFlags) read(p *program, c *cli.Context) (out change.Settings, err error) {
	out = change.Settings{Flags: auditFlags(c), Preset: s.preset, Namespaces: commands.Names(s.namespaces), AcceptLeaks: s.acceptLeaks}
	if out.LogGroup, out.LogFileMode, err = s.logAccess(); err != nil {
		return out, err
	}
	if s.policy != "" {
		if out.Policy, err = p.readInput("policy", s.policy); err != nil {
			return out, err
		}
	}
	if s.webhookConfig != "" {
		out.Webhook, err = p.readInput("webhook-config", s.webhookConfig)
		return out, err
	}
	if s.webhookURL != "" {
		out.WebhookTarget, err = s.webhookTarget(p)
	}
	return out, err
}

// webhookTarget is where events are posted, with the certificates for it.
func (s *settingFlags) webhookTarget(p *program) (*webhookconfig.Target, error) {
	t := &webhookconfig.Target{URL: s.webhookURL}
	for _, f := range []struct {
		given
		to *[]byte
	}{{given{"webhook-ca", s.webhookCA}, &t.CA}, {given{"webhook-client-cert", s.clientCert}, &t.ClientCert}, {given{"webhook-client-key", s.clientKey}, &t.ClientKey}} {
		if f.value == "" {
			continue
		}
		in, err := p.readInput(f.name, f.value)
		if err != nil {
			return nil, err
		}
		*f.to = in.Data
	}
	return t, nil
}

// check refuses flags that exclude each other. manifest and root are those of the
// command, "" where it has none.
func (s *settingFlags) check(p *program, c *cli.Context, manifest, root string) error {
	for _, pair := range [][2]given{
		{{"preset", s.preset}, {"policy", s.policy}}, {{"webhook-config", s.webhookConfig}, {"webhook-url", s.webhookURL}},
		{{"manifest", onlyStdin(manifest)}, {"root", root}},
	} {
		if err := p.conflict(c, pair[0], pair[1]); err != nil {
			return err
		}
	}
	if len(onlyStdin(manifest)+onlyStdin(s.policy)+onlyStdin(s.webhookConfig)) > 1 {
		return hint.Errorf(hint.Spaced("policy", "FILE"), "only one input can come from standard input")
	}
	if len(commands.Names(s.namespaces)) > 0 && s.preset == "" {
		return hint.Errorf(hint.Flag("preset", "pod-deletions"), "--namespace goes with a preset that takes namespaces")
	}
	for _, f := range []given{{"webhook-ca", s.webhookCA}, {"webhook-client-cert", s.clientCert}, {"webhook-client-key", s.clientKey}} {
		if f.value != "" && s.webhookURL == "" {
			return hint.Errorf(hint.Flag("webhook-url", "https://HOST:PORT/PATH"), "--%s goes with --webhook-url", f.name)
		}
	}
	return nil
}

// onlyStdin is "-" or nothing.
func onlyStdin(name string) string {
	if name == "-" {
		return name
	}
	return ""
}
