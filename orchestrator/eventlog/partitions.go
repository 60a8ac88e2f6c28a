package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// Partition is a weekly partition of the event log.
type Partition struct {
	Name string
	Upto time.Time // it holds what is earlier, down to the end of the one before
	Rows int64     // as Postgres estimates; -1: not known
}

// Partitions lists the partitions of the event log but the default one, oldest first.
func Partitions(ctx context.Context, d *db.DB) ([]Partition, error) {
	rows, err := d.Pool.Query(ctx, `
SELECT c.relname::text, (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz,
       c.reltuples::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
ORDER BY 2`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Partition])
}

const week = 7 * 24 * time.Hour

// weekOf is the Monday, at midnight UTC, that a week begins with.
func weekOf(t time.Time) time.Time {
	t = t.UTC().Truncate(24 * time.Hour)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
}

// EnsurePartitions creates the missing partitions for this week and for the given number of weeks after it. Events of
// those weeks that are in the default partition, because a clock was wrong, move to their own. It returns ErrBusy if
// the log cannot be locked at once; call it again later. Until then the default partition takes new events.
func EnsurePartitions(ctx context.Context, d *db.DB, now time.Time, ahead int) error {
	have, err := Partitions(ctx, d)
	if err != nil {
		return err
	}
	for i := range ahead + 1 {
		from := weekOf(now).Add(time.Duration(i) * week)
		covered := false
		for _, p := range have {
			covered = covered || p.Name == partitionName(from) || p.Name == "events_legacy" && p.Upto.After(from)
		}
		if covered {
			continue
		}
		err := lockBriefly(ctx, d, func(tx pgx.Tx) error {
			name, a, b := pgx.Identifier{
				partitionName(from),
			}.Sanitize(), from.Format(time.RFC3339), from.Add(week).
				Format(time.RFC3339)
			_, err := tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE %[1]s (LIKE events INCLUDING DEFAULTS);
LOCK TABLE events_default IN ACCESS EXCLUSIVE MODE;
WITH moved AS (DELETE FROM events_default WHERE at >= '%[2]s' AND at < '%[3]s' RETURNING *)
INSERT INTO %[1]s SELECT * FROM moved;
ALTER TABLE events ATTACH PARTITION %[1]s FOR VALUES FROM ('%[2]s') TO ('%[3]s')`, name, a, b))
			return err
		})
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && pgErr.Code == pgerrcode.DuplicateTable {
			continue // another process was faster
		}
		if err != nil {
			return fmt.Errorf("partition of the event log from %s: %w", from.Format(time.DateOnly), err)
		}
	}
	return nil
}

func partitionName(from time.Time) string { return "events_" + from.Format("20060102") }

// DropPartition drops a partition. The events of the runs to keep move to the default partition. It returns ErrBusy as
// EnsurePartitions does.
func DropPartition(ctx context.Context, d *db.DB, name string, keep []uuid.UUID) error {
	return lockBriefly(ctx, d, func(tx pgx.Tx) error {
		table := pgx.Identifier{name}.Sanitize()
		if _, err := tx.Exec(ctx, "ALTER TABLE events DETACH PARTITION "+table); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO events SELECT * FROM "+table+" WHERE run_id = ANY($1)", keep); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DROP TABLE "+table)
		return err
	})
}

// DeleteFromDefault deletes at most limit events of the default partition that are older than before, except those of
// the runs to keep.
func DeleteFromDefault(ctx context.Context, d *db.DB, before time.Time, keep []uuid.UUID, limit int) (int64, error) {
	tag, err := d.Durable().Exec(ctx, `
DELETE FROM events_default WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM events_default WHERE at < $1 AND run_id <> ALL($2) LIMIT $3))`, before, keep, limit)
	return tag.RowsAffected(), err
}

// NthNewest returns the place of the event that exactly newer events come after. It returns pgx.ErrNoRows if there are
// fewer events.
func NthNewest(ctx context.Context, d *db.DB, newer int64) (p Cursor, err error) {
	err = d.Pool.QueryRow(ctx, "SELECT xid, id FROM events ORDER BY xid DESC, id DESC OFFSET $1 LIMIT 1", newer).
		Scan(&p.Xid, &p.ID)
	return p, err
}

// HasFrom reports whether a partition has an event at a place or after it.
func HasFrom(ctx context.Context, d *db.DB, partition string, from Cursor) (has bool, err error) {
	sql := "SELECT EXISTS (SELECT FROM " + pgx.Identifier{
		partition,
	}.Sanitize() + " WHERE (xid, id) >= ($1::xid8, $2::bigint))"
	err = d.Pool.QueryRow(ctx, sql, from.Xid, from.ID).Scan(&has)
	return has, err
}

// DeleteBefore deletes at most limit events before a place, oldest first, except those of the runs to keep.
func DeleteBefore(ctx context.Context, d *db.DB, before Cursor, keep []uuid.UUID, limit int) (int64, error) {
	tag, err := d.Pool.Exec(ctx, `
WITH old AS MATERIALIZED (
    SELECT xid, id FROM events WHERE (xid, id) < ($1::xid8, $2::bigint) AND run_id <> ALL($3) ORDER BY xid, id LIMIT $4
)
DELETE FROM events e USING old WHERE e.xid = old.xid AND e.id = old.id`, before.Xid, before.ID, keep, limit)
	return tag.RowsAffected(), err
}

// ErrBusy means that a table was in use and could not be locked within half a second.
var ErrBusy = errors.New("the table is in use")

// lockBriefly runs f in a transaction that waits half a second at most for each lock. Transactions that ask for the
// same lock later wait as long as this one does, so it must not wait long.
func lockBriefly(ctx context.Context, d *db.DB, f func(pgx.Tx) error) error {
	err := d.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '500ms'"); err != nil {
			return err
		}
		return f(tx)
	})
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == pgerrcode.LockNotAvailable {
		return ErrBusy
	}
	return err
}
