package cli

import (
	"slices"

	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// notedWebhooks are the paths at which earlier runs had a webhook's config. Runs
// that cannot be read say nothing: what is shown depends on contents too.
func (t *target) notedWebhooks() (paths []string) {
	if t.stdin {
		return nil
	}
	backups, err := t.node.Backups()
	if err != nil {
		return nil
	}
	for _, b := range backups {
		for _, p := range rollout.WebhookConfigs(b.Meta) {
			if !slices.Contains(paths, p) {
				paths = append(paths, p)
			}
		}
	}
	return paths
}

// follow notes where the symlinks lead that the manifest, its siblings and further
// manifests name.
func (t *target) follow(s *patch.State, texts ...[]byte) {
	if t.stdin {
		return
	}
	s.Leads = map[string]string{}
	texts = append(texts, s.Manifest.Data)
	for _, f := range s.Siblings {
		texts = append(texts, f.Data)
	}
	for _, text := range texts {
		named, _ := patch.NamedFiles(text)
		for _, name := range named {
			// What is no file, and cannot be looked at, is no link to a file either.
			if f, err := t.node.Stat(name); err == nil && f.Real != "" {
				s.Leads[name] = f.Real
			}
		}
	}
}
