package db

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// AlignLog makes up for records that another cluster wrote, whose transaction ids were ahead of this one's: as after a
// restore. It returns by how many ids the log's order was moved; 0 is the ordinary case.
//
// The records are all columns of type xid8, in whatever table, and the places that sensors keep as text.
func (d *DB) AlignLog(ctx context.Context) (int64, error) {
	var shift int64
	err := d.Tx(ctx, func(tx pgx.Tx) error {
		shift = 0
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", billsLock); err != nil {
			return err
		}
		newest, err := newestLogIDs(ctx, tx)
		if err != nil {
			return err
		}
		var behind, offset int64 // how far the next id is behind those that are stored
		err = tx.QueryRow(ctx, "SELECT greatest("+newest+") - log_ceiling()::text::bigint, log_offset()").
			Scan(&behind, &offset)
		if err != nil || behind <= 0 {
			return err
		}
		shift = behind + 1
		_, err = tx.Exec(ctx, fmt.Sprintf(
			"CREATE OR REPLACE FUNCTION log_offset() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT %d::bigint'",
			offset+shift))
		return err
	})
	return shift, err
}

// newestLogIDs returns SQL expressions, separated by commas: the greatest transaction id in each place that stores
// them.
func newestLogIDs(ctx context.Context, tx pgx.Tx) (string, error) {
	rows, err := tx.Query(ctx, `
SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
  AND a.atttypid = 'xid8'::regtype AND NOT a.attisdropped
ORDER BY 1, 2`)
	if err != nil {
		return "", err
	}
	newest := []string{`coalesce((SELECT max(split_part(split_part(cursor, '-', 1), '/', 1)::bigint) FROM sensors
    WHERE cursor ~ '^[0-9]{1,18}[-/]'), 0)`}
	var table, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		from, id := pgx.Identifier{table}.Sanitize(), pgx.Identifier{column}.Sanitize()
		newest = append(newest, fmt.Sprintf(
			"coalesce((SELECT %[1]s FROM %[2]s ORDER BY %[1]s DESC LIMIT 1)::text::bigint, 0)", id, from))
		return nil
	})
	return strings.Join(newest, ", "), err
}
