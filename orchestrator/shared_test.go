package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// TestShared has items asked for while a batch is done: all of them are in the next one, and nothing is left behind.
func TestShared(t *testing.T) {
	t.Parallel()
	begun, release := make(chan []string), make(chan struct{})
	s := orchestrator.NewShared(func(batch []*string) {
		var items []string
		for _, item := range batch {
			items = append(items, *item)
		}
		begun <- items
		<-release
	})
	for round := range 3 {
		items := []<-chan struct{}{s.Add("alone")}
		if got := <-begun; !slices.Equal(got, []string{"alone"}) {
			t.Fatalf("round %d: %q was not done at once, by itself", round, got)
		}
		for i := range 70 {
			items = append(items, s.Add(fmt.Sprint(i)))
		}
		release <- struct{}{}
		first := <-begun
		release <- struct{}{}
		second := <-begun
		release <- struct{}{}
		for _, done := range items {
			<-done
		}
		all := slices.Sorted(slices.Values(append(first, second...)))
		if len(first) != 64 || len(slices.Compact(all)) != 70 {
			t.Fatalf("round %d: batches of %d and %d", round, len(first), len(second))
		}
	}
}

// transactionOf returns the transaction that wrote an event of a type.
func transactionOf(t *testing.T, events []eventlog.Event, kind string) uint64 {
	t.Helper()
	i := slices.IndexFunc(events, func(ev eventlog.Event) bool { return ev.Type == kind })
	if i < 0 {
		t.Fatalf("no %s in %v", kind, types(events))
	}
	return events[i].Xid
}

// TestEndsShareATransaction has runs end while an end is being written: they end in one transaction. If the database
// refuses one of them, the others end all the same.
func TestEndsShareATransaction(t *testing.T) {
	t.Parallel()
	for name, poisoned := range map[string]bool{"all are accepted": false, "one is refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			const n = 6
			returns, returned := make(chan struct{}, 1), make(chan struct{})
			e := startEngine(t, d, define(t, []*orchestrator.Asset{
				asset("a", nil, func(context.Context, *orchestrator.Step) error {
					select {
					case <-returns:
					case <-returned:
					}
					return nil
				}),
			}, nil))
			holds := orchestrator.HoldEnds(e, n)
			var runs []uuid.UUID
			for range n + 1 {
				id := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID
				waitFor(t, e, id, func(ev eventlog.Event) bool { return ev.Type == eventlog.StepStarted })
				runs = append(runs, id)
			}
			if poisoned {
				poison(t, d, "INSERT", "materializations", fmt.Sprintf("NEW.run_id = '%s'", runs[2]))
			}
			returns <- struct{}{} // one of them, while the others end
			<-holds
			close(returned)

			transactions := map[uint64]int{}
			for i, id := range runs {
				want := orchestrator.StatusSuccess
				if poisoned && i == 2 {
					want = orchestrator.StatusFailure
				}
				got, events := wait(t, e, id)
				if got.Status != want {
					t.Errorf("run %d: %s, want %s: %v", i, got.Status, want, types(events))
				}
				if want == orchestrator.StatusSuccess {
					transactions[transactionOf(t, events, eventlog.Materialization)]++
				}
				var state string
				if err := d.Pool.QueryRow(t.Context(), `SELECT j.state FROM river_job j JOIN steps s ON s.job_id = j.id
					WHERE s.run_id = $1`, id).Scan(&state); err != nil || want == orchestrator.StatusSuccess && state != "completed" {
					t.Errorf("run %d: its River job is %s, %v", i, state, err)
				}
			}
			if !poisoned && len(transactions) != 2 {
				t.Errorf("one run, and then %d, ended in %d transactions", n, len(transactions))
			}
		})
	}
}

// TestRunsShareAStatement has runs asked for while one is being recorded: they are recorded by one statement, and start
// in one. If the database refuses one of them, the others are recorded.
func TestRunsShareAStatement(t *testing.T) {
	t.Parallel()
	for name, poisoned := range map[string]bool{"all are accepted": false, "one is refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			e := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("b", []string{"a"}, nil)}, nil))
			if poisoned {
				poison(t, d, "INSERT", "runs", "NEW.tags ? 'bad'")
			}
			const n = 6
			holds := orchestrator.HoldRecords(e, n)
			var asked sync.WaitGroup
			ids, errs := make([]uuid.UUID, n+1), make([]error, n+1)
			for i := range ids {
				if i == 1 {
					<-holds
				}
				asked.Go(func() {
					req := orchestrator.RunRequest{Assets: []string{"a", "b"}, Trigger: orchestrator.Trigger{Kind: "api"}}
					if poisoned && i == 3 {
						req.Tags = map[string]string{"bad": "yes"}
					}
					run, _, err := e.StartRun(t.Context(), req)
					if errs[i] = err; err == nil {
						ids[i] = run.ID
					}
				})
			}
			asked.Wait()
			transactions := map[uint64]int{}
			for i, id := range ids {
				if poisoned && i == 3 {
					if errs[i] == nil {
						t.Error("the run that the database refuses was recorded")
					}
					continue
				}
				if errs[i] != nil {
					t.Errorf("run %d: %v", i, errs[i])
					continue
				}
				run, events := wait(t, e, id)
				if run.Status != orchestrator.StatusSuccess || len(run.Steps) != 2 {
					t.Errorf("run %d: %s, %v", i, run.Status, types(events))
				}
				transactions[transactionOf(t, events, eventlog.RunEnqueued)]++
			}
			if !poisoned && len(transactions) != 2 {
				t.Errorf("one run, and then %d, were recorded in %d transactions", n, len(transactions))
			}
		})
	}
}

