// Package sql holds the queries of the engine: the .sql files beside this one, and the code that sqlc generates from
// them. Only the packages below orchestrator import it, so that no generated row leaves the engine.
package sql

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// LockCheck takes the advisory lock of a check, and then reports whether the check has a result that is newer than the
// one of this id. Both are one round trip.
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

// LockRunAndSteps locks a run's row and then reads the run's steps, in one round trip. It returns pgx.ErrNoRows if
// there is no such run.
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

// LockFreeRunsAndSteps is LockRunAndSteps for those of several runs that nobody else has locked, by id.
func LockFreeRunsAndSteps(
	ctx context.Context, tx pgx.Tx, ids []uuid.UUID,
) (runs []Run, steps []Step, err error) {
	var b pgx.Batch
	b.Queue(lockFreeRuns, ids)
	b.Queue(listStepsOfRuns, ids)
	results := tx.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, results.Close()) }()
	rows, err := results.Query()
	if err != nil {
		return nil, nil, err
	}
	if runs, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Run]); err != nil {
		return nil, nil, err
	}
	if rows, err = results.Query(); err != nil {
		return nil, nil, err
	}
	steps, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Step])
	return runs, steps, err
}
