package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ownConn is a connection of the watcher's, outside of the pools: under load, which is when the replica is needed most, a
// pool has none to spare. Who holds Replica.looking may use it.
type ownConn struct {
	dial    func(context.Context) (*pgx.Conn, error)
	conn    *pgx.Conn // nil: to be made
	made    time.Time
	doubted bool // it may lead to another server than the address does
}

// use has f ask the server, within replicaPatience. A connection that broke since it was used is made anew.
func (o *ownConn) use(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
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

// renew replaces a connection that is doubted. It keeps that if there is no other: the server may have no more.
func (o *ownConn) renew(ctx context.Context) {
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

func (o *ownConn) close() {
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

// look sees how the replica is.
func (r *Replica) look(ctx context.Context) {
	r.looking.Lock()
	defer r.looking.Unlock()
	if err := r.note(ctx); err != nil {
		r.mu.Lock()
		asOf := r.asOf
		r.mu.Unlock()
		if ctx.Err() == nil && time.Since(asOf) > r.cfg.MaxLag { // until then what is known is good enough
			r.change(ReplicaLagging, "the primary does not say how far it is: "+lookReason(err), asOf)
		}
		return
	}
	asOf, err := r.inspect(ctx)
	for began := time.Now(); err == nil && r.first() && time.Since(asOf) > r.cfg.MaxLag && time.Since(began) < replicaPatience/2 && wait(ctx, r.cfg.every/10); {
		asOf, err = r.inspect(ctx) // it may be a moment behind the one position that is noted
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
	case lag > r.cfg.MaxLag, !r.usable.Load() && lag > r.cfg.MaxLag/2: // so that one near the bound does not come and go
		r.change(ReplicaLagging, "it lags further than it may", asOf)
	default:
		r.change(ReplicaUsed, "", asOf)
	}
}

// lookReason says why a look failed.
func lookReason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", replicaPatience)
	}
	return connectReason(err).Error()
}

// first says that the primary's position was noted once.
func (r *Replica) first() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.notes) == 1
}

// wait waits, and says whether there is time left.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// note notes where the primary is.
func (r *Replica) note(ctx context.Context) error {
	var n note
	var self identity
	err := r.primary.use(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		n.at = time.Now()
		return conn.QueryRow(ctx, `SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database()), (pg_current_wal_lsn() - '0/0')::bigint
FROM pg_control_system()`).Scan(&self.system, &self.database, &n.position)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.notes) - 1; self != r.self || last >= 0 && n.position < r.notes[last].position {
		r.notes, r.ahead = nil, 0 // another server, or one that was restored
	}
	r.self = self
	r.notes = append(r.notes, n)
	if len(r.notes) > maxNotes {
		r.notes = r.notes[1:]
	}
	// What it replayed when it was last looked at, a replica had from the primary, which had it before.
	r.forked, r.ahead = r.ahead > n.position, 0
	return nil
}

// inspect gives how old what the replica has is at the most.
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

// survey refuses a pooler behind the address that gives statements of one connection to several of the server's: what is
// known of a connection's server, its settings and its prepared statements would be another's. It looks when the address
// answers for the first time, and again after it was away.
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
		r.pooler = refusedError{fmt.Sprintf("DATABASE_READ_URL leads to a pooler in %s mode, where no two statements need reach the same server: "+
			"set it to the address of the replica itself, or the pooler to session mode (PgBouncer: pool_mode=session)", s.Pooling)}
	}
	r.surveyed = r.pooler == nil
	return r.pooler
}

// refresh looks at every connection of the pool that is not in use, so that requests need not.
func (r *Replica) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	for _, conn := range r.pool.AcquireAllIdle(ctx) {
		if ctx.Err() == nil {
			if _, err := r.see(ctx, conn.Conn()); err != nil {
				_ = conn.Conn().Close(ctx) // the pool drops it
			}
		}
		conn.Release()
	}
}

// sight is what was last seen of a connection's server.
type sight struct {
	server string // tells servers behind one address apart
	asOf   time.Time
	at     time.Time // when it was seen
}

// sightKey is where a connection keeps its sight. Only who has acquired the connection touches it.
const sightKey = "replica"

// see asks a connection's server who it is and how far it is.
func (r *Replica) see(ctx context.Context, conn *pgx.Conn) (*sight, error) {
	var is identity
	var recovering bool
	var position int64
	seen := &sight{at: time.Now()}
	err := conn.QueryRow(ctx, `SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database()), pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::bigint,
concat_ws(' ', pg_postmaster_start_time(), inet_server_addr(), inet_server_port()) FROM pg_control_system()`).Scan(&is.system, &is.database, &recovering, &position, &seen.server)
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
		if seen.asOf.IsZero() { // older than what is noted: by how much is not known
			seen.asOf = r.notes[0].at.Add(-r.cfg.MaxLag - time.Millisecond)
		}
	}
	conn.PgConn().CustomData()[sightKey] = seen
	return seen, nil
}

// change keeps what was seen, and has a line in the log when the state changed. Only look calls it.
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
		r.lost() // what waits for its answers is answered by the primary
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
