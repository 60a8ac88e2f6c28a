package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// HasVector says whether the extension pgvector is there. It makes it if it may: where it is installed but was not made
// by anybody, and the role has the right to.
func (d *DB) HasVector(ctx context.Context) (bool, error) {
	var there, installed bool
	err := d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector'), EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')`).Scan(&there, &installed)
	if err != nil || there || !installed {
		return there, err
	}
	if _, err := d.Pool.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS vector`); err != nil {
		return false, nil //nolint:nilerr // it may not: search is exact without
	}
	return true, nil
}

// NearestBills gives the bills whose embeddings by a model are nearest to one, the nearest first, as pgvector finds them.
func (d *DB) NearestBills(ctx context.Context, model string, to []float32, limit int) ([]string, error) {
	rows, err := d.Pool.Query(ctx, fmt.Sprintf(`
SELECT bill_id FROM embeddings WHERE model = $1 AND cardinality(embedding) = %d
GROUP BY bill_id ORDER BY min(embedding::vector(%[1]d) <=> $2::real[]::vector(%[1]d)) LIMIT $3`, len(to)), model, to, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
