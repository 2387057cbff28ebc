package patch

import (
	"bytes"

	"auditpatch/manifest"
)

// Restore plans to put files back as a backup has them. wanted are the files
// of the backup; one that did not exist then is removed. The manifest is
// written after what it may name, and files are removed after it.
func Restore(s State, wanted []File, origin string) (*Plan, error) {
	p := &Plan{Verb: "restore", Manifest: s.Manifest.Path}
	if m, err := s.parse(); err == nil {
		p.Before = Inspect(m)
	}
	var last, removed []Change
	for _, w := range wanted {
		old, known := s.Files[w.Path]
		if w.Path == s.Manifest.Path {
			old, known = s.Manifest, true
		}
		if !known {
			return nil, refuse("auditpatch restore --list", "the backup has %s, which was not read", w.Path)
		}
		c := Change{Path: w.Path, Kind: WriteFile, Old: old, Data: w.Data, Mode: w.Mode, UID: w.UID, GID: w.GID, Why: "as in " + origin}
		switch {
		case w.Dir || old.Dir || !w.Exists && !old.Exists:
		case !w.Exists:
			c.Kind, c.Data = RemoveFile, nil
			removed = append(removed, c)
		case old.Exists && bytes.Equal(old.Data, w.Data) && old.Mode == w.Mode && old.UID == w.UID && old.GID == w.GID:
		case w.Path == s.Manifest.Path:
			if err := p.checkRestored(w, s); err != nil {
				return nil, err
			}
			last = append(last, c)
		default:
			p.Changes = append(p.Changes, c)
		}
	}
	p.Changes = append(append(p.Changes, last...), removed...)
	return p, nil
}

// checkRestored makes sure that the kubelet would take the old manifest.
func (p *Plan) checkRestored(w File, s State) error {
	m, err := manifest.Parse(w.Path, w.Data)
	if err != nil {
		return err
	}
	if now, err := s.parse(); err == nil && !s.Offline && now.Pod().UID != "" && now.Pod().UID == m.Pod().UID {
		return CheckUID(now)
	}
	p.After = Inspect(m)
	return nil
}
