// Package db connects to Postgres. It has the connection pools, transactions and their retries, the migrations,
// backups, the read replica, and the detection of poolers and of the server's limits. The queries of the tables are in
// the packages that own the tables.
//
// DB is the main type: Open returns one, and its methods Tx, ReadTx, Durable, NoWait and Lists run statements. Begin
// reading there. Look examines a database before it is opened, MigrateUp creates and updates the schema, and
// OpenReplica adds a read replica.
package db

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

// DB is an open database. Its methods may be called from any goroutine. Close it when done.
type DB struct {
	// Pool is for everything that must survive a crash of Postgres.
	Pool *pgxpool.Pool
	// Relaxed commits without waiting for the disk (synchronous_commit off). A crash of Postgres may lose the
	// transactions of its last fraction of a second, but never part of one. Use it for writes that are repeated or not
	// missed, such as heartbeats, the fetch and the start of a step, and progress events. If Pool is small, or behind a
	// pooler in transaction mode, Relaxed is Pool.
	Relaxed *pgxpool.Pool
	// Direct is for everything that needs a Postgres session, such as LISTEN and River's workers. It is Pool, except
	// behind a pooler in transaction mode, where it has Config.DirectConns connections to Config.DirectURL.
	Direct *pgxpool.Pool
	// URL is the connection string that was opened.
	URL string
	// DirectURL is the connection string of Direct.
	DirectURL string
	// Tight is Config.Tight.
	Tight bool
	// OnConflict, if set, is called with every serialization failure and deadlock that is retried. Set it before the
	// database is used.
	OnConflict func(error)
	// Patience is how long a statement waits for a connection while all are in use; 0: 30 s. Set it before the database
	// is used.
	Patience time.Duration

	begin   string                  // the statement that begins a transaction; empty: pgx's own BEGIN
	replica atomic.Pointer[Replica] // nil without a replica
}

// Config configures Open.
type Config struct {
	// URL is a connection string, as a postgres:// URL or in keyword form. Several hosts are tried in turn.
	URL string
	// DirectURL is a connection string that does not lead to a pooler in transaction mode; default URL.
	DirectURL string
	// Pooling is the mode of the pooler that URL leads to; Look determines it. In transaction mode, only Direct has
	// sessions, and DirectURL is required.
	Pooling Pooling
	// MaxConns is the size of Pool; default 16.
	MaxConns int
	// RelaxedConns is the size of Relaxed; default a quarter of MaxConns, at least 2. If it is negative, Relaxed is Pool.
	RelaxedConns int
	// DirectConns is the size of Direct behind a pooler in transaction mode; default 4.
	DirectConns int
	// Tight says that there are too few connections for one more beside the pools, such as a worker's session.
	Tight bool
	// ApplicationName is the application_name of the connections in pg_stat_activity; default "explorer".
	ApplicationName string
}

