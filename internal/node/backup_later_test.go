package node

import "testing"

// TestBackupHasWhatLaterRunsChanged: to go back to a run is to go back to how all
// was then, also where only a later run has changed something.
func TestBackupHasWhatLaterRunsChanged(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	change(t, n, write(t, n, policyPath, "first policy\n"), write(t, n, manifestPath, "first\n"))
	second := change(t, n, write(t, n, manifestPath, "second\n"))
	undone := begin(t, n, write(t, n, policyPath, "undone policy\n"))
	must(t, undone.Apply())
	must(t, undone.Undo())
	must(t, undone.Abandon("why"))
	change(t, n, write(t, n, policyPath, "third policy\n"))
	change(t, n, write(t, n, policyPath, "fourth policy\n"), write(t, n, webhookPath, "fourth webhook\n"))
	_, files, err := n.Backup(second.ID)
	must(t, err)
	got := map[string]string{}
	for name, f := range files {
		got[name] = string(f.Data)
	}
	equal(t, "as before the second run", got, map[string]string{
		manifestPath: "first\n", policyPath: "first policy\n", webhookPath: "old webhook\n",
	})
}
