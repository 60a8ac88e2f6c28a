package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ReplicaConfig says which streaming replica may answer reads.
type ReplicaConfig struct {
	// URL is a connection string, as DATABASE_URL is. Behind it there should be one server: a request never reads from
	// two replicas, so what meets a second one reads from the primary.
	URL string
	// MaxLag is how old an answer may be; default 5 s. A replica that lags further is left alone.
	MaxLag time.Duration
	// MaxConns bounds the connections to it; default 16.
	MaxConns int
	Logger   *slog.Logger
	// OnChange hears of every change of state, in order; nil: nobody does. It must not block.
	OnChange func(ReplicaStatus)

	every time.Duration // between two looks; default a second, a quarter of MaxLag at most
}

// Replica states.
const (
	ReplicaUsed        = "used"
	ReplicaLagging     = "lagging"     // further than MaxLag, or so it may be, for the primary cannot be asked
	ReplicaUnreachable = "unreachable" // it cannot be asked
	ReplicaRefused     = "refused"     // what answers is no replica of the primary
)

// ReplicaStatus is what is known of a replica.
type ReplicaStatus struct {
	State string
	// Reason is why it is not used; empty if it is.
	Reason string
	// Since is when that state began.
	Since time.Time
	// Lag is how old what it gives was at the most when it was looked at; nil: not known.
	Lag *time.Duration
	// MaxLag is how old it may be.
	MaxLag time.Duration
	// Reads is how many statements it answered, Fallbacks how many that it could have answered went to the primary.
	Reads, Fallbacks int64
}

// Replica answers statements of requests that may be answered with what was true a few seconds ago; see MayLag. A
// background task looks at it every second, so no request waits for that. Whatever is wrong with it, the primary
// answers.
//
// The lag is measured by positions in the write-ahead log. Each second the primary's position is noted with the time.
// What a replica has replayed up to a noted position has everything that was committed before that time. So no clocks
// are compared, and a primary that nobody writes to has no replicas that lag.
type Replica struct {
	cfg  ReplicaConfig
	pool *pgxpool.Pool

	usable           atomic.Bool
	reads, fallbacks atomic.Int64

	wake chan struct{} // has the task look now
	stop context.CancelFunc
	done chan struct{}

	looking  sync.Mutex // by one at a time, who alone has these
	primary  ownConn
	replica  ownConn
	surveyed bool      // it is known what answers
	surveyAt time.Time // when that was last looked at
	pooler   error     // a refusedError, if that cannot work

	mu     sync.Mutex
	status ReplicaStatus
	looked time.Time          // when it was last looked at
	asOf   time.Time          // everything committed before it is there, as far as the last look saw
	notes  []note             // of the primary's log, oldest first
	self   identity           // of the primary
	ahead  int64              // the furthest position seen of the replica since the primary was looked at
	forked bool               // that was further than the primary is
	epoch  context.Context    //nolint:containedctx // it ends when the replica is lost
	lost   context.CancelFunc // ends what the replica is asked in this epoch
}

// note is the position of the primary's log at a time: what was committed before it is below.
type note struct {
	at       time.Time
	position int64
}

// identity tells a database from all but its own replicas.
type identity struct{ system, database string }

const (
	// maxNotes bounds how long a lag can be told exactly: ten minutes.
	maxNotes = 600
	// replicaPatience is how long a replica, and the primary, may take to answer a look.
	replicaPatience = 2 * time.Second
	// surveyFor is how long it may take to tell what answers, surveyEvery how often a pooler that cannot work is looked at.
	surveyFor   = 10 * time.Second
	surveyEvery = 30 * time.Second
	// doubtAfter is how long a connection to look is kept while the replica is not used: the address may lead elsewhere now.
	doubtAfter = 10 * time.Second
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

// OpenReplica begins to read what may lag from a replica; call it once, before the database is used. One that is away is
// no error: it is used once it is there. A pooler that cannot work is one, but if it is away now, it is refused later.
// Close the replica before the database.
func (d *DB) OpenReplica(ctx context.Context, cfg ReplicaConfig) (*Replica, error) {
	if cfg.MaxLag <= 0 {
		cfg.MaxLag = 5 * time.Second
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 16
	}
	if cfg.every <= 0 {
		cfg.every = min(time.Second, cfg.MaxLag/4)
	}
	pool, err := newPool(ctx, "DATABASE_READ_URL", cfg.URL, Config{ApplicationName: "explorer"}, cfg.MaxConns, nil)
	if err != nil {
		return nil, err
	}
	r := &Replica{cfg: cfg, pool: pool, wake: make(chan struct{}, 1), done: make(chan struct{})}
	r.primary.dial = d.Connect
	r.replica.dial = func(ctx context.Context) (*pgx.Conn, error) { return connectTo(ctx, "DATABASE_READ_URL", cfg.URL) }
	r.epoch, r.lost = context.WithCancel(context.Background())
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.look(ctx)
	if r.pooler != nil {
		r.stop()
		close(r.done)
		r.Close()
		return nil, r.pooler
	}
	d.replica.Store(r)
	go r.watch(ctx)
	return r, nil
}

// Replica is the replica that reads may come from; nil without one, as of no database.
func (d *DB) Replica() *Replica {
	if d == nil {
		return nil
	}
	return d.replica.Load()
}

// Close ends the task and the connections; those that hang it leaves behind.
func (r *Replica) Close() {
	r.stop()
	<-r.done
	r.usable.Store(false)
	r.looking.Lock()
	defer r.looking.Unlock()
	r.primary.close()
	r.replica.close()
	closed := make(chan struct{})
	go func() {
		r.pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(closeFor):
	}
}

// Status is what the last look saw.
func (r *Replica) Status() ReplicaStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.MaxLag, s.Reads, s.Fallbacks = r.cfg.MaxLag, r.reads.Load(), r.fallbacks.Load()
	if !r.asOf.IsZero() {
		lag := r.looked.Sub(r.asOf)
		s.Lag = &lag
	}
	return s
}

func (r *Replica) watch(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(r.cfg.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-r.wake:
		}
		r.look(ctx)
	}
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

// current is the epoch of now: it ends when the replica is lost.
func (r *Replica) current() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch
}

// acquire gives a connection to a server whose data is not older than it may be; nil if there is none. server, if it is
// not empty, is the only one that will do.
func (r *Replica) acquire(ctx context.Context, server string) (*pgxpool.Conn, string) {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return nil, ""
	}
	seen, _ := conn.Conn().PgConn().CustomData()[sightKey].(*sight)
	if seen == nil || time.Since(seen.at) > 2*r.cfg.every { // new, or never idle when the task looked
		if seen, err = r.see(ctx, conn.Conn()); err != nil {
			_ = conn.Conn().Close(ctx)
			conn.Release()
			return nil, ""
		}
	}
	if time.Since(seen.asOf) > r.cfg.MaxLag || server != "" && seen.server != server {
		conn.Release()
		return nil, ""
	}
	return conn, seen.server
}

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
