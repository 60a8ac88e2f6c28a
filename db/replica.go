package db

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ReplicaConfig configures OpenReplica.
type ReplicaConfig struct {
	// URL is the connection string of a streaming replica. It should lead to one server: a request reads from one
	// replica only, so if its connections reach a second one, it continues on the primary.
	URL string
	// MaxLag is the greatest age of an answer; default 5 s. A replica that lags further is not used.
	MaxLag time.Duration
	// MaxConns bounds the connections to the replica; default 16.
	MaxConns int
	// Logger, if set, logs every change of state.
	Logger *slog.Logger
	// OnChange, if set, is called after every change of state, in order. It must not block.
	OnChange func(ReplicaStatus)

	every time.Duration // between two checks; default a second, at most a quarter of MaxLag
}

// The states of a replica.
const (
	ReplicaUsed        = "used"
	ReplicaLagging     = "lagging"     // it lags more than MaxLag, or the primary cannot say how much
	ReplicaUnreachable = "unreachable" // it does not answer
	ReplicaRefused     = "refused"     // the server that answers is not a replica of the primary
)

// ReplicaStatus is the state of a replica after its last check.
type ReplicaStatus struct {
	// State is one of the states above; empty before the first check.
	State string
	// Reason is why the replica is not used; empty if it is used.
	Reason string
	// Since is when the state began.
	Since time.Time
	// Lag is the greatest possible age of the replica's data at the last check; nil if it is unknown.
	Lag *time.Duration
	// MaxLag is the greatest lag with which the replica is used.
	MaxLag time.Duration
	// Reads counts the statements that the replica answered. Fallbacks counts those that it was allowed to answer and
	// the primary answered.
	Reads, Fallbacks int64
}

// Replica runs statements of requests that accept data a few seconds old; see MayLag. A background task checks the
// replica every second, so no request waits for a check. If the replica cannot be used, the primary answers. All
// methods may be called from any goroutine.
//
// The lag is measured by positions in the write-ahead log. Each second the task notes the primary's position and the
// time. A replica that has replayed the log up to a noted position has everything that was committed before that time.
// So no clocks are compared, and a replica of an idle primary does not lag.
type Replica struct {
	cfg  ReplicaConfig
	pool *pgxpool.Pool

	usable           atomic.Bool
	reads, fallbacks atomic.Int64

	wake chan struct{} // has the task check now
	stop context.CancelFunc
	done chan struct{}

	looking  sync.Mutex // held during a check; it guards the fields below
	primary  watchConn
	replica  watchConn
	surveyed bool      // the address was found to lead to no pooler that cannot work
	surveyAt time.Time // when that was last checked
	pooler   error     // a refusedError if the address leads to a pooler that cannot work

	mu     sync.Mutex // guards the fields below
	status ReplicaStatus
	looked time.Time          // when the last check ended
	asOf   time.Time          // the replica had everything committed before this time at the last check
	notes  []note             // the primary's positions, the oldest first
	self   identity           // of the primary
	ahead  int64              // the greatest position of the replica since the primary's was noted
	forked bool               // ahead was greater than the primary's position
	epoch  context.Context    //nolint:containedctx // it ends when the replica becomes unreachable or refused
	lost   context.CancelFunc // ends the epoch and thereby the statements that run on the replica
}

// note is a position of the primary's log. Everything committed before the time is below the position.
type note struct {
	at       time.Time
	position int64
}

// identity identifies a database together with its replicas.
type identity struct{ system, database string }

const (
	// maxNotes is how many positions are kept: ten minutes of them. A lag beyond that is not known exactly.
	maxNotes = 600
	// replicaPatience is how long the replica, and the primary, may take to answer a check.
	replicaPatience = 2 * time.Second
	// surveyFor bounds the search for a pooler. surveyEvery is how often a pooler that cannot work is looked for again.
	surveyFor   = 10 * time.Second
	surveyEvery = 30 * time.Second
	// doubtAfter is how long the check keeps a connection while the replica is not used. The address may lead to another
	// server by then.
	doubtAfter = 10 * time.Second
)

// OpenReplica starts to use a replica for reads that may lag. Call it once, before the database is used. If the replica
// does not answer, that is no error: it is used as soon as it answers. If the address leads to a pooler that cannot
// work, OpenReplica fails; a pooler that does not answer yet is refused later. Close the replica before the database.
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

// Replica returns the replica of OpenReplica; nil without one, or if d is nil.
func (d *DB) Replica() *Replica {
	if d == nil {
		return nil
	}
	return d.replica.Load()
}

// Close stops the task and closes the connections. It waits at most 3 s for those that are in use.
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

// Status returns the state of the replica after the last check.
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

// current returns the context of the current epoch. It ends when the replica becomes unreachable or refused.
func (r *Replica) current() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch
}

// acquire returns a connection to a server whose data is not older than MaxLag, and the server's name; nil if there is
// none. If server is not empty, only a connection to that server is returned.
func (r *Replica) acquire(ctx context.Context, server string) (*pgxpool.Conn, string) {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return nil, ""
	}
	seen, _ := conn.Conn().PgConn().CustomData()[sightKey].(*sight)
	if seen == nil || time.Since(seen.at) > 2*r.cfg.every { // it is new, or was in use during the last checks
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