// Open connects to Postgres. It fails if Postgres does not answer within 8 s.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 16
	}
	if cfg.RelaxedConns == 0 {
		cfg.RelaxedConns = max(2, cfg.MaxConns/4)
	}
	if cfg.DirectConns <= 0 {
		cfg.DirectConns = 4
	}
	if cfg.ApplicationName == "" {
		cfg.ApplicationName = "explorer"
	}
	if cfg.DirectURL == "" {
		cfg.DirectURL = cfg.URL
	}
	d := &DB{URL: cfg.URL, DirectURL: cfg.DirectURL, Tight: cfg.Tight}
	if err := d.open(ctx, cfg); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *DB) open(ctx context.Context, cfg Config) (err error) {
	shared := cfg.Pooling == PoolingTransaction
	if d.Pool, err = newPool(ctx, "DATABASE_URL", cfg.URL, cfg, cfg.MaxConns, nil); err != nil {
		return err
	}
	d.Relaxed, d.Direct = d.Pool, d.Pool
	if shared {
		d.begin = beginWith(sessionSettings)
		direct := cfg
		direct.Pooling = PoolingNone
		if d.Direct, err = newPool(ctx, "DATABASE_DIRECT_URL", cfg.DirectURL, direct, cfg.DirectConns, nil); err != nil {
			return err
		}
	} else if cfg.RelaxedConns > 0 {
		params := map[string]string{"synchronous_commit": "off"}
		if d.Relaxed, err = newPool(ctx, "DATABASE_URL", cfg.URL, cfg, cfg.RelaxedConns, params); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	if err := pingWhileStarting(ctx, d.Pool); err != nil {
		return fmt.Errorf("database %s: %w", Redact(cfg.URL), connectReason(err))
	}
	if shared {
		if err := pingWhileStarting(ctx, d.Direct); err != nil {
			return fmt.Errorf("DATABASE_DIRECT_URL %s: %w", Redact(cfg.DirectURL), connectReason(err))
		}
	}
	return nil
}

// pingWhileStarting pings the server, and waits while the server is starting or all its connections are in use.
func pingWhileStarting(ctx context.Context, pool *pgxpool.Pool) error {
	for {
		err := pool.Ping(ctx)
		var pgErr *pgconn.PgError
		if !full(err) && (!errors.As(err, &pgErr) || pgErr.Code != pgerrcode.CannotConnectNow) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sessionSettings are the settings of every session. Behind a pooler in transaction mode, which has no sessions, Tx
// sets them in each transaction.
var sessionSettings = map[string]string{
	// A statement that hangs, or a transaction that a stopped process left open, must not hold its locks forever.
	"statement_timeout":                   "60000",
	"idle_in_transaction_session_timeout": "60000",
	// Transactions rely on each statement seeing everything committed before it. The role may have another default.
	"default_transaction_isolation": "read committed",
	// The text form of values must not depend on the role.
	"IntervalStyle":    "postgres",
	"bytea_output":     "hex",
	"jit":              "off", // with a wrong estimate, compiling takes a second for a query of milliseconds
	"random_page_cost": "1.1", // as for an SSD: with the default of 4, selective filters scan instead of using their index
}

// beginWith returns the statements that begin a transaction with settings of its own, in one round trip.
func beginWith(settings map[string]string) string {
	var b strings.Builder
	b.WriteString("BEGIN ISOLATION LEVEL READ COMMITTED")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if name != "default_transaction_isolation" { // BEGIN names the isolation level
			fmt.Fprintf(&b, "; SET LOCAL %s = %s", name, QuoteLiteral(settings[name]))
		}
	}
	return b.String()
}

// shouldPing reports whether a connection is pinged before it is used. The default, after a second without use, would
// be half of what an idle program asks the database. Whether the server has closed the connection, as it does when it
// restarts, can be seen without asking.
func shouldPing(_ context.Context, p pgxpool.ShouldPingParams) bool {
	const seenAfter, pingedAfter = time.Second, 20 * time.Second
	return p.IdleDuration > pingedAfter ||
		p.IdleDuration > seenAfter && p.Conn.PgConn().CheckConn() != nil //nolint:staticcheck // Ping asks the server
}

// newPool creates a pool of up to maxConns connections to dsn. variable is the name of dsn's setting in errors; params
// are settings of its sessions besides sessionSettings.
func newPool(ctx context.Context, variable, dsn string, cfg Config, maxConns int, params map[string]string) (
	*pgxpool.Pool, error,
) {
	pc, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, unreadable(variable, dsn)
	}
	pc.MaxConns = int32(maxConns) //nolint:gosec // a small number from our own configuration
	if maxConns > 1 {
		pc.MinConns = 1 // heartbeats need a connection even if other processes use all the others
	}
	// Idle connections are given back soon: another process may be waiting for one.
	pc.MaxConnIdleTime, pc.HealthCheckPeriod = 20*time.Second, 5*time.Second
	pc.ShouldPing = shouldPing
	pc.ConnConfig.ConnectTimeout = connectTimeout
	settings := startup(pc.ConnConfig, cfg.ApplicationName)
	if cfg.Pooling == PoolingTransaction {
		if len(settings) > 0 {
			return nil, fmt.Errorf("%s sets %s, which does not hold behind a pooler in transaction mode: "+
				"set it on the role, by ALTER ROLE ... SET", variable, strings.Join(slices.Sorted(maps.Keys(settings)), ", "))
		}
		// This mode uses no prepared statement in a later round trip, which may reach another connection.
		pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	} else {
		maps.Copy(settings, sessionSettings)
		maps.Copy(settings, params)
		// The settings are made after connecting, because poolers refuse startup parameters that they do not know.
		pc.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, setSession(settings)).ReadAll()
			return err
		}
	}
	watched := &places{max: maxConns}
	watched.watch(pc)
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, err
	}
	watched.mu.Lock()
	defer watched.mu.Unlock()
	watched.pool = pool
	return pool, nil
}

