package inspect

import (
	"context"

	"auditpatch/internal/target"
)

// Doctor makes every check that stands before a change, and those that tell why an
// API server does not come back.
func Doctor(ctx context.Context, t *target.Target) []Finding {
	return withoutRepeats(gather(ctx, t, true).judge())
}
