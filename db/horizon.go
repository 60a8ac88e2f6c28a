package db

import (
	"context"
	"time"
)

// Begin is a transaction id that whatever commits from now on has, or a greater one, and whatever was committed before
// is below. It waits for transactions that are open to end, two seconds at most; should one take longer, the id is the
// oldest one's, and what was committed since that began comes once more.
func (q *Queries) Begin(ctx context.Context) (uint64, error) {
	ceiling, err := q.EventCeiling(ctx)
	if err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(2 * time.Second); ; {
		horizon, err := q.EventHorizon(ctx)
		if err != nil || horizon >= ceiling {
			return min(horizon, ceiling), err
		}
		if time.Now().After(deadline) {
			return horizon, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
