package access

import (
	"context"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// Sweeper deletes old entries of the audit log. They are kept for 400 days by default.
func Sweeper(d *db.DB) db.Sweeper {
	q := sql.New(d.Durable())
	return db.Sweeper{
		Kind: "audit", KeepFor: 400 * 24 * time.Hour, Nth: q.NthAudit,
		Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepAudit(ctx, sql.SweepAuditParams{Before: before, MaxRows: limit})
		},
		Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimAudit(ctx, sql.TrimAuditParams{Keep: keep, MaxRows: limit})
		},
	}
}

// DeleteExpiredSessions returns a function that deletes the sessions that have expired and says how many those were.
func DeleteExpiredSessions(d *db.DB) func(context.Context) (int64, error) {
	return sql.New(d.Durable()).DeleteExpiredSessions
}
