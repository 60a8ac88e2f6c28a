package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

func TestRun(t *testing.T) {
	t.Parallel()

	t.Run("OneAsset", func(t *testing.T) {
		t.Parallel()
		type config struct {
			Limit int `json:"limit" jsonschema:"minimum=1,maximum=500,default=50"`
		}
		a := orchestrator.NewAsset(
			orchestrator.AssetOptions{Name: "a"},
			func(_ context.Context, s *orchestrator.Step, c config) (orchestrator.Metadata, error) {
				s.Log(eventlog.LevelInfo, "hello \x00 there", map[string]string{"k": "nul \x00"})
				s.Progress(1, 2, "half")
				return orchestrator.Metadata{"limit": c.Limit, "run": s.RunID, "attempt": s.Attempt}, nil
			},
		)
		e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
		run, events := wait(
			t,
			e,
			start(
				t,
				e,
				orchestrator.RunRequest{
					Assets: []string{"a"},
					Config: json.RawMessage(`{"limit": 7}`),
					Tags:   map[string]string{"who": "me"},
				},
			).ID,
		)
		if run.Status != "success" || run.StartedAt == nil || run.EndedAt == nil || run.Tags["who"] != "me" ||
			string(run.Config) != `{"limit":7}` {
			t.Errorf("run = %+v", run)
		}
		want := []string{
			"run_enqueued",
			"run_started",
			"step_started",
			"log",
			"progress",
			"step_success",
			"materialization",
			"run_success",
		}
		if !slices.Equal(types(events), want) {
			t.Errorf("events = %v, want %v", types(events), want)
		}
		ms, err := e.MaterializationsOfRun(t.Context(), run.ID)
		if err != nil || len(ms) != 1 {
			t.Fatalf("materializations: %v %v", ms, err)
		}
		var md struct{ Limit, Attempt int }
		if err := json.Unmarshal(ms[0].Metadata, &md); err != nil || md.Limit != 7 || md.Attempt != 1 {
			t.Errorf("metadata = %s", ms[0].Metadata)
		}
	})

	t.Run("DiamondRunsItsMiddleInParallel", func(t *testing.T) {
		t.Parallel()
		var met sync.WaitGroup // each middle step waits for the other: only parallel ones end
		met.Add(2)
		meet := func(ctx context.Context, _ *orchestrator.Step) error {
			met.Done()
			both := make(chan struct{})
			go func() { met.Wait(); close(both) }()
			select {
			case <-both:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		var order []string
		var mu sync.Mutex
		note := func(_ context.Context, s *orchestrator.Step) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, s.Asset)
			return nil
		}
		defs := define(t, []*orchestrator.Asset{
			asset(
				"bottom", []string{"left", "right"}, note,
			), asset("left", []string{"top"}, meet), asset("right", []string{"top"}, meet), asset("top", nil, note),
		}, []*orchestrator.Job{{Name: "diamond", Assets: []string{"top", "left", "right", "bottom"}}})
		e := setup(t, defs)
		run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Job: "diamond"}).ID)
		if run.Status != "success" || !slices.Equal(order, []string{"top", "bottom"}) {
			t.Errorf("status %s, order %v", run.Status, order)
		}
	})

	t.Run("FailingMiddleSkipsTheLastAndRetryRunsWhatIsMissing", func(t *testing.T) {
		t.Parallel()
		var fail atomic.Bool
		fail.Store(true)
		var ran sync.Map
		count := func(_ context.Context, s *orchestrator.Step) error {
			n, _ := ran.LoadOrStore(s.Asset, new(atomic.Int32))
			n.(*atomic.Int32).Add(1)
			if s.Asset == "right" && fail.Load() {
				return orchestrator.Permanent(errors.New("no such luck"))
			}
			return nil
		}
		defs := define(t, []*orchestrator.Asset{
			asset("top", nil, count), asset("left", []string{"top"}, count), asset("right", []string{"top"}, count),
			asset("bottom", []string{"left", "right"}, count),
		}, []*orchestrator.Job{{Name: "diamond", Assets: []string{"top", "left", "right", "bottom"}}})
		e := setup(t, defs)
		run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Job: "diamond"}).ID)
		want := map[string]string{"top": "success", "left": "success", "right": "failure", "bottom": "skipped"}
		if run.Status != "failure" || !maps.Equal(statuses(run), want) {
			t.Errorf("run %s, steps %v", run.Status, statuses(run))
		}
		if run.Error == nil || !strings.Contains(run.Error.Message, "right") {
			t.Errorf("error = %+v", run.Error)
		}
		fail.Store(false)
		again, _, err := e.RetryRun(
			t.Context(), run.ID, true, orchestrator.RunRequest{Trigger: orchestrator.Trigger{Kind: "retry"}},
		)
		if err != nil {
			t.Fatal(err)
		}
		retried, _ := wait(t, e, again.ID)
		if retried.Status != "success" ||
			!maps.Equal(statuses(retried), map[string]string{"right": "success", "bottom": "success"}) ||
			*retried.ParentRunID != run.ID {
			t.Errorf("retried %s, steps %v", retried.Status, statuses(retried))
		}
		for name, n := range map[string]int32{"top": 1, "left": 1, "right": 2, "bottom": 1} {
			got, _ := ran.Load(name)
			if got.(*atomic.Int32).Load() != n {
				t.Errorf("%s ran %d times, want %d", name, got.(*atomic.Int32).Load(), n)
			}
		}
		_, _, err = e.RetryRun(t.Context(), retried.ID, true, orchestrator.RunRequest{})
		if !errors.Is(err, orchestrator.ErrConflict) {
			t.Errorf("retry from failure of a success: %v", err)
		}
	})

	t.Run("RetriesShowAsAttempts", func(t *testing.T) {
		t.Parallel()
		a := orchestrator.NewAsset(
			orchestrator.AssetOptions{Name: "a", Retry: orchestrator.RetryPolicy{MaxAttempts: 3, Delay: time.Millisecond}},
			func(_ context.Context, s *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
				if s.Attempt < 3 {
					return nil, fmt.Errorf("attempt %d fails", s.Attempt)
				}
				return nil, nil
			},
		)
		e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
		run, events := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
		if run.Status != "success" || run.Steps[0].Attempt != 3 {
			t.Errorf("run %s, steps %+v", run.Status, run.Steps)
		}
		n := 0
		for _, ev := range events {
			if ev.Type == "step_up_for_retry" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d retries in the event log, want 2", n)
		}
	})

	t.Run("RetryAfterIsHonoured", func(t *testing.T) {
		t.Parallel()
		a := orchestrator.NewAsset(
			orchestrator.AssetOptions{Name: "a", Retry: orchestrator.RetryPolicy{MaxAttempts: 2, Delay: time.Millisecond}},
			func(_ context.Context, s *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
				if s.Attempt == 1 {
					return nil, orchestrator.RetryAfter(errors.New("busy"), 700*time.Millisecond)
				}
				return nil, nil
			},
		)
		e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
		run, events := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
		var failed, again time.Time
		for _, ev := range events {
			switch ev.Type {
			case eventlog.StepUpForRetry:
				failed = ev.At
			case eventlog.StepStarted:
				again = ev.At
			}
		}
		if run.Status != "success" || again.Sub(failed) < 690*time.Millisecond {
			t.Errorf("run %s, next attempt after %s", run.Status, again.Sub(failed))
		}
	})

	t.Run("PanicIsABugWithItsStack", func(t *testing.T) {
		t.Parallel()
		e := setup(
			t,
			define(
				t,
				[]*orchestrator.Asset{asset("a", nil, func(context.Context, *orchestrator.Step) error { panic("oh dear") })},
				nil,
			),
		)
		run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
		se := run.Steps[0].Error
		if run.Status != "failure" || se == nil || se.Class != "bug" || !strings.Contains(se.Message, "oh dear") ||
			!strings.Contains(se.Stack, "run_test.go") {
			t.Errorf("run %s, error %+v", run.Status, se)
		}
	})

	t.Run("AttemptThatTakesTooLong", func(t *testing.T) {
		t.Parallel()
		a := orchestrator.NewAsset(
			orchestrator.AssetOptions{Name: "a", Timeout: 50 * time.Millisecond},
			func(ctx context.Context, _ *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		)
		e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
		run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
		if run.Status != "failure" || run.Steps[0].Error.Class != "timeout" {
			t.Errorf("run %s, error %+v", run.Status, run.Steps[0].Error)
		}
	})

	t.Run("RunThatTakesTooLong", func(t *testing.T) {
		t.Parallel()
		defs := define(
			t,
			[]*orchestrator.Asset{
				asset("a", nil, func(ctx context.Context, _ *orchestrator.Step) error { <-ctx.Done(); return ctx.Err() }),
			},
			[]*orchestrator.Job{{Name: "j", Assets: []string{"a"}, Timeout: time.Second}},
		)
		e := setup(t, defs)
		run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Job: "j"}).ID)
		if run.Status != "failure" || run.Error == nil || run.Error.Class != "timeout" || run.Steps[0].Status != "canceled" {
			t.Errorf("run %s, error %+v, steps %v", run.Status, run.Error, statuses(run))
		}
	})

	t.Run("WrongConfigMakesNoRun", func(t *testing.T) {
		t.Parallel()
		type config struct {
			Session int `json:"session" jsonschema:"required,minimum=1"`
		}
		a := orchestrator.NewAsset(
			orchestrator.AssetOptions{Name: "a"},
			func(context.Context, *orchestrator.Step, config) (orchestrator.Metadata, error) { return nil, nil },
		)
		e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
		_, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{Assets: []string{"a"}})
		var invalid *runconfig.InvalidError
		if !errors.As(err, &invalid) || invalid.Fields[0].Pointer != "/session" {
			t.Errorf("err = %v", err)
		}
		runs, err := e.Runs(t.Context(), orchestrator.RunFilter{Limit: 10})
		if err != nil || len(runs) != 0 {
			t.Errorf("runs = %v, %v", runs, err)
		}
	})

	why := map[string]string{
		"MetadataThatCannotBeEncoded": "metadata cannot be encoded as JSON: json: unsupported value: NaN",
		"MetadataThatPanics":          "panic: no JSON", "MetadataThatCannotBeStored": "could not be recorded",
		"InFinishThatFails": "could not be recorded", "InFinishThatPanics": "could not be recorded: panic: no end",
	}
	for name, f := range map[string]func(*orchestrator.Step) orchestrator.Metadata{
		"MetadataThatCannotBeEncoded": func(*orchestrator.Step) orchestrator.Metadata {
			return orchestrator.Metadata{"n": math.NaN()}
		},
		"MetadataThatPanics": func(*orchestrator.Step) orchestrator.Metadata { return orchestrator.Metadata{"n": noJSON{}} },
		"MetadataThatCannotBeStored": func(*orchestrator.Step) orchestrator.Metadata {
			return orchestrator.Metadata{"n": json.Number("1e999999")}
		},
		"InFinishThatPanics": func(s *orchestrator.Step) orchestrator.Metadata {
			s.InFinish(func(context.Context, pgx.Tx) error { panic("no end") })
			return nil
		},
		"InFinishThatFails": func(s *orchestrator.Step) orchestrator.Metadata {
			s.InFinish(func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, "SELECT 1/0"); return err })
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := orchestrator.NewAsset(
				orchestrator.AssetOptions{Name: "a", Retry: orchestrator.RetryPolicy{MaxAttempts: 3}},
				func(_ context.Context, s *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
					return f(s), nil
				},
			)
			e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
			run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
			if se := run.Steps[0].Error; run.Status != "failure" || se == nil || se.Class != "bug" ||
				!strings.Contains(se.Message, why[name]) {
				t.Errorf("run %s, error %+v", run.Status, se)
			}
			if ms, err := e.MaterializationsOfRun(t.Context(), run.ID); err != nil || len(ms) != 0 {
				t.Errorf("materializations %v, %v", ms, err)
			}
		})
	}

	t.Run("InFinishIsWrittenWithTheEnd", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		if _, err := d.Pool.Exec(t.Context(), "CREATE TABLE effects (attempt int)"); err != nil {
			t.Fatal(err)
		}
		a := orchestrator.NewAsset(
			orchestrator.AssetOptions{Name: "a", Retry: orchestrator.RetryPolicy{MaxAttempts: 2, Delay: time.Millisecond}},
			func(_ context.Context, s *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
				s.InFinish(func(ctx context.Context, tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "INSERT INTO effects VALUES ($1)", s.Attempt)
					return err
				})
				if s.Attempt == 1 {
					return nil, errors.New("once more")
				}
				return nil, nil
			},
		)
		e := startEngine(t, d, define(t, []*orchestrator.Asset{a}, nil))
		wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
		var got []int32
		if err := d.Pool.QueryRow(t.Context(), "SELECT array_agg(attempt ORDER BY attempt) FROM effects").
			Scan(&got); err != nil ||
			!slices.Equal(got, []int32{1, 2}) {
			t.Errorf("effects %v, %v", got, err)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	block := func(ctx context.Context, _ *orchestrator.Step) error { <-ctx.Done(); return ctx.Err() }

	t.Run("RunningOnAnotherReplica", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		defs := define(
			t,
			[]*orchestrator.Asset{asset("a", nil, block), asset("b", []string{"a"}, nil)},
			[]*orchestrator.Job{{Name: "j", Assets: []string{"a", "b"}}},
		)
		startEngine(t, d, defs)
		api := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
		run := start(t, api, orchestrator.RunRequest{Job: "j"})
		waitFor(t, api, run.ID, func(ev eventlog.Event) bool { return ev.Type == "step_started" })
		asked := time.Now()
		got, err := api.CancelRun(t.Context(), run.ID, "alice")
		if err != nil || (got.Status != "canceling" && got.Status != "canceled") {
			t.Fatalf("cancel: %v %v", got, err)
		}
		ended, _ := wait(t, api, run.ID)
		if ended.Status != "canceled" || *ended.CanceledBy != "alice" ||
			!maps.Equal(statuses(ended), map[string]string{"a": "canceled", "b": "canceled"}) {
			t.Errorf("run %s, steps %v", ended.Status, statuses(ended))
		}
		if d := ended.EndedAt.Sub(asked); d > 2*time.Second {
			t.Errorf("took %s", d)
		}
		if _, err := api.CancelRun(t.Context(), run.ID, "bob"); !errors.Is(err, orchestrator.ErrConflict) {
			t.Errorf("cancel of a canceled run: %v", err)
		}
	})

	t.Run("Queued", func(t *testing.T) {
		t.Parallel()
		e := setup(
			t,
			define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil),
			func(c *orchestrator.Config) { c.Work = false },
		) // nobody works
		run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
		got, err := e.CancelRun(t.Context(), run.ID, "alice")
		if err != nil || got.Status != "canceled" || got.EndedAt == nil {
			t.Errorf("run %+v, %v", got, err)
		}
	})

	t.Run("FunctionThatDoesNotListen", func(t *testing.T) {
		t.Parallel()
		free := make(chan struct{})
		defer close(free)
		e := setup(
			t,
			define(
				t,
				[]*orchestrator.Asset{asset("a", nil, func(context.Context, *orchestrator.Step) error { <-free; return nil })},
				nil,
			),
		)
		run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
		waitFor(t, e, run.ID, func(ev eventlog.Event) bool { return ev.Type == "step_started" })
		asked := time.Now()
		if _, err := e.CancelRun(t.Context(), run.ID, ""); err != nil {
			t.Fatal(err)
		}
		ended, _ := wait(t, e, run.ID)
		if ended.Status != "canceled" {
			t.Errorf("run %s", ended.Status)
		}
		if d := ended.EndedAt.Sub(asked); d > 3*time.Second {
			t.Errorf("took %s", d)
		}
	})
}

// noJSON is a value whose encoding panics.
type noJSON struct{}

func (noJSON) MarshalJSON() ([]byte, error) { panic("no JSON") }
