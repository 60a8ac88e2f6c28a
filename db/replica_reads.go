package db

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// MayLag returns a context whose reads may come from a replica. All of them come from one replica, or from the primary
// once the replica did not answer a statement. So a request never sees data that is older than what it already read.
func MayLag(ctx context.Context) context.Context {
	return context.WithValue(ctx, lagKey{}, &lagging{})
}

// OnPrimary returns a context whose reads come from the primary, even if MayLag was called before.
func OnPrimary(ctx context.Context) context.Context {
	return context.WithValue(ctx, lagKey{}, (*lagging)(nil))
}

// ReplicaFailed reports whether the replica failed in the middle of the rows of a statement. The caller can repeat the
// whole request with the same context, which reads from the primary from then on.
func ReplicaFailed(ctx context.Context) bool {
	l, _ := ctx.Value(lagKey{}).(*lagging)
	return l != nil && l.cutOff.Load()
}

type lagKey struct{}

// lagging records which server a request reads from.
type lagging struct {
	primary atomic.Bool // the request reads from the primary from now on
	cutOff  atomic.Bool // the replica failed in the middle of rows
	mu      sync.Mutex
	server  string // the replica that the request reads from; empty: none yet
}

// stays reports whether the request may read from a server: it is the first that the request reads from, or the same as
// before.
func (l *lagging) stays(server string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == "" {
		l.server = server
	}
	return l.server == server && !l.primary.Load()
}

func (l *lagging) reads() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server
}

// reading is a Querier that runs queries on the replica if the context allows it, and on the primary otherwise.
type reading struct {
	Querier
	d *DB
}

func (d *DB) reading() Querier { return reading{Querier: d.retrying(d.Pool), d: d} }

// ask runs a query on the replica. It returns nil if the query must run on the primary.
func (r reading) ask(ctx context.Context, sql string, args []any) *replicaRows {
	l, _ := ctx.Value(lagKey{}).(*lagging)
	if l == nil {
		return nil
	}
	replica := r.d.replica.Load()
	if replica == nil || ctx.Err() != nil {
		return nil
	}
	if rows := replica.ask(ctx, l, sql, args); rows != nil {
		rows.again = func() (pgx.Rows, error) { return r.Querier.Query(ctx, sql, args...) }
		replica.reads.Add(1)
		return rows
	}
	l.primary.Store(true)
	replica.fallbacks.Add(1)
	return nil
}

func (r *Replica) ask(ctx context.Context, l *lagging, sql string, args []any) *replicaRows {
	if l.primary.Load() || !r.usable.Load() {
		return nil
	}
	asking, end := context.WithCancel(ctx)
	unhook := context.AfterFunc(r.current(), end)
	conn, server := r.acquire(asking, l.reads())
	if conn != nil && !l.stays(server) {
		conn.Release()
		conn = nil
	}
	rows := &replicaRows{ctx: ctx, replica: r, lagging: l, release: sync.OnceFunc(func() {
		if conn != nil {
			conn.Release()
		}
		unhook()
		end()
	})}
	if conn == nil {
		rows.release()
		return nil
	}
	var err error
	if rows.Rows, err = conn.Query(asking, sql, args...); err != nil {
		rows.release()
		r.fell()
		return nil
	}
	return rows
}

// fell has the task check the replica now, because a statement failed on it.
func (r *Replica) fell() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Query runs a query on the replica or the primary.
func (r reading) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if rows := r.ask(ctx, sql, args); rows != nil {
		return rows, nil
	}
	return r.Querier.Query(ctx, sql, args...)
}

// QueryRow implements Querier. If the replica does not have the row, the primary is queried, so a row that was just
// written is found.
func (r reading) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows := r.ask(ctx, sql, args)
	if rows == nil {
		return r.Querier.QueryRow(ctx, sql, args...)
	}
	return replicaRow{rows: rows, primary: func() pgx.Row { return r.Querier.QueryRow(ctx, sql, args...) }}
}

type replicaRow struct {
	rows    *replicaRows
	primary func() pgx.Row
}

// Scan implements pgx.Row.
func (r replicaRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		r.rows.Close()
		r.rows.lagging.primary.Store(true)
		return r.primary().Scan(dest...)
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// replicaRows are the rows of the replica. If the replica fails before the first row, they are those of the primary.
type replicaRows struct {
	pgx.Rows
	ctx     context.Context //nolint:containedctx // rows are read in the call that ran the query
	replica *Replica
	lagging *lagging
	again   func() (pgx.Rows, error) // runs the query on the primary
	release func()                   // releases the connection
	fallen  bool                     // Rows are the primary's
	read    bool                     // a row was read
	err     error                    // of the query on the primary
}

// Next implements pgx.Rows.
func (r *replicaRows) Next() bool {
	if r.err != nil {
		return false
	}
	if r.Rows.Next() {
		r.read = true
		return true
	}
	if r.fallen {
		return false
	}
	err := r.Rows.Err()
	r.release()
	if err == nil || r.ctx.Err() != nil || timedOut(err) {
		return false
	}
	r.lagging.primary.Store(true)
	r.replica.fallbacks.Add(1)
	r.replica.fell()
	if r.read {
		r.lagging.cutOff.Store(true)
		return false
	}
	r.fallen = true
	rows, err := r.again()
	if err != nil {
		r.err = err
		return false
	}
	r.Rows = rows
	return r.Next()
}

// timedOut reports whether a statement exceeded statement_timeout. It would do so on the primary too.
func timedOut(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == pgerrcode.QueryCanceled
}

// Err implements pgx.Rows.
func (r *replicaRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err()
}

// Close implements pgx.Rows.
func (r *replicaRows) Close() {
	r.Rows.Close()
	r.release()
}
