package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pipeline collects statements and sends them in one round trip. It is a Querier for statements that return no rows:
//
//	var p db.Pipeline
//	q := sql.New(&p)
//	q.SetRunStatus(ctx, ...)
//	q.InsertEvents(ctx, ...)
//	err := p.Flush(ctx, tx)
//
// Flush returns the errors of the statements. A Pipeline must not be used by several goroutines at once.
type Pipeline struct{ batch pgx.Batch }

var errPipeline = errors.New("db: a pipeline has no rows to give")

// Exec implements Querier: the statement is sent by Flush, and how many rows it changes is not known.
func (p *Pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Query implements Querier; it always fails.
func (p *Pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errPipeline }

// QueryRow implements Querier; its row always fails.
func (p *Pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return failedRow{} }

type failedRow struct{}

func (failedRow) Scan(...any) error { return errPipeline }

// Flush sends the collected statements in tx and empties the pipeline.
func (p *Pipeline) Flush(ctx context.Context, tx pgx.Tx) error {
	if p.batch.Len() == 0 {
		return nil
	}
	err := tx.SendBatch(ctx, &p.batch).Close()
	p.batch = pgx.Batch{}
	return err
}
