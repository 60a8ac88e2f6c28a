package orchestrator_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	e := setup(t, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	req := orchestrator.RunRequest{
		Assets:         []string{"a"},
		Trigger:        orchestrator.Trigger{Kind: "api"},
		IdempotencyKey: "k",
		Fingerprint:    []byte("one"),
	}
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			run, _, err := e.StartRun(t.Context(), req)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = run.ID.String()
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 1 {
		t.Errorf("one key started several runs: %v", ids)
	}
	req.Fingerprint = []byte("two")
	if _, _, err := e.StartRun(t.Context(), req); !errors.Is(err, orchestrator.ErrIdempotencyKeyReused) {
		t.Errorf("another request with the same key: %v", err)
	}
}

func TestStopHandsStepsBack(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var first atomic.Bool
	first.Store(true)
	defs := define(t, []*orchestrator.Asset{asset("a", nil, func(ctx context.Context, s *orchestrator.Step) error {
		if first.CompareAndSwap(true, false) {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})}, nil)
	one := startEngine(t, d, defs)
	run := start(t, one, orchestrator.RunRequest{Assets: []string{"a"}})
	waitFor(t, one, run.ID, func(ev eventlog.Event) bool { return ev.Type == "step_started" })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := one.Stop(ctx); err != nil {
		t.Logf("stop: %v", err)
	}
	two := startEngine(t, d, defs)
	ended, events := wait(t, two, run.ID)
	if ended.Status != "success" || ended.Steps[0].Attempt != 2 || !slices.Contains(types(events), "step_requeued") {
		t.Errorf("run %s, steps %+v, events %v", ended.Status, ended.Steps, types(events))
	}
}

func TestDeadWorker(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	hung := make(chan struct{})
	var calls atomic.Int32
	defs := define(t, []*orchestrator.Asset{asset("a", nil, func(ctx context.Context, s *orchestrator.Step) error {
		if calls.Add(1) == 1 {
			<-hung // the first worker freezes here
		}
		return nil
	})}, nil)
	// A heartbeat so rare that the worker looks dead to the other one.
	frozen := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Heartbeat = time.Hour })
	run := start(t, frozen, orchestrator.RunRequest{Assets: []string{"a"}})
	waitFor(t, frozen, run.ID, func(ev eventlog.Event) bool { return ev.Type == "step_started" })
	other := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Heartbeat = 100 * time.Millisecond })
	ended, events := wait(t, other, run.ID)
	if ended.Status != "success" || ended.Steps[0].Attempt != 2 || !slices.Contains(types(events), "step_requeued") {
		t.Fatalf("run %s, steps %+v, events %v", ended.Status, ended.Steps, types(events))
	}
	close(hung) // it thaws, and finds its step gone
	again := start(t, frozen, orchestrator.RunRequest{Assets: []string{"a"}})
	wait(t, frozen, again.ID)
	ms, err := other.MaterializationsOfRun(t.Context(), run.ID)
	if err != nil || len(ms) != 1 {
		t.Errorf("%d materializations, want 1 (%v)", len(ms), err)
	}
	after, err := other.Events().OfRun(t.Context(), run.ID, events[len(events)-1].ID, 10)
	if err != nil || len(after) != 0 {
		t.Errorf("the thawed attempt wrote %v (%v)", types(after), err)
	}
}
