package target

import "auditpatch/internal/node"

// UnderWay tells a change that is going on from one that died half way: by is who
// changes the node now, nil for nobody; run is what is neither finished nor undone.
func (t *Target) UnderWay() (run *node.Run, by *node.LockedError, err error) {
	for {
		if run, err = t.Node.Unfinished(); err != nil {
			return nil, nil, err
		}
		if by, err = t.Node.Holder(); run == nil || by != nil || err != nil {
			return run, by, err
		}
		// Whoever began it may have ended it between the two looks; it is dead when
		// it is still there although nobody works on it.
		again, err := t.Node.Unfinished()
		if err != nil || again != nil && again.ID == run.ID {
			return run, nil, err
		}
	}
}

const (
	DiedHalfWay = "died half way"
	WasHeld     = "was put back, except for the files it made"
)

// Unfinished says what became of a run that has not ended.
func Unfinished(run *node.Run) string { return WhyUnfinished(run.Held()) }

// WhyUnfinished is Unfinished of a run that is known to be held, or not.
func WhyUnfinished(held string) string {
	if held != "" {
		return WasHeld
	}
	return DiedHalfWay
}
