package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// TableSize is the space that a table takes with its indexes and partitions.
type TableSize struct {
	Name  string
	Bytes int64
	Rows  int64 // as Postgres estimates
}

// Storage returns the tables of the program's schema, the largest first.
func (d *DB) Storage(ctx context.Context) ([]TableSize, error) {
	rows, err := d.Pool.Query(ctx, `
SELECT coalesce(parent.relname, c.relname)::text, sum(pg_total_relation_size(c.oid))::bigint,
    sum(greatest(c.reltuples, 0))::bigint
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
GROUP BY 1 ORDER BY 2 DESC, 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[TableSize])
}
