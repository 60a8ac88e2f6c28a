package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// conflictTries is how often something is done that other transactions are in the way of.
const conflictTries = 10

// conflict says whether Postgres undid a transaction for the sake of another: a serialization failure or a deadlock.
// Nothing of it was done, and the same works once the other has ended.
func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == pgerrcode.SerializationFailure || pg.Code == pgerrcode.DeadlockDetected)
}

// patience is how long a connection is waited for while all are in use.
const patience = 30 * time.Second

type patientKey struct{}

// Patient has what is done with the context wait for a connection for as long as the context lasts, while all are in
// use.
func Patient(ctx context.Context) context.Context { return context.WithValue(ctx, patientKey{}, true) }

// retrier does things again that met a conflict, or found all connections in use. It is the one place where that is
// decided.
type retrier struct {
	ctx  context.Context //nolint:containedctx // of the one call that it is made for
	told func(error)
	try  int
	full time.Time // when all connections were in use first
}

// again waits a moment, and says whether what failed is to be done once more.
func (r *retrier) again(err error) bool {
	if err == nil {
		return false
	}
	if full(err) {
		return r.waited()
	}
	if !conflict(err) {
		return false
	}
	if r.told != nil {
		r.told(err)
	}
	if r.try++; r.try == conflictTries {
		return false
	}
	// By chance, so that those who were in each other's way are not so again.
	wait := rand.N(min(5*time.Millisecond<<r.try, 500*time.Millisecond)) //nolint:gosec // chance enough
	select {
	case <-r.ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// waited waits until a connection may have been given back, and says whether that is worth while.
func (r *retrier) waited() bool {
	if r.full.IsZero() {
		r.full = time.Now()
	} else if r.ctx.Value(patientKey{}) == nil && time.Since(r.full) >= patience {
		return false
	}
	timer := time.NewTimer(10*time.Millisecond + rand.N(90*time.Millisecond)) //nolint:gosec // chance enough
	defer timer.Stop()
	select {
	case <-r.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Retrying runs statements that are transactions of their own, on a pool, again after a conflict. Statements within a
// transaction cannot be: DB.Tx does the whole of it again.
type Retrying struct {
	DBTX
	// OnConflict is DB.OnConflict.
	OnConflict func(error)
}

// Exec implements DBTX.
func (r Retrying) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	retry := retrier{ctx: ctx, told: r.OnConflict}
	for {
		tag, err := r.DBTX.Exec(ctx, sql, args...)
		if !retry.again(err) {
			return tag, err
		}
	}
}

// Query implements DBTX. A statement that fails after it gave rows is not run again: they have been read.
func (r Retrying) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	again := &retryingRows{retrier: retrier{ctx: ctx, told: r.OnConflict}, query: func() (pgx.Rows, error) { return r.DBTX.Query(ctx, sql, args...) }}
	for {
		var err error
		if again.Rows, err = again.query(); err == nil {
			return again, nil
		}
		if !again.retrier.again(err) {
			return nil, err
		}
	}
}

// QueryRow implements DBTX. The statement runs when its row is scanned.
func (r Retrying) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return retryingRow{ctx: ctx, told: r.OnConflict, query: func() pgx.Row { return r.DBTX.QueryRow(ctx, sql, args...) }}
}

type retryingRow struct {
	ctx   context.Context //nolint:containedctx // a row is scanned in the call that asked for it
	told  func(error)
	query func() pgx.Row
}

// Scan implements pgx.Row.
func (r retryingRow) Scan(dest ...any) error {
	retry := retrier{ctx: r.ctx, told: r.told}
	for {
		err := r.query().Scan(dest...)
		if !retry.again(err) {
			return err
		}
	}
}

// retryingRows are the rows of a statement that is run again as long as it has given none.
type retryingRows struct {
	pgx.Rows
	retrier retrier
	query   func() (pgx.Rows, error)
	read    bool
	err     error // of a repeated query that could not be sent
}

// Next implements pgx.Rows.
func (r *retryingRows) Next() bool {
	for {
		if r.err != nil {
			return false
		}
		if r.Rows.Next() {
			r.read = true
			return true
		}
		if r.read || !r.retrier.again(r.Rows.Err()) {
			return false
		}
		rows, err := r.query()
		if err != nil {
			r.err = err
			return false
		}
		r.Rows = rows
	}
}

// Err implements pgx.Rows.
func (r *retryingRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err()
}
