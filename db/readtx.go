package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ReadTx runs f in a transaction that only reads, on Pool. It is not run again after a conflict.
func (d *DB) ReadTx(ctx context.Context, f func(pgx.Tx) error) error {
	begin := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly}
	if d.begin != "" { // pgx adds nothing to a query of ours
		begin.BeginQuery = d.begin + "; SET LOCAL transaction_read_only = on"
	}
	return pgx.BeginTxFunc(ctx, d.Pool, begin, f)
}

// VectorIndexPrefix begins the names of the indexes that need the extension pgvector. Backups leave them out, since the
// server of the copy may not have the extension; they are made anew.
const VectorIndexPrefix = "embeddings_vector_"
