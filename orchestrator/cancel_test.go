package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// canceling marks a run as a replica does that cancels it, a moment before the worker hears of it.
func canceling(ctx context.Context, d *db.DB, step *orchestrator.Step) error {
	_, err := d.Pool.Exec(ctx, `UPDATE runs SET status = 'canceling', canceled_by = 'alice' WHERE id = $1`, step.RunID)
	return err
}

// TestCanceledWhileEnding has runs canceled while their attempt is ending by itself, one way or another.
func TestCanceledWhileEnding(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		returns   error
		panics    bool
		retry     int
		run, step string
		class     orchestrator.Class
		message   string
	}{
		"success":         {run: "success", step: "success"},
		"last attempt":    {returns: boom, run: "canceled", step: "canceled", class: orchestrator.ClassCanceled, message: "canceled by alice; the attempt had just failed: boom"},
		"to be retried":   {returns: boom, retry: 3, run: "canceled", step: "canceled", class: orchestrator.ClassCanceled, message: "canceled by alice; the attempt had just failed: boom"},
		"permanent error": {returns: orchestrator.Permanent(boom), run: "canceled", step: "canceled", class: orchestrator.ClassCanceled, message: "canceled by alice; the attempt had just failed: boom"},
		"panic":           {panics: true, run: "failure", step: "failure", class: orchestrator.ClassBug, message: "panic: boom"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			ending := make(chan string, 10)
			a := orchestrator.NewAsset(
				orchestrator.AssetOptions{Name: "a", Retry: orchestrator.RetryPolicy{MaxAttempts: c.retry}},
				func(ctx context.Context, step *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
					step.InFinish(func(context.Context, pgx.Tx) error {
						status, err := step.Ending()
						if err != nil {
							status += " " + string(err.Class)
						}
						ending <- status
						return nil
					})
					if err := canceling(ctx, d, step); err != nil {
						return nil, err
					}
					if c.panics {
						panic("boom")
					}
					return nil, c.returns
				},
			)
			e := startEngine(
				t, d, define(t, []*orchestrator.Asset{a}, nil),
				func(cfg *orchestrator.Config) { cfg.Heartbeat = time.Hour },
			) // nothing stops the function from outside
			run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
			ended, events := wait(t, e, run.ID)
			step := ended.Steps[0]
			if ended.Status != c.run || step.Status != c.step {
				t.Errorf("run %s, step %s: %+v", ended.Status, step.Status, step.Error)
			}
			if c.class != "" && (step.Error == nil || step.Error.Class != c.class || step.Error.Message != c.message) {
				t.Errorf("%+v", step.Error)
			}
			if want := strings.TrimSpace(c.step + " " + string(c.class)); <-ending != want {
				t.Errorf("InFinish was not told of %q", want)
			}
			for _, ev := range events {
				if c.run == "canceled" && ev.Level == eventlog.LevelError {
					t.Errorf("%s: %s", ev.Type, ev.Message)
				}
			}
		})
	}
}

// TestBackfillOfCanceledRuns ends as canceled when runs of it were canceled one by one, and as a failure when one
// failed.
func TestBackfillOfCanceledRuns(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprint("fails: ", fails), func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			a := orchestrator.NewAsset(
				orchestrator.AssetOptions{
					Name:              "a",
					Partitions:        orchestrator.StaticPartitions("letter", "x", "y"),
					PartitionRequired: true,
				},
				func(ctx context.Context, step *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
					if step.Partition == "y" {
						if fails {
							return nil, orchestrator.Permanent(errors.New("boom"))
						}
						return nil, nil
					}
					return nil, errors.Join(canceling(ctx, d, step), errors.New("told to stop"))
				},
			)
			e := startEngine(t, d, define(t, []*orchestrator.Asset{a}, nil))
			ended := backfillsEnd(t, d)
			b, _, err := e.StartBackfill(t.Context(), orchestrator.BackfillRequest{Assets: []string{"a"}})
			if err != nil {
				t.Fatal(err)
			}
			want := "canceled"
			if fails {
				want = "failure"
			}
			ended()
			if b, err = e.Backfill(t.Context(), b.ID); err != nil || b.Status != want || b.Counts["canceled"] != 1 {
				t.Errorf("%s, %v, %v", b.Status, b.Counts, err)
			}
		})
	}
}

// backfillsEnd has the database tell when a backfill ends, of which there is no event. What it gives waits for that.
func backfillsEnd(t testing.TB, d *db.DB) (wait func()) {
	t.Helper()
	conn, err := d.Pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	if _, err := conn.Exec(t.Context(),
		`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_notify('backfill_ended', '');
			RETURN NULL; END$$;
		CREATE TRIGGER tell AFTER UPDATE ON backfills FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL) EXECUTE FUNCTION tell();
		LISTEN backfill_ended`); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := conn.Conn().WaitForNotification(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBlockingCheckHoldsBackAutomation has nothing materialized by itself below an asset whose blocking check does not
// pass.
func TestBlockingCheckHoldsBackAutomation(t *testing.T) {
	t.Parallel()
	passes := false
	check := &orchestrator.Check{
		Name:        "good",
		Description: "x",
		Severity:    orchestrator.SeverityError,
		Blocking:    true,
		Run: func(context.Context, *orchestrator.Step, orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
			return orchestrator.CheckOutcome{Passed: passes}, nil
		},
	}
	up := orchestrator.NewAsset(
		orchestrator.AssetOptions{Name: "up", Checks: []*orchestrator.Check{check}},
		func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil },
	)
	down := orchestrator.NewAsset(
		orchestrator.AssetOptions{Name: "down", Deps: []string{"up"}, Automation: orchestrator.Eager()},
		func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil },
	)
	e := setup(t, define(t, []*orchestrator.Asset{up, down}, nil))
	for _, pass := range []bool{false, true, false} {
		passes = pass
		wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"up"}}).ID)
		v, err := e.AutomationOf(t.Context(), "down")
		if err != nil || v.WouldRun != pass ||
			!pass && !strings.Contains(v.Reason, "check good of up, which it depends on, does not pass") {
			t.Errorf("passes: %v: %+v, %v", pass, v, err)
		}
	}
}
