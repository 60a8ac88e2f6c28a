package orchestrator_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// TestLostOnTheWay has a worker fetch a job without getting the answer, as when the connection breaks meanwhile: it
// runs, as the database says, and the worker lives. The worker misses it, and its step is done all the same. It does
// not miss the job of a step that takes long.
func TestLostOnTheWay(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	release := make(chan struct{})
	defs := define(t, []*orchestrator.Asset{
		asset("a", nil, nil),
		asset("long", nil, func(context.Context, *orchestrator.Step) error { <-release; return nil }),
	}, nil)
	server, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := orchestrator.New(orchestrator.Config{
		DB: d, Definitions: defs, Logger: testLogger(t), Work: true, Heartbeat: 200 * time.Millisecond,
		SoftStop: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	orchestrator.LosesAfter(worker, time.Millisecond)
	lost := start(t, server, orchestrator.RunRequest{Assets: []string{"a"}})
	if _, err := d.Pool.Exec(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1,
		attempted_by = ARRAY[$1], attempted_at = now() - interval '1 minute'`, orchestrator.WorkerID(worker)); err != nil {
		t.Fatal(err)
	}
	long := start(t, server, orchestrator.RunRequest{Assets: []string{"long"}})
	started(t, worker)
	waitFor(t, worker, long.ID, func(ev eventlog.Event) bool { return ev.Type == eventlog.StepStarted })
	if _, err := d.Pool.Exec(t.Context(), `UPDATE river_job SET attempted_at = now() - interval '1 minute'
		WHERE state = 'running'`); err != nil {
		t.Fatal(err)
	}
	run, events := wait(t, worker, lost.ID)
	if run.Status != orchestrator.StatusSuccess || !slices.Contains(types(events), eventlog.StepRequeued) {
		t.Errorf("the run whose job was lost: %s, %v", run.Status, types(events))
	}
	close(release)
	run, events = wait(t, worker, long.ID)
	if run.Status != orchestrator.StatusSuccess || slices.Contains(types(events), eventlog.StepRequeued) {
		t.Errorf("the run that took long: %s, %v", run.Status, types(events))
	}
}
