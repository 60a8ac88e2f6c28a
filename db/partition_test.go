package db_test

import (
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestMigrateWithEvents brings a log that was written before it had pieces to the newest schema, and back.
func TestMigrateWithEvents(t *testing.T) {
	d := dbtest.New(t)
	for range 1 { // to before the pieces
		if _, err := d.MigrateDown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write := func(n int) {
		t.Helper()
		for range n {
			if _, err := d.Pool.Exec(t.Context(), `INSERT INTO events (run_id, at, type, level, message) VALUES (gen_random_uuid(), now(), 'log', 'info', 'x')`); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(want int) {
		t.Helper()
		var n, distinct, last int
		if err := d.Pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT id), max(id) FROM events`).Scan(&n, &distinct, &last); err != nil || n != want || distinct != want || last != want {
			t.Errorf("%d events, %d ids, the last %d, want %d; %v", n, distinct, last, want, err)
		}
	}
	write(3)
	if _, err := d.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(2)
	check(5)
	parts, err := d.EventPartitions(t.Context())
	if err != nil || len(parts) != 4 || parts[0].Name != "events_legacy" || parts[0].Upto.Before(time.Now()) {
		t.Errorf("pieces %+v, %v", parts, err)
	}
	if err := d.EnsureEventPartitions(t.Context(), time.Now(), 5); err != nil {
		t.Error(err)
	}
	if _, err := d.MigrateDown(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(1)
	check(6)
	if _, err := d.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(1)
	check(7)
}
