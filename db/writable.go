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
	// writeProbeLock is the advisory lock of a probe.
	writeProbeLock = 7466552
	// writeProbeLimit bounds a probe.
	writeProbeLimit = 2 * time.Second
)

// WriteProbe caches whether a database accepts writes. It may be used by several goroutines.
type WriteProbe struct {
	// DB is the database.
	DB *DB
	// Every is how long a result is cached.
	Every time.Duration

	mu    sync.Mutex // held during a probe: concurrent callers wait for its result
	tried time.Time
	err   error
}

// Check returns the last result of CheckWritable, and calls it again if that is older than Every.
func (p *WriteProbe) Check(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.tried) >= p.Every {
		p.err = p.DB.CheckWritable(ctx)
		p.tried = time.Now()
	}
	return p.err
}

// NotWritable means that a database accepts no writes.
type NotWritable struct {
	// Reason is a text for users, such as "the disk of the database is full".
	Reason string
	err    error
}

// Error implements error.
func (e *NotWritable) Error() string { return e.Reason }

// Unwrap returns the error of Postgres.
func (e *NotWritable) Unwrap() error { return e.err }

// writeProbe is what a try does, in a transaction that is undone. It leaves nothing behind: an undone INSERT would
// leave dead rows, and an undone TRUNCATE or CREATE TABLE dead rows of the catalog, whose vacuum locks out a standby's
// readers as TRUNCATE itself does.
var writeProbe = []string{
	`SET LOCAL lock_timeout = 500`,
	// A table that is always empty. Readers do not stand in its way, nor it in theirs.
	`DELETE FROM writability`,
	// A server that is near the end of its transaction numbers gives out none.
	`SELECT pg_current_xact_id()`,
	// The file is beside the tables, whatever the role's default is.
	`SET LOCAL temp_tablespaces = ''`,
	`SET LOCAL work_mem = 64`,
	writeProbeFile,
}

// writeProbeFile has more rows than fit into 64 kB of memory: Postgres writes them to a temporary file, which needs
// room on the disk as a table does that grows.
const writeProbeFile = `SELECT count(*) FROM generate_series(1, 8000)`

// CheckWritable has the database do what any write does, and write more than 64 kB into a new file, and takes it back:
// a *NotWritable says that it cannot. All processes together do so once at a time; where another is at it, and where
// the try takes too long, nothing is known and nothing is said.
func (d *DB) CheckWritable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeProbeLimit)
	defer cancel()
	tx, err := d.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, BeginQuery: d.begin})
	if err != nil {
		return nil //nolint:nilerr // whether the database answers is for others to find out
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // as it is meant
	var alone bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, writeProbeLock).Scan(&alone); err != nil || !alone {
		return nil //nolint:nilerr // as above
	}
	for _, sql := range writeProbe {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return notWritable(err, sql == writeProbeFile)
		}
	}
	return nil
}

// notWritable tells from a refusal that no write would be taken; nil for any other. file says that what was refused was
// to write a file, which needs no right that a role may lack.
func notWritable(err error, file bool) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return nil
	}
	switch code := pgErr.Code; {
	case code == pgerrcode.ReadOnlySQLTransaction:
		return &NotWritable{Reason: "the database is read-only", err: err}
	case code == pgerrcode.DiskFull:
		return &NotWritable{Reason: "the disk of the database is full", err: err}
	case code == pgerrcode.ConfigurationLimitExceeded: // temp_file_limit: queries are bounded, not writes
		return nil
	case pgerrcode.IsInsufficientResources(code), pgerrcode.IsSystemError(code), pgerrcode.IsProgramLimitExceeded(code),
		// A disk that became read-only, and a quota that is used up.
		file && (code == pgerrcode.InsufficientPrivilege || code == pgerrcode.InternalError):
		return &NotWritable{Reason: "the database takes no writes", err: err}
	}
	return nil
}
