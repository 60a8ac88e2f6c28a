package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// TestLocksAreTakenInOneOrder starts, ends, cancels and retries runs that share limits and partitions in every order.
// No two transactions may wait for each other: Postgres counts no deadlock, not even one that a second try hides.
func TestLocksAreTakenInOneOrder(t *testing.T) {
	t.Parallel()
	keys := []string{"p1", "p2", "p3"}
	set := orchestrator.StaticPartitions("p", keys...)
	partitioned := func(name string, deps []string, pools ...string) *orchestrator.Asset {
		a := asset(name, deps, nil)
		a.Partitions, a.Pools = set, pools
		return a
	}
	// Neither the order of the definitions nor that of the names is that in which steps end: z, b, a.
	defs := parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{
		partitioned(
			"z", nil, "p",
		), partitioned("b", nil, "p", "q"), partitioned("a", []string{"b"}, "q"), partitioned("c", []string{"a", "z"}, "p"),
	}})
	d := dbtest.NewWatched(t)
	var mu sync.Mutex
	var conflicts []string
	d.OnConflict = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		conflicts = append(conflicts, err.Error())
	}
	with := func(c *orchestrator.Config) {
		c.Limits = []orchestrator.Limit{
			{Key: "pool:p", Max: 3},
			{Key: "asset:b", Max: 2},
			{Key: "pool:q", Max: 2},
			{Key: "tag:even=true", Max: 2},
		}
	}
	e := startEngine(t, d, defs, with)
	startEngine(t, d, defs, with)

	const starters, each = 12, 20
	choices := [][]string{{"z", "b"}, {"b"}, {"b", "a"}, {"z", "b", "a", "c"}, {"a", "c"}}
	ids := make(chan uuid.UUID, starters*each)
	var wg sync.WaitGroup
	for i := range starters {
		wg.Go(func() {
			for j := range each {
				n := i*each + j
				run, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{
					Assets: choices[n%len(choices)], Partition: keys[n%3], Tags: map[string]string{"even": fmt.Sprint(n%2 == 0)},
					Trigger: orchestrator.Trigger{Kind: "api"},
				})
				if err != nil {
					t.Errorf("start %d: %v", n, err)
					continue
				}
				ids <- run.ID
				if n%7 == 0 {
					_, _ = e.CancelRun(t.Context(), run.ID, "me") // it may have ended
				}
			}
		})
	}
	if _, _, err := e.StartBackfill(t.Context(),
		orchestrator.BackfillRequest{Assets: []string{"z", "b", "a", "c"}, Concurrency: 3}); err != nil {
		t.Error(err)
	}
	wg.Wait()
	close(ids)
	for id := range ids {
		if run, _ := wait(t, e, id); !slices.Contains([]string{"success", "canceled"}, run.Status) {
			t.Errorf("run %s: %s, %+v", id, run.Status, run.Error)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(conflicts) > 0 {
		t.Errorf("%d conflicts, such as %s", len(conflicts), conflicts[0])
	}
}

// TestPartitionsAreLockedInOneOrder has many runs of one partition end in both ways that change several of its rows: a
// step fails, after which what is below it is skipped, and a cancel, which goes by the names of the steps.
func TestPartitionsAreLockedInOneOrder(t *testing.T) {
	t.Parallel()
	set := orchestrator.StaticPartitions("p", "p1")
	partitioned := func(name string, deps []string, err error) *orchestrator.Asset {
		a := asset(name, deps, func(context.Context, *orchestrator.Step) error { return err })
		a.Partitions = set
		return a
	}
	defs := parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{
		partitioned(
			"d", nil, orchestrator.Permanent(errors.New("no")),
		), partitioned("c", []string{"d"}, nil), partitioned("b", []string{"c"}, nil), partitioned("a", []string{"b"}, nil),
	}})
	d := dbtest.NewWatched(t)
	var conflicts atomic.Int64
	d.OnConflict = func(error) { conflicts.Add(1) }
	e := startEngine(t, d, defs, patient)
	const starters, each = 8, 20
	ids := make(chan uuid.UUID, starters*each)
	var wg sync.WaitGroup
	for range starters {
		wg.Go(func() {
			for i := range each {
				run, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{
					Assets:    []string{"a", "b", "c", "d"},
					Partition: "p1",
					Trigger:   orchestrator.Trigger{Kind: "api"},
				})
				if err != nil {
					t.Error(err)
					continue
				}
				if i%2 == 0 {
					_, _ = e.CancelRun(t.Context(), run.ID, "me") // it may have ended
				}
				ids <- run.ID
			}
		})
	}
	wg.Wait()
	close(ids)
	for id := range ids {
		wait(t, e, id)
	}
	if n := conflicts.Load(); n > 0 {
		t.Errorf("%d conflicts", n)
	}
}