// closeFor is how long Close waits for connections that are in use.
const closeFor = 3 * time.Second

// Close closes all connections. It waits at most 3 s for those that are in use.
func (d *DB) Close() {
	pools := []*pgxpool.Pool{d.Pool, d.Relaxed, d.Direct}
	closed, limit := make(chan struct{}, len(pools)), time.After(closeFor)
	for _, pool := range pools {
		go func() {
			if pool != nil {
				pool.Close()
			}
			closed <- struct{}{}
		}()
	}
	for range pools {
		select {
		case <-closed:
		case <-limit:
			return
		}
	}
}

// Tx runs f in a transaction and commits the transaction if f returns nil. The isolation level is read committed: each
// statement sees everything committed before it began, so lock a row before reading what depends on it. After a
// serialization failure or a deadlock, Tx runs the whole transaction again. f may therefore be called several times,
// and must overwrite what an earlier call left in variables outside of it.
func (d *DB) Tx(ctx context.Context, f func(pgx.Tx) error) error {
	retry := retrier{ctx: ctx, of: d.retrying(d.Pool)}
	for {
		err := pgx.BeginTxFunc(ctx, d.Pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, BeginQuery: d.begin}, f)
		if !retry.again(err) {
			return err
		}
	}
}

// Ping returns an error if the database does not answer. While all connections are in use, it waits for one.
func (d *DB) Ping(ctx context.Context) error {
	_, err := d.retrying(d.Pool).Exec(ctx, "-- ping")
	return err
}

// Durable returns a Querier that runs statements on Pool, or on the read replica if the context allows it (see MayLag).
// Each statement is a transaction of its own and is retried after a conflict.
func (d *DB) Durable() Querier { return d.reading() }

// NoWait returns a Querier that runs statements on Relaxed and retries them as Durable does.
func (d *DB) NoWait() Querier { return d.retrying(d.Relaxed) }

// Lists returns a Querier like that of Durable that has Postgres plan each query for its arguments; see CustomPlan.
func (d *DB) Lists() Querier { return CustomPlan{Querier: d.reading()} }

func (d *DB) retrying(on Querier) retrying {
	return retrying{Querier: on, OnConflict: d.OnConflict, Patience: d.Patience}
}

// Redact returns a connection string without its passwords, or "(not shown)" if it cannot be parsed.
func Redact(dsn string) string {
	const hidden = "(not shown)"
	if strings.Contains(dsn, "://") {
		u, err := url.Parse(dsn)
		switch {
		case err != nil, u.Scheme == "", u.Opaque != "", u.Fragment != "":
			return hidden
		case strings.Contains(u.EscapedPath()+u.RawQuery, "@"): // may follow a password that has a / or ?
			return hidden
		}
		query := u.Query()
		for name := range query {
			if strings.Contains(strings.ToLower(name), "password") {
				query[name] = []string{"xxxxx"}
			}
		}
		u.RawQuery = query.Encode()
		return u.Redacted()
	}
	if !words.MatchString(dsn) {
		return hidden
	}
	return passwords.ReplaceAllString(dsn, "$1=xxxxx")
}

var (
	// words matches the beginning of a connection string in keyword form.
	words = regexp.MustCompile(`^\s*(\w+\s*=|$)`)
	// passwords matches the passwords of a connection string in keyword form, quoted or not. A backslash escapes the next
	// character.
	passwords = regexp.MustCompile(
		`(?is)(\w*password)\s*=\s*('(?:[^'\\]|\\.)*'?(?:[^\s\\]|\\.)*|(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|)`)
)

// connectReason returns the last line of pgx's connection errors, which gives the reason.
func connectReason(err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return errors.New(pgErr.Message)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer within 8 s")
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	return errors.New(last)
}

// CustomPlan has Postgres plan each query for its arguments. Lists with optional filters need it: a generic plan for
// all combinations of filters would use none of the indexes. Count relies on it.
type CustomPlan struct{ Querier }

// Query implements Querier.
func (c CustomPlan) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	if counting, ok := ctx.Value(counterKey{}).(*counter); ok {
		return counting.count(ctx, c.Querier, sql, args)
	}
	return c.Querier.Query(ctx, sql, args...)
}
