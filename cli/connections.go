package cli

import (
	"errors"
	"fmt"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// workload describes how a process uses the database.
type workload struct {
	serves, works bool
	watches       bool // a read replica
	concurrency   int
	connections   int // of a command, which does neither
}

const (
	// processes is among how many of this program what Postgres allows is shared out: two servers and two workers, and
	// one more of each while they are replaced one by one.
	processes = 6
	// leastReserve and mostReserve are how much of it is left to others: commands, backups, people with psql.
	leastReserve, mostReserve = 3, 10
	// leastConnections is how few a process that serves or works can do with: one to listen, and two that nobody who
	// waits for another connection holds both of.
	leastConnections = 3
	// poolerConnections is how many connections a pooler in session mode is taken to have: PgBouncer's default_pool_size.
	poolerConnections = 20
	// directConnections are those of a worker to Postgres itself beside a pooler in transaction mode, for River and
	// migrations. Its session is one more.
	directConnections = 3
)

// listens returns how many connections the process has outside of the pools: one to LISTEN for streams of events, one
// for River, and one to measure the lag of a read replica.
func (p workload) listens() int {
	n := 0
	if p.serves {
		n++
	}
	if p.works {
		n++
	}
	if p.watches {
		n++
	}
	return n
}

// wants returns how many connections the process can use, including those of listens. Steps wait for sources most of
// the time, and requests need a connection for milliseconds.
func (p workload) wants() int {
	switch {
	case p.serves && p.works:
		return 10 + min(p.concurrency/4, 40)
	case p.works:
		return 6 + min(p.concurrency/4, 40)
	case p.serves:
		return 12
	}
	return p.connections
}

// least returns the fewest connections with which the process works.
func (p workload) least() int {
	if p.listens() == 0 {
		return 1
	}
	return p.listens() + leastConnections - 1
}

// most returns how many connections the process may open, including those of listens: the number that was configured
// or, without one, what it wants up to its share of the connections that Postgres allows.
func (p workload) most(asked int, s db.Survey) int {
	if p.listens() == 0 {
		return p.connections
	}
	if asked > 0 {
		return max(asked, p.least())
	}
	usable := s.Limits.Usable()
	if s.Pooling == db.PoolingSession {
		usable = min(usable, poolerConnections)
	}
	if s.Pooling == db.PoolingTransaction { // it has as many clients as it likes
		return p.wants()
	}
	return min(p.wants(), max(p.least(), (usable-reserveOf(usable))/processes))
}

func reserveOf(usable int) int { return min(max(usable/10, leastReserve), mostReserve) }

// config divides the process's connections among the pools.
func (p workload) config(dsn string, f databaseFlags, s db.Survey) db.Config {
	cfg := db.Config{URL: dsn, DirectURL: f.DatabaseDirectURL, Pooling: s.Pooling}
	cfg.MaxConns = p.most(f.DatabaseConnections, s) - p.listens()
	cfg.RelaxedConns = -1 // too few to set some apart
	// Without a session of its own, a worker that dies is missed later. A pooler's session would not be its own.
	cfg.Tight = !p.works || s.Pooling == db.PoolingSession || s.Pooling == db.PoolingNone && cfg.MaxConns < 7
	if s.Pooling == db.PoolingTransaction {
		if cfg.DirectConns = 1; p.works {
			cfg.DirectConns = directConnections
		}
		return cfg
	}
	if !cfg.Tight {
		cfg.MaxConns--
	}
	if p.listens() > 0 && cfg.MaxConns >= 6 {
		cfg.RelaxedConns = max(2, cfg.MaxConns/5)
		cfg.MaxConns -= cfg.RelaxedConns
	}
	return cfg
}

// checkConnections returns an error if a flag is invalid.
func (f databaseFlags) checkConnections() error {
	if f.DatabaseConnections != 0 && (f.DatabaseConnections < leastConnections || f.DatabaseConnections > 1000) {
		return usage("DATABASE_CONNECTIONS %d: want %d to 1000", f.DatabaseConnections, leastConnections)
	}
	if f.DatabaseDirectURL != "" && f.DatabaseURL == "" {
		return usage("DATABASE_URL: is required with DATABASE_DIRECT_URL")
	}
	return nil
}

// errTransactionPooling is the error for a pooler in transaction mode without DATABASE_DIRECT_URL.
var errTransactionPooling = errors.New("DATABASE_URL leads to a pooler in transaction mode, where LISTEN and the " +
	"workers' queue do not work: set DATABASE_DIRECT_URL to the address of Postgres itself, or the pooler to " +
	"session mode (PgBouncer: pool_mode=session)")

// survey determines the pooler and the limits of the addresses. It returns an error if the program cannot work with
// them.
func (f databaseFlags) survey(a *app, dsn string) (db.Survey, error) {
	s, err := db.Look(a.ctx, db.Config{URL: dsn, ApplicationName: "explorer"})
	if err != nil {
		return s, err
	}
	if s.Pooling == db.PoolingStatement {
		return s, errors.New("DATABASE_URL leads to a pooler in statement mode, where there are no transactions: set it to " +
			"transaction or session mode (PgBouncer: pool_mode)")
	}
	if err := db.CheckExecMode("DATABASE_URL", dsn, s.Pooling); err != nil {
		return s, err
	}
	if f.DatabaseDirectURL == "" {
		if s.Pooling == db.PoolingTransaction {
			return s, errTransactionPooling
		}
		return s, nil
	}
	if err := db.CheckExecMode("DATABASE_DIRECT_URL", f.DatabaseDirectURL, db.PoolingNone); err != nil {
		return s, err
	}
	direct, err := db.Look(a.ctx, db.Config{URL: f.DatabaseDirectURL, ApplicationName: "explorer"})
	switch {
	case err != nil:
		return s, fmt.Errorf("DATABASE_DIRECT_URL: %w", err)
	case direct.Pooling == db.PoolingTransaction || direct.Pooling == db.PoolingStatement:
		return s, fmt.Errorf("DATABASE_DIRECT_URL leads to a pooler in %s mode too: set it to the address of Postgres itself",
			direct.Pooling)
	case direct.Limits.Server != s.Limits.Server:
		return s, errors.New("DATABASE_DIRECT_URL leads to another database than DATABASE_URL")
	}
	return s, nil
}

// connect opens the database with the connections of a workload.
func (a *app) connect(dsn string, f databaseFlags, p workload) (*db.DB, error) {
	s, err := f.survey(a, dsn)
	if err != nil {
		return nil, err
	}
	if p.listens() > 0 {
		warning, advice, cannot := p.fits(f.DatabaseConnections, s)
		if cannot != nil {
			return nil, cannot
		}
		if warning != "" {
			a.log.Warn(warning, "advice", advice)
		}
	}
	return db.Open(a.ctx, p.config(dsn, f, s))
}

// fits compares the connections that a process may open with those that Postgres allows. cannot is set if the process
// cannot work. warning says that the process may have to wait for connections, and advice what to change.
func (p workload) fits(asked int, s db.Survey) (warning, advice string, cannot error) {
	l := s.Limits
	if usable := l.Usable(); usable < p.least() {
		const text = "Postgres gives role %s %d connections to database %s at most, and this process needs %d: %s"
		//nolint:staticcheck // it begins with a name
		return "", "", fmt.Errorf(text, l.Role, usable, l.Database, p.least(), l.Raise(processes*p.least()))
	}
	if s.Pooling == db.PoolingTransaction { // how many clients it takes cannot be seen
		return "", "", nil
	}
	most := p.most(asked, s)
	if free := l.Free(); free < most {
		return fmt.Sprintf("this process may open %d connections to Postgres, and %d are free: it waits for them when it "+
				"needs more", most, free),
			fmt.Sprintf("%s, or lower DATABASE_CONNECTIONS", l.Raise(l.InUse+most+reserveOf(l.Usable()))), nil
	}
	return "", "", nil
}