// TestLockedRunHoldsNobodyUp has somebody hold the lock of a run: other runs start and end meanwhile.
func TestLockedRunHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	go1 := make(chan struct{})
	e := startEngine(t, d, define(t, []*orchestrator.Asset{
		asset("slow", nil, func(context.Context, *orchestrator.Step) error { <-go1; return nil }), asset("a", nil, nil),
	}, nil))
	run := start(t, e, orchestrator.RunRequest{Assets: []string{"slow"}})
	waitFor(t, e, run.ID, func(ev eventlog.Event) bool { return ev.Type == eventlog.StepStarted })
	held := make(chan struct{})
	release := make(chan struct{})
	var holder sync.WaitGroup
	holder.Go(func() {
		if err := d.Tx(t.Context(), func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SELECT FROM runs WHERE id = $1 FOR UPDATE", run.ID); err != nil {
				return err
			}
			close(held)
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-held
	close(go1)
	for range 3 {
		other := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
		if got, events := wait(t, e, other.ID); got.Status != orchestrator.StatusSuccess {
			t.Errorf("another run: %s, %v", got.Status, types(events))
		}
	}
	close(release)
	holder.Wait()
	if got, events := wait(t, e, run.ID); got.Status != orchestrator.StatusSuccess {
		t.Errorf("the run: %s, %v", got.Status, types(events))
	}
}

// TestEndsOfOneRunShareATransaction has steps of one run end at the same time: the steps that depend on all of them
// start, and the run ends once.
func TestEndsOfOneRunShareATransaction(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	const n = 5
	returned := make(chan struct{})
	var assets []*orchestrator.Asset
	var names []string
	for i := range n + 1 {
		names = append(names, fmt.Sprintf("a%d", i))
		assets = append(assets, asset(names[i], nil, func(context.Context, *orchestrator.Step) error {
			<-returned
			return nil
		}))
	}
	all := append(slices.Clone(names), "last")
	e := startEngine(t, d, define(t, append(assets, asset("last", names, nil)), nil))
	orchestrator.HoldEnds(e, n)
	run := start(t, e, orchestrator.RunRequest{Assets: all})
	for _, name := range names {
		waitFor(t, e, run.ID, func(ev eventlog.Event) bool {
			return ev.Type == eventlog.StepStarted && ev.Asset != nil && *ev.Asset == name
		})
	}
	close(returned)
	got, events := wait(t, e, run.ID)
	if got.Status != orchestrator.StatusSuccess {
		t.Fatalf("%s: %v", got.Status, types(events))
	}
	transactions, ended := map[uint64]bool{}, map[string]int{}
	for _, ev := range events {
		switch {
		case ev.Type == eventlog.Materialization && *ev.Asset != "last":
			transactions[ev.Xid] = true
			ended[*ev.Asset]++
		case ev.Type == eventlog.RunSuccess, ev.Type == eventlog.Materialization:
			ended[ev.Type]++
		}
	}
	if len(transactions) > 2 || len(ended) != n+3 {
		t.Errorf("%d transactions; ended: %v", len(transactions), ended)
	}
	for what, times := range ended {
		if times != 1 {
			t.Errorf("%s ended %d times", what, times)
		}
	}
}

// TestRequestsThatEnd has requests end while the database does not answer: each is told so at once, whether its run
// waits for others or is being recorded. Nothing of it is done, and the others are recorded.
func TestRequestsThatEnd(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	e := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	asked := orchestrator.RecordsAsked(e)
	lock, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "LOCK TABLE runs IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		run *orchestrator.Run
		err error
	}
	ask := func() (context.CancelFunc, <-chan answer) {
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan answer, 1)
		go func() {
			run, _, err := e.StartRun(ctx, orchestrator.RunRequest{
				Assets: []string{"a"}, Trigger: orchestrator.Trigger{Kind: "api"},
			})
			answered <- answer{run, err}
		}()
		<-asked
		return cancel, answered
	}
	endFirst, first := ask()
	endSecond, second := ask()
	endThird, third := ask()
	defer endThird()
	endSecond()
	if got := <-second; !errors.Is(got.err, context.Canceled) {
		t.Errorf("the request that waited: %v", got.err)
	}
	endFirst()
	if got := <-first; !errors.Is(got.err, context.Canceled) {
		t.Errorf("the request whose run was being recorded: %v", got.err)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := <-third
	if got.err != nil {
		t.Fatal(got.err)
	}
	if run, events := wait(t, e, got.run.ID); run.Status != orchestrator.StatusSuccess {
		t.Errorf("the run of the last request: %s, %v", run.Status, types(events))
	}
	var n int
	if err := d.Pool.QueryRow(t.Context(), "SELECT count(*) FROM runs").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d runs, %v", n, err)
	}
}
