package orchestrator_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// none is the config of assets that have none.
type none = struct{}

func asset(name string, deps []string, f func(ctx context.Context, step *orchestrator.Step) error) *orchestrator.Asset {
	return orchestrator.NewAsset(orchestrator.AssetOptions{Name: name, Group: "test", Deps: deps},
		func(ctx context.Context, step *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
			if f != nil {
				if err := f(ctx, step); err != nil {
					return nil, err
				}
			}
			return orchestrator.Metadata{"asset": name}, nil
		})
}

func define(
	t testing.TB,
	assets []*orchestrator.Asset,
	jobs []*orchestrator.Job,
	schedules ...*orchestrator.Schedule,
) *orchestrator.Definitions {
	t.Helper()
	d, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: assets, Jobs: jobs, Schedules: schedules})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testLogger(t testing.TB) *slog.Logger {
	w := io.Discard
	if testing.Verbose() {
		w = os.Stderr
	}
	return slog.New(slog.NewTextHandler(w, nil)).With("test", t.Name())
}

// startEngine starts a replica on a database; it is stopped when the test ends.
func startEngine(
	t testing.TB,
	d *db.DB,
	defs *orchestrator.Definitions,
	change ...func(*orchestrator.Config),
) *orchestrator.Engine {
	t.Helper()
	cfg := orchestrator.Config{
		DB:          d,
		Definitions: defs,
		Logger:      testLogger(t),
		Work:        true,
		Concurrency: 8,
		Heartbeat:   200 * time.Millisecond,
		SoftStop:    500 * time.Millisecond,
	}
	for _, f := range change {
		f(&cfg)
	}
	e, err := orchestrator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	started(t, e)
	return e
}

// started starts an engine that has been made.
func started(t testing.TB, e *orchestrator.Engine) {
	t.Helper()
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v", err)
		}
	})
}

func setup(t testing.TB, defs *orchestrator.Definitions, change ...func(*orchestrator.Config)) *orchestrator.Engine {
	t.Helper()
	return startEngine(t, dbtest.NewWatched(t), defs, change...)
}

func start(t testing.TB, e *orchestrator.Engine, req orchestrator.RunRequest) *orchestrator.Run {
	t.Helper()
	if req.Trigger.Kind == "" {
		req.Trigger.Kind = "api"
	}
	run, _, err := e.StartRun(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// wait follows a run to its end and returns it with its events.
func wait(t testing.TB, e *orchestrator.Engine, id uuid.UUID) (*orchestrator.Run, []eventlog.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var events []eventlog.Event
	err := e.FollowRun(ctx, id, 0, func(evs []eventlog.Event) error {
		events = append(events, evs...)
		return nil
	})
	if err != nil {
		t.Fatalf("follow run: %v; seen %v", err, types(events))
	}
	run, err := e.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return run, events
}

func waitFor(t testing.TB, e *orchestrator.Engine, id uuid.UUID, what func(eventlog.Event) bool) eventlog.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var found *eventlog.Event
	stop := errors.New("found")
	err := e.FollowRun(ctx, id, 0, func(evs []eventlog.Event) error {
		for _, ev := range evs {
			if what(ev) {
				found = &ev
				return stop
			}
		}
		return nil
	})
	if found == nil {
		t.Fatalf("the event did not come: %v", err)
	}
	return *found
}

func types(events []eventlog.Event) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}

func statuses(run *orchestrator.Run) map[string]string {
	m := map[string]string{}
	for _, s := range run.Steps {
		m[s.Asset] = s.Status
	}
	return m
}
