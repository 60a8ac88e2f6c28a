package orchestrator_test

import (
	"context"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// beats waits until a worker has said so many times that it lives.
func beats(t *testing.T, e *orchestrator.Engine, n int) {
	t.Helper()
	seen := map[time.Time]bool{}
	until(t, e, "heartbeats", func() bool {
		var at time.Time
		if err := orchestrator.DatabaseOf(e).Pool.QueryRow(t.Context(), "SELECT max(beat_at) FROM workers").
			Scan(&at); err != nil {
			t.Fatal(err)
		}
		seen[at] = true
		return len(seen) > n
	})
}

// TestSensorsBehindAnOldTransaction leaves a transaction open, behind which events wait to be seen: the sensors that
// wait for them are evaluated at their intervals, and at once when it has ended.
func TestSensorsBehindAnOldTransaction(t *testing.T) {
	t.Parallel()
	d := dbtest.NewWatched(t)
	fire := func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
		r := &orchestrator.SensorResult{Skip: "nothing"}
		for _, m := range ev.Materializations {
			r.Alerts = append(r.Alerts, orchestrator.Alert{Cause: "materialized " + m.RunID.String()})
		}
		for _, run := range ev.Runs {
			r.Alerts = append(r.Alerts, orchestrator.Alert{Cause: "ended " + run.ID.String()})
		}
		return r, nil
	}
	e := startEngine(t, d, parts(t, orchestrator.Declarations{
		Assets: []*orchestrator.Asset{asset("a", nil, nil)},
		Sensors: []*orchestrator.Sensor{
			orchestrator.NewAssetSensor(orchestrator.Sensor{Name: "after_a", Interval: time.Minute, Evaluate: fire}, "a"),
			orchestrator.NewRunStatusSensor(
				orchestrator.Sensor{Name: "after_runs", Interval: time.Minute, Evaluate: fire},
				orchestrator.StatusSuccess,
			),
		},
	}))
	for _, name := range []string{"after_a", "after_runs"} {
		if _, err := e.SetSensor(t.Context(), name, true); err != nil {
			t.Fatal(err)
		}
		until(t, e, "the first evaluation", func() bool { return evaluations(t, d, name) == 1 })
	}
	old, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Rollback(context.WithoutCancel(t.Context()))
	if _, err := old.Exec(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	first := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	wait(t, e, first.ID)
	beats(t, e, 12)
	second := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	wait(t, e, second.ID)
	beats(t, e, 3)
	for _, name := range []string{"after_a", "after_runs"} {
		if n := evaluations(t, d, name); n != 1 {
			t.Errorf("%s was evaluated %d times, though there was nothing for it to see", name, n)
		}
	}
	if err := old.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, e, "both sensors see both runs", func() bool { return countRows(t, d, "SELECT count(*) FROM alerts") == 4 })
	for _, name := range []string{"after_a", "after_runs"} {
		if n := evaluations(t, d, name); n > 4 {
			t.Errorf("%s was evaluated %d times", name, n)
		}
	}
}

func evaluations(t *testing.T, d *db.DB, sensor string) int {
	t.Helper()
	return countRows(t, d, "SELECT coalesce(sum(evaluations), 0) FROM sensor_ticks WHERE sensor = $1", sensor)
}
