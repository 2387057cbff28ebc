package apiserver

import "auditpatch/internal/hint"

// NotHealthy says why a change was not begun: afterwards nobody could tell
// what it had broken. Nothing has been written. For a change that was begun all
// the same, and put back, it says how things are again.
type NotHealthy struct {
	Reason string
	Hint   hint.Hint // what mends it, for whoever only looks; may be nil
	// Kubelet says that it acts on no manifest, so that nothing else can be mended
	// before it is.
	Kubelet bool
}

func (e *NotHealthy) Error() string { return e.Reason }

// Remedy is what to type.
func (e *NotHealthy) Remedy() hint.Hint {
	return hint.Command("doctor").Note("says more").Then("; ", hint.Switch("force").Note("begins all the same"))
}
