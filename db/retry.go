package db

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// conflictTries is how often a transaction is attempted that fails because of concurrent ones.
const conflictTries = 10

// conflict reports whether Postgres aborted a transaction because of a concurrent one: a serialization failure or a
// deadlock. The transaction had no effect and can be retried.
func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == pgerrcode.SerializationFailure || pg.Code == pgerrcode.DeadlockDetected)
}

// usualPatience is how long a statement waits for a connection while all are in use.
const usualPatience = 30 * time.Second

type patientKey struct{}

// Patient has what is done with the context wait for a connection for as long as the context lasts, while all are in
// use.
func Patient(ctx context.Context) context.Context { return context.WithValue(ctx, patientKey{}, true) }

// retrier decides whether a failed statement or transaction is retried: after a conflict, and while all connections are
// in use.
type retrier struct {
	ctx  context.Context //nolint:containedctx // of the one call that it is made for
	of   retrying        // whose statement or transaction it is
	try  int
	full time.Time // when all connections were in use first
}

// again waits a moment and reports whether to retry.
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
	if r.of.OnConflict != nil {
		r.of.OnConflict(err)
	}
	if r.try++; r.try == conflictTries {
		return false
	}
	// The wait is random, so that the same transactions do not conflict again.
	wait := rand.N(min(5*time.Millisecond<<r.try, 500*time.Millisecond)) //nolint:gosec // chance enough
	select {
	case <-r.ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// waited waits for a connection to be released. It returns false after Patience, unless the context is Patient.
func (r *retrier) waited() bool {
	if r.full.IsZero() {
		r.full = time.Now()
	} else if r.ctx.Value(patientKey{}) == nil && time.Since(r.full) >= cmp.Or(r.of.Patience, usualPatience) {
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

// retrying is a Querier that retries statements after a conflict. Querier must be a pool, on which each statement is a
// transaction of its own. Statements within a transaction cannot be retried: DB.Tx retries the whole transaction.
type retrying struct {
	Querier
	// OnConflict is DB.OnConflict.
	OnConflict func(error)
	// Patience is DB.Patience.
	Patience time.Duration
}

// Exec implements Querier.
func (r retrying) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	retry := retrier{ctx: ctx, of: r}
	for {
		tag, err := r.Querier.Exec(ctx, sql, args...)
		if !retry.again(err) {
			return tag, err
		}
	}
}

// Query implements Querier. A statement that fails after its first row was read is not retried.
func (r retrying) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	again := &retryingRows{retrier: retrier{ctx: ctx, of: r},
		query: func() (pgx.Rows, error) { return r.Querier.Query(ctx, sql, args...) }}
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

// QueryRow implements Querier. The statement runs when the row is scanned.
func (r retrying) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	query := func() pgx.Row { return r.Querier.QueryRow(ctx, sql, args...) }
	return retryingRow{ctx: ctx, of: r, query: query}
}

type retryingRow struct {
	ctx   context.Context //nolint:containedctx // a row is scanned in the call that asked for it
	of    retrying
	query func() pgx.Row
}

// Scan implements pgx.Row.
func (r retryingRow) Scan(dest ...any) error {
	retry := retrier{ctx: r.ctx, of: r.of}
	for {
		err := r.query().Scan(dest...)
		if !retry.again(err) {
			return err
		}
	}
}

// retryingRows are the rows of a statement that is retried until its first row is read.
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
