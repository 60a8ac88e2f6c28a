package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pipeline gathers statements and sends them in one round trip. It is a DBTX for queries that return no rows:
//
//	var p db.Pipeline
//	q := db.New(&p)
//	q.SetRunStatus(ctx, ...)
//	q.InsertEvents(ctx, ...)
//	err := p.Flush(ctx, tx)
//
// Errors of the statements come out of Flush.
type Pipeline struct{ batch pgx.Batch }

var errPipeline = errors.New("db: a pipeline has no rows to give")

// Exec implements DBTX: the statement is sent by Flush, and how many rows it changes is not known.
func (p *Pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Query implements DBTX; it always fails.
func (p *Pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errPipeline }

// QueryRow implements DBTX; its row always fails.
func (p *Pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return failedRow{} }

type failedRow struct{}

func (failedRow) Scan(...any) error { return errPipeline }

// Flush sends what was gathered.
func (p *Pipeline) Flush(ctx context.Context, tx pgx.Tx) error {
	if p.batch.Len() == 0 {
		return nil
	}
	err := tx.SendBatch(ctx, &p.batch).Close()
	p.batch = pgx.Batch{}
	return err
}

// LockCheck takes the advisory lock of a check and then says whether the check looked again after the result of this id,
// in one round trip.
func LockCheck(ctx context.Context, tx pgx.Tx, lock int64, p NewerCheckResultParams) (newer bool, err error) {
	var b pgx.Batch
	b.Queue(advisoryLock, lock)
	b.Queue(newerCheckResult, p.Asset, p.Name, p.ID)
	results := tx.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, results.Close()) }()
	if _, err := results.Exec(); err != nil {
		return false, err
	}
	err = results.QueryRow().Scan(&newer)
	return newer, err
}

// LockRunAndSteps takes a run's row lock and then reads its steps, in one round trip; pgx.ErrNoRows without the run.
func LockRunAndSteps(ctx context.Context, tx pgx.Tx, id [16]byte) (run Run, steps []Step, err error) {
	var b pgx.Batch
	b.Queue(lockRun, id)
	b.Queue(listSteps, id)
	results := tx.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, results.Close()) }()
	rows, err := results.Query()
	if err != nil {
		return run, nil, err
	}
	if run, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Run]); err != nil {
		return run, nil, err
	}
	if rows, err = results.Query(); err != nil {
		return run, nil, err
	}
	steps, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Step])
	return run, steps, err
}
