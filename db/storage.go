package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EventPartition is a piece of the event log.
type EventPartition struct {
	Name string
	Upto time.Time // it holds what is earlier, down to the end of the one before
	Rows int64     // as Postgres estimates; -1: not known
}

// EventPartitions lists the pieces of the event log but the default one, oldest first.
func (d *DB) EventPartitions(ctx context.Context) ([]EventPartition, error) {
	rows, err := d.Pool.Query(ctx, `
SELECT c.relname::text, (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz, c.reltuples::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
ORDER BY 2`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[EventPartition])
}

const week = 7 * 24 * time.Hour

// weekOf is the Monday, at midnight UTC, that a week begins with.
func weekOf(t time.Time) time.Time {
	t = t.UTC().Truncate(24 * time.Hour)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
}

// EnsureEventPartitions makes the pieces of the event log for the weeks from now on, as many as ahead, that are not
// there yet. Events that a wrong clock put into the default piece move to where they belong. ErrBusy if the log cannot
// be locked for a moment; try again later: until then the default piece takes what comes.
func (d *DB) EnsureEventPartitions(ctx context.Context, now time.Time, ahead int) error {
	have, err := d.EventPartitions(ctx)
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
		err := d.lockBriefly(ctx, func(tx pgx.Tx) error {
			name, a, b := pgx.Identifier{partitionName(from)}.Sanitize(), from.Format(time.RFC3339), from.Add(week).Format(time.RFC3339)
			_, err := tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE %[1]s (LIKE events INCLUDING DEFAULTS);
LOCK TABLE events_default IN ACCESS EXCLUSIVE MODE;
WITH moved AS (DELETE FROM events_default WHERE at >= '%[2]s' AND at < '%[3]s' RETURNING *) INSERT INTO %[1]s SELECT * FROM moved;
ALTER TABLE events ATTACH PARTITION %[1]s FOR VALUES FROM ('%[2]s') TO ('%[3]s')`, name, a, b))
			return err
		})
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && pgErr.Code == pgerrcode.DuplicateTable {
			continue // another process was faster
		}
		if err != nil {
			return fmt.Errorf("piece of the event log from %s: %w", from.Format(time.DateOnly), err)
		}
	}
	return nil
}

func partitionName(from time.Time) string { return "events_" + from.Format("20060102") }

// DropEventPartition drops a piece of the event log, but for the events of the runs to be kept, which move to the
// default piece. ErrBusy as with EnsureEventPartitions.
func (d *DB) DropEventPartition(ctx context.Context, name string, keep []uuid.UUID) error {
	return d.lockBriefly(ctx, func(tx pgx.Tx) error {
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

// SweepDefaultEvents deletes old events of the default piece, but for those of the runs to be kept: at most limit.
func (d *DB) SweepDefaultEvents(ctx context.Context, before time.Time, keep []uuid.UUID, limit int) (int64, error) {
	tag, err := d.retrying(d.Pool).Exec(ctx, `DELETE FROM events_default WHERE ctid = ANY(ARRAY(SELECT ctid FROM events_default WHERE at < $1 AND run_id <> ALL($2) LIMIT $3))`, before, keep, limit)
	return tag.RowsAffected(), err
}

// EventPlace is a place in the event log, whose order is that of (xid, id).
type EventPlace struct {
	Xid uint64
	ID  int64
}

// NthEvent is the place of the event that so many are newer than; pgx.ErrNoRows if there are fewer.
func (d *DB) NthEvent(ctx context.Context, newer int64) (p EventPlace, err error) {
	err = d.Pool.QueryRow(ctx, "SELECT xid, id FROM events ORDER BY xid DESC, id DESC OFFSET $1 LIMIT 1", newer).Scan(&p.Xid, &p.ID)
	return p, err
}

// EventsFrom says whether a piece of the event log has any events from a place on.
func (d *DB) EventsFrom(ctx context.Context, partition string, from EventPlace) (has bool, err error) {
	sql := "SELECT EXISTS (SELECT FROM " + pgx.Identifier{partition}.Sanitize() + " WHERE (xid, id) >= ($1::xid8, $2::bigint))"
	err = d.Pool.QueryRow(ctx, sql, from.Xid, from.ID).Scan(&has)
	return has, err
}

// SweepEventsBefore deletes the events before a place, but for those of the runs to be kept: at most limit, the oldest
// first.
func (d *DB) SweepEventsBefore(ctx context.Context, before EventPlace, keep []uuid.UUID, limit int) (int64, error) {
	tag, err := d.Pool.Exec(ctx, `
WITH old AS MATERIALIZED (
    SELECT xid, id FROM events WHERE (xid, id) < ($1::xid8, $2::bigint) AND run_id <> ALL($3) ORDER BY xid, id LIMIT $4
)
DELETE FROM events e USING old WHERE e.xid = old.xid AND e.id = old.id`, before.Xid, before.ID, keep, limit)
	return tag.RowsAffected(), err
}

// ErrBusy says that a table was in use and could not be locked soon enough; nobody is kept waiting for longer.
var ErrBusy = errors.New("the table is in use")

// lockBriefly runs f in a transaction that takes no lock it does not get within half a second: those who come after it
// wait as long as it does.
func (d *DB) lockBriefly(ctx context.Context, f func(pgx.Tx) error) error {
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

// TableSize is the space that a table takes with its indexes and partitions.
type TableSize struct {
	Name  string
	Bytes int64
	Rows  int64 // as Postgres estimates
}

// Storage lists the tables, the largest first.
func (d *DB) Storage(ctx context.Context) ([]TableSize, error) {
	rows, err := d.Pool.Query(ctx, `
SELECT coalesce(parent.relname, c.relname)::text, sum(pg_total_relation_size(c.oid))::bigint, sum(greatest(c.reltuples, 0))::bigint
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
GROUP BY 1 ORDER BY 2 DESC, 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[TableSize])
}

// AlignLog makes up for the event log having been written by another cluster, whose transaction ids were ahead of this
// one's: as after a restore. It says by how many it was set right; 0 is the ordinary case.
func (d *DB) AlignLog(ctx context.Context) (int64, error) {
	var shift int64
	err := d.Tx(ctx, func(tx pgx.Tx) error {
		shift = 0
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", billsLock); err != nil {
			return err
		}
		// The ids that the log, the bills and the places of the sensors in them hold, and the one that comes next.
		var behind, offset int64
		err := tx.QueryRow(ctx, `
SELECT greatest(coalesce((SELECT xid FROM events ORDER BY xid DESC LIMIT 1)::text::bigint, 0), coalesce((SELECT max(xid::text::bigint) FROM bill_versions), 0),
                coalesce((SELECT max(split_part(split_part(cursor, '-', 1), '/', 1)::bigint) FROM sensors WHERE cursor ~ '^[0-9]{1,18}[-/]'), 0)) - log_ceiling()::text::bigint,
       log_offset()`).Scan(&behind, &offset)
		if err != nil || behind <= 0 {
			return err
		}
		shift = behind + 1
		_, err = tx.Exec(ctx, fmt.Sprintf("CREATE OR REPLACE FUNCTION log_offset() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT %d::bigint'", offset+shift))
		return err
	})
	return shift, err
}
