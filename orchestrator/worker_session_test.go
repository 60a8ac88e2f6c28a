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

// TestWorkerSession takes the steps of workers over once their sessions have ended, although their heartbeats are
// young, and leaves a worker alone whose session is cut again and again while it lives.
func TestWorkerSession(t *testing.T) {
	t.Parallel()
	d := dbtest.NewWatched(t)
	hold := make(chan struct{})
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("held", nil,
		func(context.Context, *orchestrator.Step) error { <-hold; return nil })}, nil)
	idle := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
	first := start(t, idle, orchestrator.RunRequest{Assets: []string{"a"}})
	firstSession := ghost(t, d, "ghost 1", first.ID)
	second := start(t, idle, orchestrator.RunRequest{Assets: []string{"a"}})
	secondSession := ghost(t, d, "ghost 2", second.ID)

	slow := func(c *orchestrator.Config) { c.Heartbeat = 2 * time.Second }
	lives := startEngine(t, d, defs, slow, func(c *orchestrator.Config) { c.Concurrency = 1 })
	held := start(t, idle, orchestrator.RunRequest{Assets: []string{"held"}})
	waitFor(t, idle, held.ID, func(ev eventlog.Event) bool { return ev.Type == eventlog.StepStarted })
	startEngine(t, d, defs, slow) // watches all
	if err := firstSession.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if run, events := wait(t, idle, first.ID); run.Status != orchestrator.StatusSuccess ||
		!slices.Contains(types(events), eventlog.StepRequeued) {
		t.Fatalf("the run of the first dead worker: %s, %v", run.Status, types(events))
	}

	// Until it has missed another dead worker, it could miss the living one.
	if err := secondSession.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cuts := 0
	until(t, lives, "the end of the run of the second dead worker", func() bool {
		tag, err := d.Pool.Exec(t.Context(), `SELECT pg_terminate_backend(a.pid) FROM workers w JOIN pg_stat_activity a
			ON a.pid = w.session_pid WHERE w.id = $1`, lives.WorkerID())
		if err != nil {
			t.Error(err)
			return true
		}
		cuts += int(tag.RowsAffected())
		run, err := idle.Run(t.Context(), second.ID)
		return err != nil || run.EndedAt != nil
	})
	if cuts < 2 {
		t.Errorf("the session was cut %d times", cuts)
	}
	var gone string
	err := d.Pool.QueryRow(t.Context(), "SELECT string_agg(id, ', ' ORDER BY id) FROM workers WHERE lost_at IS NOT NULL").
		Scan(&gone)
	if err != nil || gone != "ghost 1, ghost 2" {
		t.Errorf("lost workers: %q, %v", gone, err)
	}
	close(hold)
	if run, events := wait(t, idle, held.ID); slices.Contains(types(events), eventlog.StepRequeued) {
		t.Errorf("the run of the living worker: %s, %v", run.Status, types(events))
	}
}
