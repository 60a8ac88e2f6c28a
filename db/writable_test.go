package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// refuseWrites makes writes to the probed table fail as on a full disk, while a condition holds.
func refuseWrites(t *testing.T, d *db.DB, condition string) {
	t.Helper()
	mustExec(t, d, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF `+condition+` THEN RAISE 'no space left' USING ERRCODE = 'disk_full'; END IF;
    RETURN NULL;
END $$`)
	mustExec(t, d, `CREATE TRIGGER refuse BEFORE INSERT OR DELETE OR TRUNCATE ON writability FOR EACH STATEMENT
		EXECUTE FUNCTION refuse()`)
}

// TestWriteProbeBesideReaders lets another transaction read the table, as pg_dump does: the probe does not wait for it,
// and gives the right result.
func TestWriteProbeBesideReaders(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	refuseWrites(t, d, "true")
	dump, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer dump.Rollback(context.WithoutCancel(t.Context()))
	if _, err := dump.Exec(t.Context(), "LOCK TABLE writability IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	var not *db.NotWritable
	if err := d.CheckWritable(t.Context()); !errors.As(err, &not) || not.Reason != "the disk of the database is full" {
		t.Errorf("beside a reader: %v", err)
	}
}

// TestWriteProbeLocksNobodyOut looks at the locks of a probe. Locks that exclude readers are written to the log, and
// stop a standby that is being read.
func TestWriteProbeLocksNobodyOut(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	refuseWrites(t, d, `EXISTS (SELECT FROM pg_locks
		WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode = 'AccessExclusiveLock')`)
	if err := d.CheckWritable(t.Context()); err != nil {
		t.Error("it locks readers out")
	}
}

// TestWriteProbeNeedsRoom finds that the statement which is to need room on the disk does.
func TestWriteProbeNeedsRoom(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	var plan []struct {
		Plan struct {
			Written int `json:"Temp Written Blocks"`
		}
	}
	if _, err := tx.Exec(t.Context(), "SET LOCAL work_mem = 64"); err != nil {
		t.Fatal(err)
	}
	err = tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+db.WriteProbeFile).Scan(&plan)
	if err != nil || len(plan) != 1 || plan[0].Plan.Written < 8 {
		t.Errorf("%+v, %v", plan, err)
	}
}

// TestWriteProbeInTransactionMode has a role of whom nothing can be said within its own limits.
func TestWriteProbeInTransactionMode(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	refuseWrites(t, d, "current_setting('statement_timeout') = '1min' AND "+
		"current_setting('idle_in_transaction_session_timeout') = '1min'")
	shared, err := db.Open(t.Context(), db.Config{URL: d.URL, Pooling: db.PoolingTransaction, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shared.Close)
	if err := shared.CheckWritable(t.Context()); err == nil {
		t.Error("its transaction has no limits")
	}
}
