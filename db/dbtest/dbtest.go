// Package dbtest gives each test a migrated database of its own on a real Postgres: the server named by
// TEST_DATABASE_URL or, without it, one started for the test binary, from the machine's binaries or from downloaded
// ones (POSTGRES_BINARIES, EXPLORER_OFFLINE). TEST_POSTGRES_DIR is the folder for the data of the one that is started,
// by default that of temporary files: a folder in memory saves a quarter of the time.
package dbtest

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

type server struct {
	adminURL string
	urlOf    func(database string) string
	template string
	stop     func()
}

var (
	once    sync.Once
	shared  *server
	failure error
	counter atomic.Int64
)

// Main runs a package's tests and stops the server they used, if they used one, and whatever else the tests share. Call
// it from TestMain.
func Main(m *testing.M, stop ...func()) {
	code := m.Run()
	for _, f := range stop {
		f()
	}
	if shared != nil {
		shared.stop()
	}
	os.Exit(code)
}

// New returns an open, migrated, empty database that is dropped when the test ends.
func New(t testing.TB) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), db.Config{URL: URL(t), MaxConns: 16})
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

// URL is the connection string of a migrated, empty database that is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	once.Do(func() { shared, failure = start() })
	if failure != nil {
		t.Fatalf("test postgres: %v", failure)
	}
	name := fmt.Sprintf("t%d_%d", os.Getpid(), counter.Add(1))
	exec(t, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, shared.template))
	t.Cleanup(func() { exec(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return shared.urlOf(name)
}

func exec(t testing.TB, sql string) {
	t.Helper()
	if err := run(shared.adminURL, sql); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

func run(dsn, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // a short-lived connection
	_, err = conn.Exec(ctx, sql)
	return err
}

func start() (*server, error) {
	s := &server{template: fmt.Sprintf("template_%d", os.Getpid())}
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		u, err := url.Parse(given)
		if err != nil || u.Scheme == "" {
			return nil, fmt.Errorf("TEST_DATABASE_URL: want a postgres:// URL")
		}
		s.adminURL = given
		s.urlOf = func(database string) string {
			c := *u
			c.Path = "/" + database
			return c.String()
		}
		s.stop = func() { _ = run(given, "DROP DATABASE IF EXISTS "+s.template) }
	} else {
		dir, err := os.MkdirTemp(os.Getenv("TEST_POSTGRES_DIR"), "explorer-test-")
		if err != nil {
			return nil, err
		}
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as root, the server's own user must pass through
			return nil, err
		}
		e, err := embedded.Start(context.Background(), embedded.Config{
			Dir: filepath.Join(dir, "postgres"), Logger: slog.New(slog.DiscardHandler),
			Source:   embedded.Source{Progress: printFetch},
			Settings: map[string]string{"fsync": "off", "full_page_writes": "off", "autovacuum": "off"},
		})
		if err != nil {
			return nil, err
		}
		s.adminURL = strings.Replace(e.URL(), "dbname=explorer", "dbname=postgres", 1)
		s.urlOf = func(database string) string {
			return strings.Replace(e.URL(), "dbname=explorer", "dbname="+database, 1)
		}
		s.stop = func() {
			_ = e.Stop()
			_ = os.RemoveAll(dir) //nolint:gosec // the folder made above
		}
	}
	if err := run(s.adminURL, "CREATE DATABASE "+s.template); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := db.Open(ctx, db.Config{URL: s.urlOf(s.template), MaxConns: 2})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if _, err := d.MigrateUp(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// printFetch prints that server binaries were fetched, which makes the first tests take longer.
func printFetch(p embedded.Progress) {
	if p.Stage == embedded.Fetched {
		fmt.Fprintf(os.Stderr, "%s was fetched from %s to %s\n", p.What, p.From, p.To)
	}
}

// InsertRows inserts what a query gives into a table with the same columns, all but those that Postgres computes. Rows
// that are there stay as they are.
func InsertRows(t testing.TB, d *db.DB, table, query string) {
	t.Helper()
	var columns string
	err := d.Pool.QueryRow(t.Context(), `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`, table).Scan(&columns)
	if err == nil {
		_, err = d.Pool.Exec(t.Context(), fmt.Sprintf(
			"INSERT INTO %s (%s) SELECT %[2]s FROM (%[3]s) AS more ON CONFLICT DO NOTHING", table, columns, query))
	}
	if err != nil {
		t.Fatalf("insert rows into %s: %v", table, err)
	}
}
