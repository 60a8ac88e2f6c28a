package orchestrator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// written is a digest of every table that an evaluation writes.
func written(t testing.TB, d *db.DB) string {
	t.Helper()
	var all string
	for _, table := range []string{
		"runs", "steps", "events", "ticks", "schedules", "sensors", "sensor_ticks", "run_keys", "webhook_events", "alerts",
		"river_job",
	} {
		var digest string
		if err := d.Pool.QueryRow(t.Context(), `SELECT coalesce(md5(string_agg(r::text, E'\n' ORDER BY r::text)), '')
			FROM `+table+" r").Scan(&digest); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		all += table + " " + digest + "\n"
	}
	return all
}

// idle makes an engine that works at nothing, so that only the test writes.
func idle(t testing.TB, all orchestrator.Declarations) (*orchestrator.Engine, *db.DB) {
	t.Helper()
	d := dbtest.New(t)
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: parts(t, all), Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	return e, d
}

func TestDryRunOfScheduleWritesNothing(t *testing.T) {
	t.Parallel()
	all := one()
	all.Jobs[0].Tags = map[string]string{"kind": "daily"}
	all.Schedules = []*orchestrator.Schedule{{Name: "nightly", Job: "a_job", Cron: "0 2 * * *"}}
	e, d := idle(t, all)
	before := written(t, d)
	got, err := e.DryRunSchedule(t.Context(), "nightly")
	if err != nil || got.Status != orchestrator.StatusSuccess || len(got.Runs) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	run := got.Runs[0]
	if *run.Job != "a_job" || run.Assets[0] != "a" || run.Tags["schedule"] != "nightly" || run.Tags["kind"] != "daily" ||
		string(run.Config) != "{}" {
		t.Errorf("run %+v with config %s", run, run.Config)
	}
	if after := written(t, d); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := e.DryRunSchedule(t.Context(), "nope"); !errors.Is(err, orchestrator.ErrNotFound) {
		t.Errorf("an unknown schedule: %v", err)
	}
}

func TestDryRunOfSensorWritesNothing(t *testing.T) {
	t.Parallel()
	next := "2"
	sensor := &orchestrator.Sensor{
		Name: "s", Jobs: []string{"a_job"},
		Begin: func(context.Context) (string, error) { return "0", nil },
		Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			if ev.Cursor == next {
				return &orchestrator.SensorResult{Skip: "nothing to do"}, nil
			}
			return &orchestrator.SensorResult{
				Cursor: &next,
				Runs: []orchestrator.RunRequest{
					{Job: "a_job", RunKey: "k " + ev.Cursor, Tags: map[string]string{"n": "1"}}, {Job: "a_job", RunKey: "used"},
				},
				Alerts: []orchestrator.Alert{{Cause: "c", Title: "A problem"}}, Recovered: []string{"old"},
			}, nil
		},
	}
	e, d := idle(t, one(sensor))
	before := written(t, d)
	got, err := e.DryRunSensor(t.Context(), "s")
	if err != nil || got.Status != orchestrator.StatusSuccess || len(got.Runs) != 2 || *got.CursorBefore != "0" ||
		*got.CursorAfter != "2" || len(got.Alerts) != 1 || len(got.Recovered) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if run := got.Runs[0]; *run.RunKey != "k 0" || run.Repeated || run.Tags["sensor"] != "s" || run.Tags["n"] != "1" {
		t.Errorf("run %+v", run)
	}
	if after := written(t, d); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}

	// After a real evaluation, the cursor has moved and the keys are used.
	if tick, err := e.EvaluateSensor(t.Context(), "s"); err != nil || len(tick.RunIDs) != 2 {
		t.Fatalf("%+v, %v", tick, err)
	}
	before = written(t, d)
	if got, err = e.DryRunSensor(t.Context(), "s"); err != nil || got.Status != orchestrator.StatusSkipped ||
		*got.Message != "nothing to do" || *got.CursorBefore != "2" || *got.CursorAfter != "2" {
		t.Errorf("%+v, %v", got, err)
	}
	if after := written(t, d); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := e.SetSensorCursor(t.Context(), "s", &[]string{"1"}[0]); err != nil {
		t.Fatal(err)
	}
	if got, err = e.DryRunSensor(t.Context(), "s"); err != nil || got.Runs[0].Repeated || !got.Runs[1].Repeated ||
		*got.Message != "1 of 2 runs were started before" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestDryRunOfSignalsLeavesThem checks that the events that a sensor waits for are still new after a dry run.
func TestDryRunOfSignalsLeavesThem(t *testing.T) {
	t.Parallel()
	hook := orchestrator.NewWebhookSensor(orchestrator.Sensor{
		Name: "hook", Jobs: []string{"a_job"},
		Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			r := &orchestrator.SensorResult{}
			for _, w := range ev.Webhooks {
				r.Runs = append(r.Runs, orchestrator.RunRequest{Job: "a_job", RunKey: w.ID})
			}
			return r, nil
		},
	})
	e, d := idle(t, one(hook))
	setSensor(t, e, "hook", true)
	if got, err := e.DryRunSensor(t.Context(), "hook"); err != nil || *got.Message != "nothing new" || len(got.Runs) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	event := orchestrator.WebhookEvent{ID: "w1", Body: []byte("{}")}
	if _, err := e.ReceiveWebhook(t.Context(), "hook", event); err != nil {
		t.Fatal(err)
	}
	before := written(t, d)
	for range 2 {
		if got, err := e.DryRunSensor(t.Context(), "hook"); err != nil || len(got.Runs) != 1 || *got.Runs[0].RunKey != "w1" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if after := written(t, d); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}
}

// TestDryRunOfBrokenSensors checks that a function that fails, panics, hangs or asks for what is not valid is a clear
// result, in time.
func TestDryRunOfBrokenSensors(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	broken := func(name string, f orchestrator.SensorFunc) *orchestrator.Sensor {
		return &orchestrator.Sensor{Name: name, Timeout: 50 * time.Millisecond, Evaluate: f}
	}
	e, d := idle(t, one(
		broken("fails", func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			return nil, errors.New("no luck")
		}),
		broken("panics", func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			panic("oops")
		}),
		broken("slow", func(ctx context.Context, _ *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}),
		broken("hangs", func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			<-release
			return &orchestrator.SensorResult{Skip: "woke up"}, nil
		}),
		broken("wrong", func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			return &orchestrator.SensorResult{Runs: []orchestrator.RunRequest{{Job: "nope"}}}, nil
		}),
	))
	before := written(t, d)
	for name, want := range map[string]string{
		"fails": "no luck", "panics": "oops", "slow": "took longer than 50ms", "hangs": "took longer than 50ms",
		"wrong": `run 1 of 1: job "nope" does not exist`,
	} {
		got, err := e.DryRunSensor(t.Context(), name)
		if err != nil || got.Status != orchestrator.StatusFailure || !strings.Contains(*got.Message, want) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, want)
		}
	}
	if _, err := e.DryRunSensor(t.Context(), "hangs"); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("while the function has not returned: %v", err)
	}
	if after := written(t, d); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}
	close(release)
	got, err := e.DryRunSensor(t.Context(), "hangs")
	for errors.Is(err, orchestrator.ErrConflict) { // the function is about to return
		got, err = e.DryRunSensor(t.Context(), "hangs")
	}
	if err != nil || *got.Message != "woke up" {
		t.Errorf("after the function has returned: %+v, %v", got, err)
	}
}
