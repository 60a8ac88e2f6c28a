package db_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

func TestBackupAndRestore(t *testing.T) {
	dbtest.Tools(t)
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO schedules VALUES ('s', true, now());
INSERT INTO sessions VALUES ('token', 'x', now() + interval '1 day');
INSERT INTO events (run_id, at, type, level, message)
SELECT gen_random_uuid(), now() - n * interval '1 hour', 'log', 'info', 'x'
FROM generate_series(1, 100) n`); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := d.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if err := d.Restore(t.Context(), bytes.NewReader(backup.Bytes())); !errors.Is(err, db.ErrNotEmpty) {
		t.Errorf("onto a database that is not empty: %v", err)
	}
	empty := emptyDatabase(t)
	if err := empty.Restore(t.Context(), strings.NewReader("this is no backup")); err == nil ||
		!strings.Contains(err.Error(), "pg_restore") {
		t.Errorf("no backup: %v", err)
	}
	if err := empty.Restore(t.Context(), bytes.NewReader(backup.Bytes()[:backup.Len()/2])); err == nil {
		t.Error("half a backup was restored")
	}
	if err := empty.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err != nil {
		t.Fatal(err)
	}
	const all = `SELECT jsonb_build_object('events', (SELECT jsonb_agg(e ORDER BY id) FROM events e), 'schedules',
		(SELECT jsonb_agg(s) FROM schedules s))::text`
	var was, is string
	if err := errors.Join(d.Pool.QueryRow(t.Context(), all).Scan(&was),
		empty.Pool.QueryRow(t.Context(), all).Scan(&is)); err != nil || was != is {
		t.Errorf("restored %.300s, was %.300s; %v", is, was, err)
	}
	var sessions int
	if err := empty.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sessions").Scan(&sessions); err != nil ||
		sessions != 0 {
		t.Errorf("%d sessions came along; %v", sessions, err)
	}
	if err := empty.CheckMigrated(t.Context()); err != nil {
		t.Error(err)
	}
	// The log goes on after the ids that there are.
	var id int64
	if err := empty.Pool.QueryRow(t.Context(), `INSERT INTO events (run_id, at, type, level, message)
		VALUES (gen_random_uuid(), now(), 'log', 'info', 'x') RETURNING id`).Scan(&id); err != nil || id != 101 {
		t.Errorf("the next event is %d; %v", id, err)
	}
}

// emptyDatabase is one without any table.
func emptyDatabase(t *testing.T) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	return d
}
