package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// downTo undoes our migrations above a version; 0 undoes all, and River's.
func downTo(t testing.TB, d *db.DB, version int64) {
	t.Helper()
	for {
		status, err := d.MigrateStatus(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left := false
		for _, m := range status {
			left = left || m.Applied && (version == 0 || m.Source == "explorer" && m.Version > version)
		}
		if !left {
			return
		}
		undone, err := d.MigrateDown(t.Context())
		if err != nil || len(undone) == 0 {
			t.Fatalf("undone %v, %v", undone, err)
		}
		if err := d.CheckMigrated(t.Context()); !errors.Is(err, db.ErrPendingMigrations) {
			t.Errorf("after down: %v", err)
		}
	}
}

// TestMigrateWithEvents brings a log that was written before it had pieces to the newest schema, and back.
func TestMigrateWithEvents(t *testing.T) {
	d := dbtest.New(t)
	downTo(t, d, 5) // before the pieces
	write := func(n int) {
		t.Helper()
		for range n {
			if _, err := d.Pool.Exec(t.Context(), `INSERT INTO events (run_id, at, type, level, message)
				VALUES (gen_random_uuid(), now(), 'log', 'info', 'x')`); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(want int) {
		t.Helper()
		var n, distinct, last int
		if err := d.Pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT id), max(id) FROM events`).Scan(&n, &distinct,
			&last); err != nil || n != want || distinct != want || last != want {
			t.Errorf("%d events, %d ids, the last %d, want %d; %v", n, distinct, last, want, err)
		}
	}
	write(3)
	if _, err := d.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(2)
	check(5)
	parts, err := eventlog.Partitions(t.Context(), d)
	if err != nil || len(parts) != 4 || parts[0].Name != "events_legacy" || parts[0].Upto.Before(time.Now()) {
		t.Errorf("pieces %+v, %v", parts, err)
	}
	if err := eventlog.EnsurePartitions(t.Context(), d, time.Now(), 5); err != nil {
		t.Error(err)
	}
	downTo(t, d, 5)
	write(1)
	check(6)
	if _, err := d.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(1)
	check(7)
}
