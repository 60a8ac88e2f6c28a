package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// watchConn is a connection for checks. It is not from a pool: under load, when the replica is needed most, the pools
// may have no free connection. Replica.looking guards it.
type watchConn struct {
	dial    func(context.Context) (*pgx.Conn, error)
	conn    *pgx.Conn // nil until use connects
	made    time.Time
	doubted bool // it may lead to another server than the address does
}

// use calls f with the connection, for up to replicaPatience. If the connection broke since its last use, use connects
// again and calls f once more.
func (o *watchConn) use(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	o.renew(ctx)
	kept := o.conn != nil
	for {
		if o.conn == nil {
			conn, err := o.dial(ctx)
			if err != nil {
				return err
			}
			o.conn, o.made = conn, time.Now()
		}
		err := f(ctx, o.conn)
		if err == nil {
			return nil
		}
		o.close()
		if !kept || ctx.Err() != nil || errors.As(err, new(refusedError)) {
			return err
		}
		kept = false
	}
}

// renew replaces a connection that is doubted. If it cannot connect, it keeps the old one: the server may have no free
// connection.
func (o *watchConn) renew(ctx context.Context) {
	if o.conn == nil || !o.doubted || time.Since(o.made) < doubtAfter {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, replicaPatience/2)
	defer cancel()
	if conn, err := o.dial(ctx); err == nil {
		o.close()
		o.conn = conn
	}
	o.made = time.Now()
}

func (o *watchConn) close() {
	if o.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = o.conn.Close(ctx)
	o.conn = nil
}

// refusedError says that a server is no replica of the primary.
type refusedError struct{ reason string }

func (e refusedError) Error() string { return e.reason }

// look checks the replica and notes its state.
func (r *Replica) look(ctx context.Context) {
	r.looking.Lock()
	defer r.looking.Unlock()
	if err := r.note(ctx); err != nil {
		r.mu.Lock()
		asOf := r.asOf
		r.mu.Unlock()
		if ctx.Err() == nil && time.Since(asOf) > r.cfg.MaxLag { // until then the last check still holds
			r.change(ReplicaLagging, "the primary does not say how far it is: "+lookReason(err), asOf)
		}
		return
	}
	asOf, err := r.inspect(ctx)
	// While only one position is noted, a replica that is a moment behind it would count as lagging.
	for began := time.Now(); err == nil && r.first() && time.Since(asOf) > r.cfg.MaxLag &&
		time.Since(began) < replicaPatience/2 && wait(ctx, r.cfg.every/10); {
		asOf, err = r.inspect(ctx)
	}
	if err == nil {
		r.refresh(ctx)
	}
	var refused refusedError
	switch lag := time.Since(asOf); {
	case ctx.Err() != nil:
	case errors.As(err, &refused):
		r.change(ReplicaRefused, refused.reason, time.Time{})
	case err != nil:
		r.change(ReplicaUnreachable, lookReason(err), time.Time{})
	// A replica that is not used must reach half of MaxLag, so that one near MaxLag does not alternate.
	case lag > r.cfg.MaxLag, !r.usable.Load() && lag > r.cfg.MaxLag/2:
		r.change(ReplicaLagging, "it lags further than it may", asOf)
	default:
		r.change(ReplicaUsed, "", asOf)
	}
}

// lookReason returns why a check failed.
func lookReason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", replicaPatience)
	}
	return connectReason(err).Error()
}

// first reports whether the primary's position was noted exactly once.
func (r *Replica) first() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.notes) == 1
}

// wait waits for d. It returns false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// primaryQuery returns the primary's identity and its position in the log.
const primaryQuery = `
SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database()),
    (pg_current_wal_lsn() - '0/0')::bigint
FROM pg_control_system()`

// replicaQuery returns a server's identity, whether it is a replica, its position in the log, and a text that tells it
// from other servers behind the same address.
const replicaQuery = `
SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database()),
    pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::bigint,
    concat_ws(' ', pg_postmaster_start_time(), inet_server_addr(), inet_server_port())
FROM pg_control_system()`

// note notes the primary's position.
func (r *Replica) note(ctx context.Context) error {
	var n note
	var self identity
	err := r.primary.use(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		n.at = time.Now()
		return conn.QueryRow(ctx, primaryQuery).Scan(&self.system, &self.database, &n.position)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.notes) - 1; self != r.self || last >= 0 && n.position < r.notes[last].position {
		r.notes, r.ahead = nil, 0 // it is another server, or was restored
	}
	r.self = self
	r.notes = append(r.notes, n)
	if len(r.notes) > maxNotes {
		r.notes = r.notes[1:]
	}
	// A replica receives its log from the primary, so at the last check it cannot have been ahead of the primary now.
	r.forked, r.ahead = r.ahead > n.position, 0
	return nil
}

