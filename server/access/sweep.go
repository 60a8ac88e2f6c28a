package access

import (
	"context"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// Sweeper returns the retention task of the audit log. Entries are kept for 400 days by default.
func Sweeper(d *db.DB) db.Sweeper {
	q := sql.New(d.Durable())
	return db.Sweeper{
		Kind: "audit", KeepFor: 400 * 24 * time.Hour, Nth: q.NthAudit,
		Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepAudit(ctx, sql.SweepAuditParams{Before: before, Limit: limit})
		},
		Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimAudit(ctx, sql.TrimAuditParams{Keep: keep, Limit: limit})
		},
	}
}

// DeleteExpiredSessions returns a function that deletes the expired sessions and returns their number.
func DeleteExpiredSessions(d *db.DB) func(context.Context) (int64, error) {
	return sql.New(d.Durable()).DeleteExpiredSessions
}
