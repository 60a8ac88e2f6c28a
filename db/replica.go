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
