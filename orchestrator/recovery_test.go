package orchestrator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// TestJobsThatAreGone deletes the River jobs of a step that waits and closes that of one to be retried: both are done.
func TestJobsThatAreGone(t *testing.T) {
	d := dbtest.New(t)
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("b", nil, nil), asset("c", nil, nil)}, nil)
	idle := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
	one := start(t, idle, orchestrator.RunRequest{Assets: []string{"a"}})
	two := start(t, idle, orchestrator.RunRequest{Assets: []string{"b"}})
	three := start(t, idle, orchestrator.RunRequest{Assets: []string{"c"}})
	for _, sql := range []string{
		"DELETE FROM river_job WHERE args->>'asset' = 'a'",
		"UPDATE river_job SET state = 'cancelled', finalized_at = now() - interval '1 minute' WHERE args->>'asset' = 'b'",
		"UPDATE river_job SET state = 'discarded', finalized_at = now() - interval '1 minute' WHERE args->>'asset' = 'c'",
		"UPDATE steps SET status = 'started', attempt = 1, worker_id = 'gone' WHERE asset = 'c'",
		"UPDATE runs SET status = 'canceling' WHERE id = (SELECT run_id FROM steps WHERE asset = 'c')",
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	startEngine(t, d, defs)
	for id, want := range map[*orchestrator.Run]string{one: orchestrator.StatusSuccess, two: orchestrator.StatusSuccess, three: orchestrator.StatusCanceled} {
		if run, events := wait(t, idle, id.ID); run.Status != want {
			t.Errorf("%s: %s, %v", run.Assets, run.Status, types(events))
		}
	}
}

// TestOlderWorker runs a step that one of two workers does not know.
func TestOlderWorker(t *testing.T) {
	d := dbtest.New(t)
	old := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	newer := define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("b", []string{"a"}, nil)}, nil)
	front := startEngine(t, d, newer, func(c *orchestrator.Config) { c.Work = false })
	run := start(t, front, orchestrator.RunRequest{Assets: []string{"a", "b"}})
	waitFor(t, front, run.ID, func(ev orchestrator.Event) bool { return ev.Type == orchestrator.EventMaterialization })
	startEngine(t, d, newer)
	if got, events := wait(t, old, run.ID); got.Status != orchestrator.StatusSuccess || len(got.Steps) != 2 {
		t.Errorf("%s: %v", got.Status, types(events))
	}
}

// TestPoolExhausted has every connection taken for a while: requests fail in time, and work goes on afterwards.
func TestPoolExhausted(t *testing.T) {
	e := setup(t, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	d := orchestrator.DatabaseOf(e)
	var held []interface{ Release() }
	for range d.Pool.Config().MaxConns {
		conn, err := d.Pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := e.StartRun(ctx, orchestrator.RunRequest{Assets: []string{"a"}, Trigger: orchestrator.Trigger{Kind: "api"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a connection: %v", err)
	}
	for _, c := range held {
		c.Release()
	}
	if run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID); run.Status != orchestrator.StatusSuccess {
		t.Errorf("afterwards: %s", run.Status)
	}
}

// TestConnectionsCut ends every connection again and again, the one that listens too, while runs go on: none is lost,
// and those who follow see all of it.
func TestConnectionsCut(t *testing.T) {
	gate := make(chan struct{})
	e := setup(t, define(t, []*orchestrator.Asset{asset("a", nil, func(ctx context.Context, step *orchestrator.Step) error {
		step.Log(orchestrator.LevelInfo, "before", nil)
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
		step.Log(orchestrator.LevelInfo, "after", nil)
		return nil
	})}, nil))
	d := orchestrator.DatabaseOf(e)
	cut := func() {
		// By a connection of its own kind: the statement cuts all others.
		_, _ = d.Pool.Exec(t.Context(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	}
	run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	waitFor(t, e, run.ID, func(ev orchestrator.Event) bool { return ev.Message == "before" })
	for range 3 {
		cut()
	}
	followed := make(chan []string, 1)
	go func() {
		var seen []string
		for last := int64(0); ; {
			err := e.FollowRun(t.Context(), run.ID, last, func(evs []orchestrator.Event) error {
				for _, ev := range evs {
					seen, last = append(seen, ev.Type), ev.ID
				}
				return nil
			})
			if err == nil || t.Context().Err() != nil {
				followed <- seen
				return
			}
		}
	}()
	cut()
	close(gate)
	cut()
	seen := <-followed
	got, events := wait(t, e, run.ID)
	if got.Status != orchestrator.StatusSuccess {
		t.Errorf("%s: %v", got.Status, types(events))
	}
	if len(seen) != len(events) {
		t.Errorf("followed %v of %v", seen, types(events))
	}
}
