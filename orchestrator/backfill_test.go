package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func TestBackfill(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	var mu sync.Mutex
	fail := map[string]bool{"p3": true}
	gate, entered := make(chan struct{}), make(chan struct{}, 100)
	a := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name: "a", Partitions: orchestrator.StaticPartitions("p", "p1", "p2", "p3", "p4", "p5", "p6"),
		PartitionConfig: func(key string) (map[string]any, error) { return map[string]any{"n": int(key[1] - '0')}, nil },
	}, func(ctx context.Context, step *orchestrator.Step, c struct {
		N int    `json:"n" jsonschema:"required"`
		S string `json:"s" jsonschema:"default=x"`
	},
	) (orchestrator.Metadata, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		entered <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		if fail[step.Partition] {
			return nil, orchestrator.Permanent(errors.New("told to fail"))
		}
		return orchestrator.Metadata{"n": c.N}, nil
	})
	d := dbtest.NewWatched(t)
	define := func() *orchestrator.Definitions {
		return parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a, asset("plain", nil, nil)}})
	}
	e := startEngine(t, d, define())
	ctx := t.Context()

	for name, c := range map[string]struct {
		req  orchestrator.BackfillRequest
		want string
	}{
		"no such partition": {orchestrator.BackfillRequest{Assets: []string{"a"}, Keys: []string{"p1", "p9"}}, `/partitions/1: "p9" is not a partition of p: it has p1`},
		"reversed range":    {orchestrator.BackfillRequest{Assets: []string{"a"}, From: "p4", To: "p2"}, `/range: "p4" comes after "p2"`},
		"no such end":       {orchestrator.BackfillRequest{Assets: []string{"a"}, To: "p9"}, `/range/to: "p9"`},
		"not partitioned":   {orchestrator.BackfillRequest{Assets: []string{"plain"}}, "/assets: none of plain is partitioned"},
		"bad config":        {orchestrator.BackfillRequest{Assets: []string{"a"}, Config: json.RawMessage(`{"n": 7}`)}, "/n: is 7, but the partition makes it 1"},
		"text for a number": {orchestrator.BackfillRequest{Assets: []string{"a"}, Config: json.RawMessage(`{"n": "1"}`)}, `/n: is "1", but the partition makes it 1`},
		"unknown asset":     {orchestrator.BackfillRequest{Assets: []string{"nope"}}, `asset "nope" does not exist`},
	} {
		if _, err := e.PlanBackfill(ctx, c.req); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	plan, err := e.PlanBackfill(ctx, orchestrator.BackfillRequest{Assets: []string{"a"}, From: "p2", To: "p5"})
	if err != nil || !slices.Equal(plan.Keys, []string{"p2", "p3", "p4", "p5"}) || plan.Concurrency != 2 {
		t.Fatalf("plan = %+v, %v", plan, err)
	}
	b, _, err := e.StartBackfill(
		ctx,
		orchestrator.BackfillRequest{
			Assets: []string{"a"},
			Keys:   []string{"p5", "p2", "p3", "p4"},
			By:     "me",
			Config: json.RawMessage(`{"s":"y"}`),
		},
	)
	if err != nil || b.Total != 4 {
		t.Fatalf("backfill = %+v, %v", b, err)
	}
	state := func() *orchestrator.Backfill {
		t.Helper()
		s, err := e.Backfill(ctx, b.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	receive(t, "a run", entered)
	receive(t, "a second run", entered)
	if _, err := e.PauseBackfill(ctx, b.ID); err != nil {
		t.Fatal(err)
	}
	gate <- struct{}{}
	gate <- struct{}{}
	until(t, e, "the two runs end, and no other begins", func() bool { return state().Counts["running"] == 0 })
	if s := state(); s.Status != "paused" || s.Counts["pending"] != 2 {
		t.Errorf("paused: %+v", s)
	}
	if _, err := e.ResumeBackfill(ctx, b.ID); err != nil {
		t.Fatal(err)
	}
	receive(t, "it goes on", entered)
	receive(t, "it goes on with two", entered)
	// A restart in the middle: another process ends it.
	stop, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := e.Stop(stop); err != nil {
		t.Fatal(err)
	}
	e = startEngine(t, d, define())
	close(gate)
	until(t, e, "it ends", func() bool { return state().EndedAt != nil })
	if s := state(); s.Status != "failure" || s.Counts["success"] != 3 || s.Counts["failure"] != 1 || most.Load() != 2 {
		t.Errorf("ended: %+v, %d at once", s, most.Load())
	}
	all, err := e.BackfillPartitions(ctx, b.ID, "", nil, 10)
	if err != nil || len(all) != 4 || all[0].Key != "p2" || all[1].Status != "failure" || all[1].RunID == nil {
		t.Errorf("partitions = %+v, %v", all, err)
	}
	run, err := e.Run(ctx, *all[0].RunID)
	if err != nil || run.TriggerKind != "backfill" || *run.BackfillID != b.ID || run.Priority != 3 ||
		*run.Partition != "p2" ||
		!strings.Contains(strings.ReplaceAll(string(run.Config), " ", ""), `"n":2,"s":"y"`) {
		t.Errorf("run = %+v, %v", run, err)
	}
	if p, err := e.PlanBackfill(ctx, orchestrator.BackfillRequest{Assets: []string{"a"}, Only: "missing"}); err != nil ||
		!slices.Equal(p.Keys, []string{"p1", "p6"}) {
		t.Errorf("missing: %+v, %v", p, err)
	}
	if p, err := e.PlanBackfill(ctx, orchestrator.BackfillRequest{Assets: []string{"a"}, Only: "failed"}); err != nil ||
		!slices.Equal(p.Keys, []string{"p3"}) {
		t.Errorf("failed: %+v, %v", p, err)
	}
	mu.Lock()
	clear(fail)
	mu.Unlock()
	if _, err := e.CancelBackfill(ctx, b.ID, "me"); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("canceled after its end: %v", err)
	}
	if _, err := e.RetryBackfill(ctx, b.ID); err != nil {
		t.Fatal(err)
	}
	until(t, e, "the retry ends", func() bool { return state().EndedAt != nil })
	if s := state(); s.Status != "success" || s.Counts["success"] != 4 {
		t.Errorf("retried: %+v", s)
	}
	if _, err := e.RetryBackfill(ctx, b.ID); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("retried without a failure: %v", err)
	}
	failed := orchestrator.BackfillRequest{Assets: []string{"a"}, Only: "failed"}
	if _, _, err := e.StartBackfill(ctx, failed); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("nothing to do: %v", err)
	}
}

func TestCancelBackfill(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 10)
	a := asset("a", nil, func(ctx context.Context, _ *orchestrator.Step) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	a.Partitions = orchestrator.StaticPartitions("p", "1", "2", "3", "4")
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}}))
	b, _, err := e.StartBackfill(t.Context(), orchestrator.BackfillRequest{Assets: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	<-started
	<-started
	if _, err := e.CancelBackfill(t.Context(), b.ID, "me"); err != nil {
		t.Fatal(err)
	}
	until(t, e, "it ends", func() bool {
		b, err = e.Backfill(t.Context(), b.ID)
		return err == nil && b.EndedAt != nil
	})
	if b.Status != "canceled" || b.Counts["canceled"] != 4 {
		t.Errorf("%+v", b)
	}
}
