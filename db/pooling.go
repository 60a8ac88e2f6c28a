package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pooling is the mode of the pooler between this program and Postgres.
type Pooling string

// The modes of pooling, by PgBouncer's names.
const (
	PoolingNone        Pooling = ""            // there is no pooler
	PoolingSession     Pooling = "session"     // a client keeps its server connection until it disconnects
	PoolingTransaction Pooling = "transaction" // each transaction may use another server connection
	PoolingStatement   Pooling = "statement"   // each statement may; transactions are refused
)

// Limits are the limits of the number of connections, and the connections in use.
type Limits struct {
	// MaxConnections is Postgres's max_connections, Reserved how many of them this role does not get.
	MaxConnections, Reserved int
	// RoleLimit and DatabaseLimit are the CONNECTION LIMIT of the role and of the database; -1: none.
	RoleLimit, DatabaseLimit int
	// InUse is how many connections there are now, OfRole those of this role, OfDatabase those to this database.
	InUse, OfRole, OfDatabase int
	// Role and Database are the names.
	Role, Database string
	// Server tells this database on this server, since its start, from others.
	Server string
}

// Usable returns how many connections this role can open to this database if no other connection exists.
func (l Limits) Usable() int {
	n := max(0, l.MaxConnections-l.Reserved)
	if l.RoleLimit >= 0 {
		n = min(n, l.RoleLimit)
	}
	if l.DatabaseLimit >= 0 {
		n = min(n, l.DatabaseLimit)
	}
	return n
}

// Free returns how many more connections this role can open now.
func (l Limits) Free() int {
	n := l.MaxConnections - l.Reserved - l.InUse
	if l.RoleLimit >= 0 {
		n = min(n, l.RoleLimit-l.OfRole)
	}
	if l.DatabaseLimit >= 0 {
		n = min(n, l.DatabaseLimit-l.OfDatabase)
	}
	return max(0, n)
}

// limitsQuery returns the fields of Limits. It does not count its own connection as in use.
const limitsQuery = `
SELECT current_setting('max_connections')::int,
    current_setting('superuser_reserved_connections')::int + CASE
        WHEN EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = 'pg_use_reserved_connections' AND pg_has_role(current_user, oid, 'USAGE')
        ) THEN 0
        ELSE coalesce(current_setting('reserved_connections', true)::int, 0) END,
    CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END, CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END,
    (SELECT coalesce(sum(numbackends), 1)::int FROM pg_stat_database WHERE datid <> 0) - 1,
    (SELECT count(*)::int FROM pg_stat_activity WHERE usesysid = r.oid) - 1,
    (SELECT numbackends FROM pg_stat_database WHERE datid = d.oid) - 1,
    current_user::text, d.datname::text, d.oid || ' ' || pg_postmaster_start_time()
FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()`

// Survey is the result of Look.
type Survey struct {
	Pooling Pooling
	Limits  Limits
}

// connectTimeout bounds an attempt to connect.
const connectTimeout = 5 * time.Second

// lookFor bounds Look. lookWait is how long one of its clients waits for a connection that another may hold.
const (
	lookFor  = time.Minute
	lookWait = time.Second
)

// Look determines the mode of the pooler at cfg.URL, if there is one, and the limits of connections. It recognizes a
// pooler in transaction mode by the state of a session: a client finds a setting of another client of the same pooler,
// or another server process than before.
func Look(ctx context.Context, cfg Config) (Survey, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	a, err := dialWhileFull(ctx, cfg)
	if err != nil {
		return Survey{}, err
	}
	defer a.Close(ctx) //nolint:errcheck // nothing was written
	var s Survey
	first, err := look(ctx, a)
	if isStatementPooler(err) {
		return Survey{Pooling: PoolingStatement}, nil
	}
	if err != nil {
		return s, fmt.Errorf("database %s: %w", Redact(cfg.URL), connectReason(err))
	}
	l := &s.Limits
	row := a.QueryRow(ctx, limitsQuery, pgx.QueryExecModeSimpleProtocol)
	if err := row.Scan(&l.MaxConnections, &l.Reserved, &l.RoleLimit, &l.DatabaseLimit, &l.InUse, &l.OfRole, &l.OfDatabase,
		&l.Role, &l.Database, &l.Server); err != nil {
		return s, fmt.Errorf("database %s: connections: %w", Redact(cfg.URL), connectReason(err))
	}
	between := first != a.PgConn().PID() // a pooler has process numbers of its own
	if between {
		s.Pooling = PoolingSession
	}
	another, rounds := dial, 1
	if between { // several rounds, because other clients of the pooler may hide its mode
		another, rounds = dialWhileFull, 4
	}
	var b *pgx.Conn
	defer func() {
		if b != nil {
			_ = b.Close(ctx) // nothing was written
		}
	}()
	for range rounds {
		if b == nil || b.IsClosed() { // it is closed after its wait timed out
			if b, err = another(ctx, cfg); !between && full(err) {
				return s, nil
			} else if err != nil {
				return s, err
			}
		}
		switch kind, err := shares(ctx, a, b); {
		case err != nil:
			return s, fmt.Errorf("database %s: %w", Redact(cfg.URL), connectReason(err))
		case kind != "":
			s.Pooling = kind
			return s, nil
		}
	}
	return s, nil
}

