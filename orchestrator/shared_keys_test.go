package orchestrator_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// keyed is a run of a with an idempotency key, asked for by a request with the body.
func keyed(key, body string) orchestrator.RunRequest {
	return orchestrator.RunRequest{Assets: []string{"a"}, Trigger: orchestrator.Trigger{Kind: "api"},
		IdempotencyKey: key, Fingerprint: []byte(body)}
}

// TestRunsWithKeysShareAStatement has runs with idempotency keys asked for while one is being recorded: they are
// recorded in one transaction. A key that several of them have, or that was used before, names one run, and is refused
// for another request. That keeps none of the others from being recorded.
func TestRunsWithKeysShareAStatement(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	e := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	before, _, err := e.StartRun(t.Context(), keyed("before", "x"))
	if err != nil {
		t.Fatal(err)
	}
	requests := []orchestrator.RunRequest{
		keyed("before", "x"), keyed("before", "y"), keyed("twice", "x"), keyed("twice", "x"),
		keyed("other", "x"), keyed("other", "y"), keyed("", ""), keyed("mine", "x"), keyed("yours", "x"),
	}
	holds := orchestrator.HoldRecords(e, len(requests))
	var asked sync.WaitGroup
	var held *orchestrator.Run
	asked.Go(func() {
		if held, _, err = e.StartRun(t.Context(), keyed("held", "x")); err != nil {
			t.Error(err)
		}
	})
	<-holds
	type answer struct {
		run      *orchestrator.Run
		replayed bool
		err      error
	}
	answers := make([]answer, len(requests))
	for i, req := range requests {
		asked.Go(func() {
			a := &answers[i]
			a.run, a.replayed, a.err = e.StartRun(t.Context(), req)
		})
	}
	asked.Wait()
	transactions := map[uint64]int{}
	for i, a := range answers {
		switch {
		case requests[i].IdempotencyKey == "before" && string(requests[i].Fingerprint) == "x":
			if a.err != nil || !a.replayed || a.run.ID != before.ID {
				t.Errorf("a key that was used before: %+v, want run %s", a, before.ID)
			}
			continue
		case requests[i].IdempotencyKey == "before":
			if !errors.Is(a.err, orchestrator.ErrIdempotencyKeyReused) {
				t.Errorf("another request with a key that was used before: %+v", a)
			}
			continue
		case requests[i].IdempotencyKey == "other" || requests[i].IdempotencyKey == "twice":
			continue // below
		case a.err != nil || a.replayed:
			t.Errorf("request %d: %+v", i, a)
			continue
		}
		_, events := wait(t, e, a.run.ID)
		transactions[transactionOf(t, events, eventlog.RunEnqueued)]++
	}
	if len(transactions) != 1 {
		t.Errorf("runs with keys that were free were recorded in %d transactions", len(transactions))
	}
	if one, two := answers[2], answers[3]; one.err != nil || two.err != nil || one.run.ID != two.run.ID ||
		one.replayed == two.replayed {
		t.Errorf("a key of two equal requests: %+v, %+v", one, two)
	}
	if one, two := answers[4], answers[5]; (one.err == nil) == (two.err == nil) ||
		!errors.Is(errors.Join(one.err, two.err), orchestrator.ErrIdempotencyKeyReused) {
		t.Errorf("a key of two requests that differ: %+v, %+v", one, two)
	}
	wait(t, e, held.ID)
	var runs, keys int
	if err := d.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM idempotency_keys k
		JOIN runs r ON r.id = k.run_id)`).Scan(&runs, &keys); err != nil {
		t.Fatal(err)
	}
	if runs != 7 || keys != 6 {
		t.Errorf("%d runs, %d keys of runs; want 7 and 6", runs, keys)
	}
}

// TestHeldKeyHoldsNobodyUp has a transaction that does not end hold an idempotency key. The runs that are recorded
// together with one that has the same key are recorded; that one is once the key is free.
func TestHeldKeyHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	e := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	holder, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), `INSERT INTO idempotency_keys (key, fingerprint, run_id, created_at)
		VALUES ('held', 'x', $1, now())`, uuid.Must(uuid.NewV7())); err != nil {
		t.Fatal(err)
	}
	const n = 4
	holds := orchestrator.HoldRecords(e, n+1)
	var all, others sync.WaitGroup
	all.Go(func() {
		if _, _, err := e.StartRun(t.Context(), keyed("", "")); err != nil {
			t.Error(err)
		}
	})
	<-holds
	all.Go(func() {
		if run, replayed, err := e.StartRun(t.Context(), keyed("held", "x")); err != nil || replayed {
			t.Errorf("the run whose key was held: %v, replayed %t, %v", run, replayed, err)
		}
	})
	for i := range n {
		others.Go(func() {
			if _, _, err := e.StartRun(t.Context(), keyed(fmt.Sprint("free", i), "x")); err != nil {
				t.Errorf("run %d: %v", i, err)
			}
		})
	}
	others.Wait()
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
}
