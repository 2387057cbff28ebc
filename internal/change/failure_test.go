package change

import (
	"errors"
	"fmt"
	"testing"

	"auditpatch/internal/exit"
	"auditpatch/internal/rollout"
)

// TestFailure wants every end of a change to be told, also where nothing was left to undo.
func TestFailure(t *testing.T) {
	t.Parallel()
	cause, undo := errors.New("the cause"), errors.New("the undo")
	for name, tc := range map[string]struct {
		err    error
		text   string
		status int
	}{
		"somebody else's, healthy": {&rollout.NotRestored{Backup: "ID", Cause: cause, Overridden: true}, "the cause; the API server is healthy with it", exit.NotRestored},
		"somebody else's, broken":  {&rollout.NotRestored{Backup: "ID", Cause: cause, Undo: undo, Overridden: true}, "the cause; the API server is not healthy with it: the undo", exit.NotRestored},
		"back":                     {&rollout.NotRestored{Backup: "ID", Cause: cause, Undo: undo, Back: true}, "the cause; the undo", exit.NotRestored},
		"not undone":               {&rollout.NotRestored{Backup: "ID", Cause: cause, Undo: undo}, "the cause; and it could not be undone: the undo", exit.NotRestored},
		"rolled back":              {&rollout.RolledBack{Backup: "ID", Cause: cause}, "the cause; the earlier settings are back and healthy", exit.RolledBack},
		"joined":                   {errors.Join(cause, undo), "the cause; the undo", exit.Refused},
		"plain":                    {cause, "the cause", exit.Refused},
	} {
		f := Result{}.Failure(tc.err)
		if f.Error != tc.text || f.Status != tc.status {
			t.Errorf("%s: got status %d, %q", name, f.Status, f.Error)
		}
	}
}

// TestRefused tells an error that kept a change from doing anything from others.
func TestRefused(t *testing.T) {
	cause := errors.New("the cause")
	for name, tt := range map[string]struct {
		result Result
		err    error
		want   bool
	}{
		"none":                     {Result{}, nil, false},
		"refused":                  {Result{}, cause, true},
		"after an earlier run":     {Result{Touched: true}, cause, false},
		"rolled back":              {Result{}, fmt.Errorf("in short: %w", &rollout.RolledBack{Backup: "ID", Cause: cause}), false},
		"not restored":             {Result{}, &rollout.NotRestored{Backup: "ID", Cause: cause, Undo: cause}, false},
		"kubeadm-config left over": {Result{}, &NotPersisted{"enable", "ID", cause}, false},
	} {
		if got := tt.result.refused(tt.err); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
