package db

import (
	"context"
	"time"
)

// Sweeper deletes the old rows of one kind, in batches. The owner of the rows makes it, and whoever applies retention
// calls it; neither needs to know the other.
type Sweeper struct {
	// Kind names the rows in the setting RETENTION, such as fetch_logs.
	Kind string
	// KeepFor is how long rows are kept by default.
	KeepFor time.Duration
	// Sweep deletes up to limit of the rows made before a time, the oldest first.
	Sweep func(ctx context.Context, before time.Time, limit int32) (int64, error)
	// Nth is when the row was made that n newer rows follow; pgx.ErrNoRows if there are fewer.
	Nth func(ctx context.Context, n int32) (time.Time, error)
	// Trim deletes up to limit of the rows beyond the newest keep. It takes what Sweep leaves: rows made at the same
	// moment.
	Trim func(ctx context.Context, keep, limit int32) (int64, error)
}
