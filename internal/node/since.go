package node

import (
	"cmp"
	"path"
	"slices"

	"auditpatch/internal/nodefile"
)

// Since is what became of a file since a backup was made.
type Since struct {
	// Ours says that nobody but the runs since then has changed it: each found
	// what the one before it had written, and the last one's is there now.
	Ours bool
	// Stored is where the file's content in the backup is on the node, "" when the
	// backup has none.
	Stored string
}

// Since follows a file through the runs from a backup's own on; now is its
// content. What was rolled back counts as never written. A run that cannot be read
// is passed over: what it wrote shows in what the next one found.
func (n *Node) Since(id, name string, now []byte) (Since, error) {
	st, err := n.store()
	if err != nil || st == nil {
		return Since{}, err
	}
	defer st.close()
	runs, err := st.from(id)
	if err != nil {
		return Since{}, err
	}
	var out Since
	hash, known := "", false
	for _, rec := range runs {
		i := slices.IndexFunc(rec.Steps, func(s *step) bool { return s.Path == name })
		if i < 0 {
			continue
		}
		s := rec.Steps[i]
		if rec.ID == id && s.Old.Kind == Regular {
			out.Stored = path.Join(n.StateDir, runsName, id, s.file(sideOld))
		}
		done := st.marked(rec.ID, markDone)
		switch {
		case !known && done:
			hash = s.New.SHA256
		case !known:
			hash = s.Old.SHA256
		case done && s.Old.SHA256 != hash:
			return out, nil
		case done:
			hash = s.New.SHA256
		}
		known = true
	}
	out.Ours = !known || hash == nodefile.Checksum(now)
	return out, nil
}

// from returns the runs that can be read from one on, the oldest first.
func (s *store) from(id string) ([]record, error) {
	first, err := s.load(id)
	if err != nil {
		return nil, err
	}
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var runs []record
	for _, id := range ids {
		if rec, err := s.load(id); err == nil && rec.Seq >= first.Seq {
			runs = append(runs, rec)
		}
	}
	slices.SortFunc(runs, func(a, b record) int { return cmp.Compare(a.Seq, b.Seq) })
	return runs, nil
}
