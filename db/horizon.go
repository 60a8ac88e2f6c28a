package db

import (
	"context"
	"time"
)

// LogBegin returns a transaction id of the log's order: whatever commits from now on has this id or a greater one, and
// whatever was committed before is below it. LogBegin waits for open transactions to end, for two seconds at most. If
// one takes longer, the id is that of the oldest open transaction, and what was committed since that one began is read
// once more.
func LogBegin(ctx context.Context, on Querier) (uint64, error) {
	ceiling, err := LogCeiling(ctx, on)
	if err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(2 * time.Second); ; {
		horizon, err := LogHorizon(ctx, on)
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

// LogHorizon returns the transaction id of the oldest open transaction, in the log's order. Nothing can appear before
// it.
func LogHorizon(ctx context.Context, on Querier) (xid uint64, err error) {
	err = on.QueryRow(ctx, "SELECT log_horizon()::xid8").Scan(&xid)
	return xid, err
}

// LogCeiling returns a transaction id, in the log's order, that is greater than that of every transaction that has
// ended.
func LogCeiling(ctx context.Context, on Querier) (xid uint64, err error) {
	err = on.QueryRow(ctx, "SELECT log_ceiling()::xid8").Scan(&xid)
	return xid, err
}