// shares returns the mode of the pooler if two clients use the same server connection in turn, and an empty one if each
// has its own.
func shares(ctx context.Context, a, b *pgx.Conn) (Pooling, error) {
	mark := "a" + rand.Text()
	set := "SELECT pg_backend_pid(), set_config('explorer.client', '" + mark + "', false)"
	got := "SELECT pg_backend_pid(), current_setting('explorer.client', true)"
	before, _, err := session(ctx, a, set)
	if err != nil {
		return "", err
	}
	if now, has, err := session(ctx, a, got); err != nil || now != before || has != mark {
		return PoolingTransaction, err
	}
	// b begins a transaction. A pooler in transaction mode gives it the connection that a had.
	waiting, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	if _, err := b.PgConn().Exec(waiting, "BEGIN").ReadAll(); isStatementPooler(err) {
		return PoolingStatement, nil
	} else if err != nil && (waiting.Err() != nil || full(err)) {
		return "", nil // there is no other connection, so a keeps its own
	} else if err != nil {
		return "", err
	}
	_, has, err := session(ctx, b, got)
	if err != nil {
		return "", err
	}
	if has == mark {
		return PoolingTransaction, nil
	}
	// In transaction mode, a has another connection now, or waits for b.
	waiting, cancel = context.WithTimeout(ctx, lookWait)
	defer cancel()
	now, has, err := session(waiting, a, got)
	if waiting.Err() != nil && ctx.Err() == nil || err == nil && (now != before || has != mark) {
		return PoolingTransaction, nil
	}
	if err != nil {
		return "", err
	}
	_, err = b.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
	return "", err
}

func look(ctx context.Context, c *pgx.Conn) (pid uint32, err error) {
	pid, _, err = session(ctx, c, "BEGIN; SELECT pg_backend_pid(), ''; COMMIT")
	return pid, err
}

// session runs a query that returns a process number and a text. It uses the simple protocol, which prepares no
// statement.
func session(ctx context.Context, c *pgx.Conn, sql string) (pid uint32, text string, err error) {
	results, err := c.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return 0, "", err
	}
	for _, r := range results {
		if len(r.Rows) == 1 && len(r.Rows[0]) == 2 {
			n, err := strconv.ParseUint(string(r.Rows[0][0]), 10, 32)
			return uint32(n), string(r.Rows[0][1]), err
		}
	}
	return 0, "", errors.New("the server did not answer with a row")
}

func isStatementPooler(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.Contains(pg.Message, "statement pooling")
}

// dialWhileFull connects, and waits while all connections are in use or Postgres is starting.
func dialWhileFull(ctx context.Context, cfg Config) (*pgx.Conn, error) {
	for {
		c, err := dial(ctx, cfg)
		var pg *pgconn.PgError
		if err == nil || !full(err) && (!errors.As(err, &pg) || pg.Code != pgerrcode.CannotConnectNow) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// dial makes one connection for Look.
func dial(ctx context.Context, cfg Config) (*pgx.Conn, error) {
	cc, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, unreadable("DATABASE_URL", cfg.URL)
	}
	cc.ConnectTimeout = connectTimeout
	startup(cc, cfg.ApplicationName)
	c, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, &openError{url: cfg.URL, cause: err}
	}
	return c, nil
}

// Connect makes a connection outside of the pools to DirectURL, for what needs a session, such as LISTEN. The caller
// closes it.
func (d *DB) Connect(ctx context.Context) (*pgx.Conn, error) {
	return connectTo(ctx, "DATABASE_URL", d.DirectURL)
}

