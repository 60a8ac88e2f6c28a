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

// MayLag allows what reads with the context to read from a replica. All of it comes from one replica or, from the first
// statement on that the replica did not answer, from the primary: a request never sees time go back.
func MayLag(ctx context.Context) context.Context {
	return context.WithValue(ctx, lagKey{}, &lagging{})
}

// OnPrimary has what reads with the context read from the primary, whatever MayLag allowed.
func OnPrimary(ctx context.Context) context.Context {
	return context.WithValue(ctx, lagKey{}, (*lagging)(nil))
}

// ReplicaFailed says that the replica let a statement down in the middle of its rows. The same works if all of it is done
// again with this context, which reads from the primary from then on.
func ReplicaFailed(ctx context.Context) bool {
	l, _ := ctx.Value(lagKey{}).(*lagging)
	return l != nil && l.cutOff.Load()
}

type lagKey struct{}

// lagging is what a request that may read from a replica has read from.
type lagging struct {
	primary atomic.Bool // it read from the primary
	cutOff  atomic.Bool
	mu      sync.Mutex
	server  string
}

// stays notes which server a request reads from, and says whether that is the one it has read from.
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

// reading is a DBTX that asks the replica where that may be, and the primary else.
type reading struct {
	DBTX
	d *DB
}

func (d *DB) reading() DBTX { return reading{DBTX: d.retrying(d.Pool), d: d} }

// ask asks the replica; nil if the primary is to be asked.
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
		rows.again = func() (pgx.Rows, error) { return r.DBTX.Query(ctx, sql, args...) }
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

// fell has the task look: something may be wrong.
func (r *Replica) fell() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Query implements DBTX.
func (r reading) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if rows := r.ask(ctx, sql, args); rows != nil {
		return rows, nil
	}
	return r.DBTX.Query(ctx, sql, args...)
}

// QueryRow implements DBTX. A row that the replica does not have may be one that it does not have yet, so the primary is
// asked: what was just made is found.
func (r reading) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows := r.ask(ctx, sql, args)
	if rows == nil {
		return r.DBTX.QueryRow(ctx, sql, args...)
	}
	return replicaRow{rows: rows, primary: func() pgx.Row { return r.DBTX.QueryRow(ctx, sql, args...) }}
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

// replicaRows are rows of the replica, or of the primary if the replica gives none.
type replicaRows struct {
	pgx.Rows
	ctx     context.Context //nolint:containedctx // rows are read in the call that asked for them
	replica *Replica
	lagging *lagging
	again   func() (pgx.Rows, error) // asks the primary
	release func()                   // gives the connection back
	fallen  bool                     // to the primary
	read    bool
	err     error // of the primary, when it was asked
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

// timedOut says that a statement took longer than any may: it would on the primary.
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
