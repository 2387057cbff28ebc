package change

import (
	"context"

	"auditpatch/patch"
)

// Disable takes audit logging out of the manifest.
func Disable(ctx context.Context, r DisableRequest) (Result, error) {
	j, err := newJob("disable", r.Target, r.How)
	if err != nil {
		return newResult("disable"), err
	}
	err = j.disable(ctx, r.Purge)
	return j.result, err
}

func (j *job) disable(ctx context.Context, purge bool) error {
	if err := j.endEarlier(ctx); err != nil {
		return err
	}
	state, err := j.read()
	if err != nil {
		return err
	}
	if purge {
		files, err := patch.PurgeFiles(state)
		if err != nil {
			return err
		}
		if err := j.target.ReadFiles(&state, files, func(string) bool { return true }); err != nil {
			return err
		}
		j.target.Follow(&state)
	}
	plan, err := patch.Disable(state, purge)
	if err != nil {
		return err
	}
	return j.finish(ctx, plan)
}