// connectTo makes a connection outside of any pool.
func connectTo(ctx context.Context, variable, dsn string) (*pgx.Conn, error) {
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, unreadable(variable, dsn)
	}
	cc.ConnectTimeout = connectTimeout
	settings := startup(cc, "explorer")
	c, err := pgx.ConnectConfig(ctx, cc)
	if err != nil || len(settings) == 0 {
		return c, err
	}
	if _, err := c.PgConn().Exec(ctx, setSession(settings)).ReadAll(); err != nil {
		_ = c.Close(ctx)
		return nil, err
	}
	return c, nil
}

// openError is a failure to connect. Its text is one line without the password.
type openError struct {
	url   string
	cause error
}

func (e *openError) Error() string {
	return fmt.Sprintf("database %s: %s", Redact(e.url), connectReason(e.cause))
}

func (e *openError) Unwrap() error { return e.cause }

func unreadable(variable, dsn string) error {
	// The error of pgx is left out: it repeats the connection string.
	return fmt.Errorf("%s %q cannot be read: want postgres://user:password@host:port/database", variable, Redact(dsn))
}

// CheckExecMode returns an error if the default_query_exec_mode of a connection string cannot work. variable is the
// name of the connection string's setting.
func CheckExecMode(variable, dsn string, pooling Pooling) error {
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		return unreadable(variable, dsn)
	}
	name := execModeOf(dsn)
	if name == "" {
		return nil
	}
	switch mode := cc.DefaultQueryExecMode; {
	case mode == pgx.QueryExecModeExec, mode == pgx.QueryExecModeSimpleProtocol:
		return fmt.Errorf("%s: default_query_exec_mode=%s cannot work: the program needs the server's types of parameters; "+
			"leave it out, and the mode that fits is chosen", variable, name)
	case pooling == PoolingTransaction && mode != pgx.QueryExecModeCacheDescribe:
		return fmt.Errorf("%s: default_query_exec_mode=%s cannot work with a pooler in transaction mode; leave it out, or "+
			"say cache_describe", variable, name)
	}
	return nil
}

// execModeOf returns the default_query_exec_mode of a connection string; empty if it has none.
func execModeOf(dsn string) string {
	const name = "default_query_exec_mode"
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		return u.Query().Get(name)
	}
	for _, word := range strings.Fields(dsn) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return strings.Trim(value, "'")
		}
	}
	return ""
}

// poolerParameters are the startup parameters that poolers accept. PgBouncer refuses others unless it is configured to
// ignore them.
var poolerParameters = []string{
	"application_name", "client_encoding", "datestyle", "timezone", "standard_conforming_strings", "options",
	"replication",
}

// fixedParameters are the startup parameters that are neither the role's nor the address's to choose: what a text
// means, and what a value is as a text.
var fixedParameters = map[string]string{"timezone": "UTC", "standard_conforming_strings": "on", "datestyle": "ISO, MDY"}

// startup leaves the startup parameters that every pooler takes, and gives the others, which are to be set after
// connecting: what a connection string sets, such as search_path.
func startup(cc *pgx.ConnConfig, application string) map[string]string {
	later := map[string]string{}
	named := false
	for name, value := range cc.RuntimeParams {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, "pool_"): // of pgxpool
			delete(cc.RuntimeParams, name)
		case !slices.Contains(poolerParameters, lower):
			later[name] = value
			delete(cc.RuntimeParams, name)
		case fixedParameters[lower] != "":
			delete(cc.RuntimeParams, name)
		case lower == "application_name":
			named = true
		}
	}
	if !named && application != "" {
		cc.RuntimeParams["application_name"] = application
	}
	maps.Copy(cc.RuntimeParams, fixedParameters)
	return later
}

// setSession returns the statement that sets the settings of a session.
func setSession(settings map[string]string) string {
	if len(settings) == 0 {
		return ""
	}
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)
	calls := make([]string, len(names))
	for i, name := range names {
		calls[i] = fmt.Sprintf("set_config(%s, %s, false)", QuoteLiteral(name), QuoteLiteral(settings[name]))
	}
	return "SELECT " + strings.Join(calls, ", ")
}

// QuoteLiteral returns s as an SQL literal. It does not depend on standard_conforming_strings.
func QuoteLiteral(s string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// Raise returns what to change so that this role can open the given number of connections to this database.
func (l Limits) Raise(connections int) string {
	switch usable := l.Usable(); {
	case l.RoleLimit >= 0 && l.RoleLimit == usable:
		return fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", l.Role, connections)
	case l.DatabaseLimit >= 0 && l.DatabaseLimit == usable:
		return fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", l.Database, connections)
	}
	return fmt.Sprintf("set max_connections to %d in Postgres and restart it", connections+l.Reserved)
}
