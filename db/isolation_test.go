package db_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestIsolationIsPinned opens a database whose default, and whose connection string, ask for serializable transactions.
func TestIsolationIsPinned(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
		END $$`); err != nil {
		t.Fatal(err)
	}
	separator := " "
	if strings.Contains(d.URL, "://") {
		separator = map[bool]string{true: "&", false: "?"}[strings.Contains(d.URL, "?")]
	}
	for name, url := range map[string]string{"the database's default": d.URL, "the connection string": d.URL + separator +
		"default_transaction_isolation=serializable"} {
		other, err := db.Open(t.Context(), db.Config{URL: url, MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		level := func(row pgx.Row) (s string) {
			if err := row.Scan(&s); err != nil {
				t.Error(err)
			}
			return s
		}
		const show = "SHOW transaction_isolation"
		for pool, p := range map[string]*pgxpool.Pool{"durable": other.Pool, "relaxed": other.Relaxed} {
			if got := level(p.QueryRow(t.Context(), show)); got != "read committed" {
				t.Errorf("%s, a statement of the %s pool: %s", name, pool, got)
			}
		}
		// Whatever a connection was told before.
		if _, err := other.Pool.Exec(t.Context(),
			"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"); err != nil {
			t.Fatal(err)
		}
		if err := other.Tx(t.Context(), func(tx pgx.Tx) error {
			if got := level(tx.QueryRow(t.Context(), show)); got != "read committed" {
				t.Errorf("%s, a transaction: %s", name, got)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"08006": true, "08P01": true, "40001": true, "40P01": true, "40003": true, "53000": true, "53100": true, "53200": true, "53300": true, "55P03": true, "57014": true,
		"57P01": true, "57P02": true, "57P03": true, "58000": true, "58030": true, "25006": true, "25P03": true,
		"22003": false, "22P05": false, "23505": false, "23514": false, "42501": false, "42601": false, "42P01": false, "25P02": false, "P0001": false, "54000": false, "0A000": false,
	} {
		if got := db.Unavailable(&pgconn.PgError{Code: code}); got != want {
			t.Errorf("%s: %t", code, got)
		}
	}
}
