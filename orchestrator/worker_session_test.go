package orchestrator_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// ghost records a worker that has a session and never lacks a heartbeat, and gives it the steps of a run that wait. The
// worker dies when the session is closed.
func ghost(t *testing.T, d *db.DB, name string, run uuid.UUID) *pgx.Conn {
	t.Helper()
	session, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close(context.Background()) })
	for _, sql := range []string{
		`INSERT INTO workers (id, host, pid, started_at, beat_at, session_pid, session_start)
		 SELECT $1, 'h', 1, now(), now() + interval '1 hour', pid, backend_start FROM pg_stat_activity
		 WHERE pid = pg_backend_pid() AND $2::uuid IS NOT NULL`,
		`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY[$1]
		 WHERE args->>'run_id' = ($2::uuid)::text`,
		`UPDATE steps SET status = 'started', attempt = 1, started_at = now(), worker_id = $1 WHERE run_id = $2`,
		`UPDATE runs SET status = 'started', started_at = now() WHERE id = $2 AND $1 <> ''`,
	} {
		if tag, err := session.Exec(t.Context(), sql, name, run); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: %v, %v", sql, tag, err)
		}
	}
	return session
}

// TestWorkerSession takes the step of a worker over once its session has ended, although its heartbeats are young, and
// leaves a worker alone whose session is cut while it lives.
func TestWorkerSession(t *testing.T) {
	t.Parallel()
	d := dbtest.NewWatched(t)
	hold := make(chan struct{})
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("held", nil,
		func(context.Context, *orchestrator.Step) error { <-hold; return nil })}, nil)
	idle := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
	lost := start(t, idle, orchestrator.RunRequest{Assets: []string{"a"}})
	session := ghost(t, d, "ghost", lost.ID)

	lives := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Heartbeat = time.Hour; c.Concurrency = 1 })
	held := start(t, idle, orchestrator.RunRequest{Assets: []string{"held"}})
	waitFor(t, idle, held.ID, func(ev eventlog.Event) bool { return ev.Type == eventlog.StepStarted })
	startEngine(t, d, defs, func(c *orchestrator.Config) { c.Heartbeat = time.Hour }) // watches both
	sessionOf := func() (pid int32) {
		err := d.Pool.QueryRow(t.Context(), "SELECT coalesce(session_pid, 0) FROM workers WHERE id = $1", lives.WorkerID()).
			Scan(&pid)
		if err != nil {
			t.Error(err)
		}
		return pid
	}
	until(t, lives, "a session", func() bool { return sessionOf() != 0 })
	for range 3 {
		before := sessionOf()
		if _, err := d.Pool.Exec(t.Context(), "SELECT pg_terminate_backend($1)", before); err != nil {
			t.Fatal(err)
		}
		until(t, lives, "another session", func() bool { now := sessionOf(); return now != 0 && now != before })
	}
	if err := session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	run, events := wait(t, idle, lost.ID)
	if run.Status != orchestrator.StatusSuccess || !slices.Contains(types(events), eventlog.StepRequeued) {
		t.Errorf("the run of the dead worker: %s, %v", run.Status, types(events))
	}
	var gone string
	err := d.Pool.QueryRow(t.Context(), "SELECT string_agg(id, ' ') FROM workers WHERE lost_at IS NOT NULL").Scan(&gone)
	if err != nil || gone != "ghost" {
		t.Errorf("lost workers: %q, %v", gone, err)
	}
	close(hold)
	if run, events := wait(t, idle, held.ID); slices.Contains(types(events), eventlog.StepRequeued) {
		t.Errorf("the run of the living worker: %s, %v", run.Status, types(events))
	}
}
