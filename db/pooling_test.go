package db_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// as returns the connection string of another role, which may open the given number of connections.
func as(t *testing.T, url string, limit int) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	role := "r_" + c.Config().Database
	if _, err := c.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT %d", role, limit)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c, err := pgx.Connect(context.Background(), url); err == nil {
			_, _ = c.Exec(context.Background(), "DROP ROLE "+role)
			_ = c.Close(context.Background())
		}
	})
	return strings.Replace(url, "user=explorer", "user="+role, 1)
}

// TestFewerConnectionsThanThePoolMayHave has many use a pool at once that Postgres gives two connections: all wait for
// their turn, and Postgres is not asked over and over again.
func TestFewerConnectionsThanThePoolMayHave(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), db.Config{URL: as(t, dbtest.URL(t), 2), MaxConns: 10, RelaxedConns: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			for range 5 {
				if _, err := d.Durable().Exec(t.Context(), "SELECT now()"); err != nil {
					t.Errorf("a query: %v", err)
				}
				if err := d.Tx(t.Context(), func(tx pgx.Tx) error {
					_, err := tx.Exec(t.Context(), "SELECT pg_sleep(0.002)")
					return err
				}); err != nil {
					t.Errorf("a transaction: %v", err)
				}
				if err := d.Ping(t.Context()); err != nil {
					t.Errorf("a ping: %v", err)
				}
			}
		})
	}
	all.Wait()
	if asked := d.Pool.Stat().NewConnsCount(); asked > 400 {
		t.Errorf("the pool began to make %d connections", asked)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	look := func(url string) db.Survey {
		t.Helper()
		s, err := db.Look(t.Context(), db.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := look(url)
	if s.Pooling != db.PoolingNone || s.Limits.MaxConnections < 20 || s.Limits.Reserved < 3 ||
		s.Limits.Usable() != s.Limits.MaxConnections-s.Limits.Reserved {
		t.Errorf("a superuser: %+v", s)
	}
	if says := s.Limits.Raise(500); says != fmt.Sprintf("set max_connections to %d in Postgres and restart it",
		500+s.Limits.Reserved) {
		t.Error(says)
	}
	role := as(t, url, 7)
	first, err := pgx.Connect(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close(t.Context())
	if s = look(role); s.Limits.Usable() != 7 || s.Limits.OfRole != 1 || s.Limits.Free() != 6 ||
		!strings.HasPrefix(s.Limits.Raise(30), "ALTER ROLE r_") {
		t.Errorf("a role with a limit: %+v: %s", s, s.Limits.Raise(30))
	}
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	if _, err := admin.Exec(t.Context(), "ALTER DATABASE "+admin.Config().Database+" CONNECTION LIMIT 5"); err != nil {
		t.Fatal(err)
	}
	if s = look(role); s.Limits.Usable() != 5 || s.Limits.OfDatabase != 2 || s.Limits.Free() != 3 ||
		!strings.HasPrefix(s.Limits.Raise(30), "ALTER DATABASE t") {
		t.Errorf("a database with a limit: %+v: %s", s, s.Limits.Raise(30))
	}
	if _, err := db.Look(t.Context(), db.Config{URL: "postgres://u:secret@127.0.0.1:1/x"}); err == nil ||
		strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody there: %v", err)
	}
}

// TestSessionSettings uses a connection string with settings that a pooler refuses at the start of a session.
func TestSessionSettings(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(),
		db.Config{URL: dbtest.URL(t) + ` search_path='public, pg_catalog' lock_timeout=4321 pool_max_conns=3`})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	for name, want := range map[string]string{
		"search_path": "public, pg_catalog", "lock_timeout": "4321ms", "statement_timeout": "1min", "jit": "off", "random_page_cost": "1.1",
		"idle_in_transaction_session_timeout": "1min", "default_transaction_isolation": "read committed", "TimeZone": "UTC", "synchronous_commit": "on",
		"application_name": "explorer",
	} {
		var got string
		if err := d.Pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", name, got, want, err)
		}
	}
	var relaxed string
	if err := d.Relaxed.QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&relaxed); err != nil || relaxed != "off" {
		t.Errorf("synchronous_commit of Relaxed is %q: %v", relaxed, err)
	}
	c, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var path string
	if err := c.QueryRow(t.Context(), "SHOW search_path").Scan(&path); err != nil || path != "public, pg_catalog" {
		t.Errorf("search_path of a connection of its own is %q: %v", path, err)
	}
}

// TestSettingsOfTransactions is what holds where there is no session.
func TestSettingsOfTransactions(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	d, err := db.Open(t.Context(), db.Config{URL: url, DirectURL: url, Pooling: db.PoolingTransaction})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	err = d.Tx(t.Context(), func(tx pgx.Tx) error {
		for name, want := range map[string]string{"statement_timeout": "1min", "idle_in_transaction_session_timeout": "1min",
			"transaction_isolation": "read committed", "jit": "off"} {
			var got string
			if err := tx.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %q, want %q: %v", name, got, want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	var after string
	if err := d.Pool.QueryRow(t.Context(), "SELECT current_setting('statement_timeout') || (SELECT count(*) FROM "+
		"pg_prepared_statements)").Scan(&after); err != nil || after != "00" {
		t.Errorf("something is left of the transaction: %q: %v", after, err)
	}
}

func TestCheckExecMode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode    string
		pooling db.Pooling
		works   bool
	}{
		{"", db.PoolingNone, true},
		{"", db.PoolingTransaction, true},
		{"cache_statement", db.PoolingNone, true},
		{"cache_statement", db.PoolingSession, true},
		{"cache_statement", db.PoolingTransaction, false},
		{"describe_exec", db.PoolingSession, true},
		{"describe_exec", db.PoolingTransaction, false},
		{"cache_describe", db.PoolingTransaction, true},
		{"exec", db.PoolingNone, false},
		{"exec", db.PoolingTransaction, false},
		{"simple_protocol", db.PoolingSession, false},
	} {
		for _, dsn := range []string{"postgres://u:secret@h/d?default_query_exec_mode=" + c.mode,
			"host=h user=u password=secret default_query_exec_mode=" + c.mode} {
			if c.mode == "" {
				dsn, _, _ = strings.Cut(dsn, "default_query")
			}
			err := db.CheckExecMode("DATABASE_URL", dsn, c.pooling)
			if c.works != (err == nil) || err != nil && (strings.Contains(err.Error(), "secret") ||
				!strings.Contains(err.Error(), c.mode)) {
				t.Errorf("%q behind %q: %v", dsn, c.pooling, err)
			}
		}
	}
}
