package patch

import "path"

// kind is what is at a path of the node, KindNothing where it was not looked at.
func (s State) kind(name string) string {
	name = path.Clean(name)
	if k, known := s.Kinds[name]; known {
		return k
	}
	switch f := s.Files[name]; {
	case f.Dir:
		return KindDirectory
	case f.Exists:
		return KindFile
	}
	return KindNothing
}

// checkMounts refuses a plan after which the kubelet could not mount a volume of
// the Pod: it would make no container, and say so in its events only. Not only
// volumes of auditing count: what was there when the API server started may be
// gone since.
func (p *Plan) checkMounts(s State) error {
	if s.Kinds == nil || !p.Restarts() {
		return nil
	}
	m, err := p.Settled()
	if err != nil {
		return err
	}
	text, err := s.parse()
	if err != nil {
		text = m
	}
	problems := append(typeProblems(m), unmountable(m, text, func(name string) string { return p.kindAfter(s, name) })...)
	if len(problems) == 0 {
		return nil
	}
	return &Error{Reason: problems[0].Message, Hint: problems[0].Hint, More: problems[1:]}
}

// kindAfter is what is at a path when the API server starts again. Files that
// the plan removes are still there then.
func (p *Plan) kindAfter(s State, name string) string {
	name = path.Clean(name)
	for _, c := range p.Changes {
		at := path.Clean(c.Path)
		switch {
		case c.Kind == RemoveFile:
		case at == name && c.Kind == MakeDir, at != name && under(at, name):
			return KindDirectory
		case at == name:
			return KindFile
		}
	}
	return s.kind(name)
}
