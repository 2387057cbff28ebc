package patch

import (
	"errors"
	"maps"
	"path"
	"slices"

	"auditpatch/manifest"
	"auditpatch/patch/auditflags"
)

// Disable plans to take audit logging out again: all its flags, the mounts
// and volumes that only it needs, and our annotations. After an Enable this
// restores the manifest as it was. The logs stay; the policy and the
// webhook's config stay too unless purge is set.
func Disable(s State, purge bool) (*Plan, error) {
	m, err := s.parse()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkNode(m, s), CheckManagedBy(m)); err != nil {
		return nil, err
	}
	p := newPlanner("disable", m, s, Options{})
	p.off()
	if err := p.plan.writeManifest(m, s.Manifest); err != nil {
		return nil, err
	}
	if purge {
		p.purge()
	}
	return p.plan.finish(s), p.plan.checkMounts(s)
}

// off takes audit logging out of a manifest that has it.
func (p *planner) off() {
	if p.current.Enabled() || len(p.current.Annotations) > 0 {
		p.dropAll(decodePreexisting(p.current.Annotations[PreexistingAnnotation]))
	}
}

// dropAll takes everything out but what was there before.
func (p *planner) dropAll(before *preexisting) {
	dropped := map[string]bool{}
	for _, f := range p.m.Flags() {
		old, was := before.flags[f.Name]
		switch {
		case p.current.Flags[f.Name] == "" && !auditflags.Has(p.current.Flags, f.Name), dropped[f.Name]:
			continue
		case was && old != p.current.Flags[f.Name]:
			p.edit(manifest.SetFlag{Name: f.Name, Value: old})
		case !was:
			p.edit(manifest.DropFlag{Name: f.Name})
		}
		dropped[f.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(before.flags)) {
		if !dropped[name] { // enable was told to take it out
			p.edit(manifest.SetFlag{Name: name, Value: before.flags[name]})
		}
	}
	p.dropStale(nil, before)
	p.restorePreexisting(before)
	var keys []string
	for k := range p.current.Annotations {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		p.edit(manifest.DropAnnotation{Key: k})
	}
}

// purge plans to remove the files that the manifest no longer names, or that
// are where Enable puts them.
func (p *planner) purge() {
	for _, l := range []struct {
		is   *Location
		path string
	}{{p.current.Policy, DefaultPolicyPath}, {p.current.Webhook, DefaultWebhookPath}} {
		if l.is != nil {
			l.path = l.is.Host
		}
		old := p.state.Files[path.Clean(l.path)]
		if l.path == "" || !old.Exists || old.Dir {
			continue
		}
		c := Change{Path: old.Path, Kind: RemoveFile, Old: old, Why: "removed"}
		if keeps(p.plan, c, p.m) {
			continue
		}
		p.plan.Changes = append(p.plan.Changes, c)
	}
}

// PurgeFiles names the paths on the node that Disable with purge looks at.
func PurgeFiles(s State) ([]string, error) {
	m, err := s.parse()
	if err != nil {
		return nil, err
	}
	now := Inspect(m)
	files := []string{DefaultPolicyPath, DefaultWebhookPath}
	for _, l := range []*Location{now.Policy, now.Webhook} {
		if l.Covered() {
			files = append(files, path.Clean(l.Host))
		}
	}
	return files, nil
}