// inspect returns a time: the replica has everything that was committed before it.
func (r *Replica) inspect(ctx context.Context) (asOf time.Time, err error) {
	if err := r.survey(ctx); err != nil {
		return asOf, err
	}
	err = r.replica.use(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		seen, err := r.see(ctx, conn)
		if err == nil {
			asOf = seen.asOf
		}
		return err
	})
	return asOf, err
}

// survey returns a refusedError if the address leads to a pooler that sends the statements of one connection to several
// connections of the server. What is known of a connection (its server, its settings, its prepared statements) would
// then be true of another one. survey looks when the address answers for the first time, and again after it was
// unreachable.
func (r *Replica) survey(ctx context.Context) error {
	if r.surveyed || r.pooler != nil && time.Since(r.surveyAt) < surveyEvery {
		return r.pooler
	}
	if err := r.replica.use(ctx, func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, surveyFor)
	defer cancel()
	s, err := Look(ctx, Config{URL: r.cfg.URL, ApplicationName: "explorer"})
	if err != nil {
		return err
	}
	r.surveyAt, r.pooler = time.Now(), nil
	if s.Pooling == PoolingTransaction || s.Pooling == PoolingStatement {
		r.pooler = refusedError{fmt.Sprintf("DATABASE_READ_URL leads to a pooler in %s mode, where no two statements need "+
			"reach the same server: set it to the address of the replica itself, or the pooler to session mode "+
			"(PgBouncer: pool_mode=session)", s.Pooling)}
	}
	r.surveyed = r.pooler == nil
	return r.pooler
}

// refresh checks every idle connection of the pool, so that requests need not.
func (r *Replica) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	for _, conn := range r.pool.AcquireAllIdle(ctx) {
		if ctx.Err() == nil {
			if _, err := r.see(ctx, conn.Conn()); err != nil {
				_ = conn.Conn().Close(ctx) // Release removes a closed connection from the pool
			}
		}
		conn.Release()
	}
}

// sight is the state of a connection's server at the last check.
type sight struct {
	server string    // tells servers behind one address apart
	asOf   time.Time // the server has everything committed before
	at     time.Time // when it was checked
}

// sightKey is the key of a connection's sight in its custom data. Only the goroutine that acquired the connection uses
// it.
const sightKey = "replica"

// see checks the server of a connection. It returns a refusedError if that is not a replica of the primary.
func (r *Replica) see(ctx context.Context, conn *pgx.Conn) (*sight, error) {
	var is identity
	var recovering bool
	var position int64
	seen := &sight{at: time.Now()}
	err := conn.QueryRow(ctx, replicaQuery).Scan(&is.system, &is.database, &recovering, &position, &seen.server)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch newest := len(r.notes) - 1; {
	case is.system != r.self.system:
		return nil, refusedError{"it is a replica of another server"}
	case is.database != r.self.database:
		return nil, refusedError{"it is another database of the server"}
	case !recovering:
		return nil, refusedError{"it is no replica: it was promoted, or never was one"}
	case r.forked:
		r.ahead = max(r.ahead, position)
		return nil, refusedError{"it is ahead of the primary: it follows another server"}
	case newest < 0:
		return nil, errors.New("the primary does not say how far it is")
	default:
		r.ahead = max(r.ahead, position)
		for i := newest; i >= 0 && seen.asOf.IsZero(); i-- {
			if r.notes[i].position <= position {
				seen.asOf = r.notes[i].at
			}
		}
		if seen.asOf.IsZero() { // older than the oldest note, by an unknown time
			seen.asOf = r.notes[0].at.Add(-r.cfg.MaxLag - time.Millisecond)
		}
	}
	conn.PgConn().CustomData()[sightKey] = seen
	return seen, nil
}

// change stores the result of a check, and logs it if the state changed. Only look calls it.
func (r *Replica) change(state, reason string, asOf time.Time) {
	r.mu.Lock()
	before := r.status
	if state == ReplicaUnreachable {
		r.surveyed, r.pooler = false, nil
	}
	r.primary.doubted, r.replica.doubted = state != ReplicaUsed, state != ReplicaUsed
	r.looked, r.asOf = time.Now(), asOf
	r.status.Reason = reason
	changed := before.State != state
	if changed {
		r.status.State, r.status.Since = state, time.Now()
	}
	r.usable.Store(state == ReplicaUsed)
	if changed && (state == ReplicaUnreachable || state == ReplicaRefused) {
		r.lost() // statements that wait for the replica continue on the primary
		r.epoch, r.lost = context.WithCancel(context.Background())
	}
	r.mu.Unlock()
	if !changed {
		return
	}
	if log := r.cfg.Logger; log != nil {
		if state == ReplicaUsed {
			log.Info("the read replica is used", "lag", time.Since(asOf).Round(time.Millisecond))
		} else {
			log.Warn("the read replica is not used: the primary answers", "state", state, "reason", reason)
		}
	}
	if r.cfg.OnChange != nil {
		r.cfg.OnChange(r.Status())
	}
}
