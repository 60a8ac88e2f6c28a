package db

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// writeProbeLock is the advisory lock of whoever tries whether the database can be written to.
	writeProbeLock = 7466552
	// writeProbeLimit bounds a try.
	writeProbeLimit = 2 * time.Second
)

// WriteProbe knows whether a database takes writes, for whoever asks, however often.
type WriteProbe struct {
	// DB is the database.
	DB *DB
	// Every is how long what a try found is good for.
	Every time.Duration

	mu    sync.Mutex // held while it is tried: others wait for the same
	tried time.Time
	err   error
}

// Check says what the last try found, as CheckWritable does.
func (p *WriteProbe) Check(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.tried) >= p.Every {
		p.err = p.DB.CheckWritable(ctx)
		p.tried = time.Now()
	}
	return p.err
}

// NotWritable says why a database takes no writes, in words for everybody.
type NotWritable struct {
	// Reason is what is so, such as "the disk of the database is full".
	Reason string
	err    error
}

// Error implements error.
func (e *NotWritable) Error() string { return e.Reason }

// Unwrap is what Postgres says.
func (e *NotWritable) Unwrap() error { return e.err }

// CheckWritable writes 64 kB into a new file of the database and takes it back: a *NotWritable says that it cannot. All
// processes together do so once at a time; where another is at it, and where the try takes too long, nothing is known and
// nothing is said.
func (d *DB) CheckWritable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeProbeLimit)
	defer cancel()
	tx, err := d.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil //nolint:nilerr // whether the database answers is for others to find out
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // as it is meant
	var alone bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, writeProbeLock).Scan(&alone); err != nil || !alone {
		return nil //nolint:nilerr // as above
	}
	// A table that is truncated begins a new file, so that there is no room left in the old one that would do.
	for _, sql := range []string{
		`SET LOCAL lock_timeout = 500`,
		`TRUNCATE writability`,
		`INSERT INTO writability (filler) SELECT repeat('x', 8000) FROM generate_series(1, 8)`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return notWritable(err)
		}
	}
	return nil
}

// notWritable tells from a refusal that no write would be taken; nil for any other.
func notWritable(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return nil
	}
	switch code := pgErr.Code; {
	case code == pgerrcode.ReadOnlySQLTransaction:
		return &NotWritable{Reason: "the database is read-only", err: err}
	case code == pgerrcode.DiskFull:
		return &NotWritable{Reason: "the disk of the database is full", err: err}
	case pgerrcode.IsInsufficientResources(code), pgerrcode.IsSystemError(code):
		return &NotWritable{Reason: "the database takes no writes", err: err}
	}
	return nil
}
