package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

func (p pipeline) evaluate(t testing.TB, sensor string) *orchestrator.SensorTick {
	t.Helper()
	dbtest.Settled(t, p.db) // a sensor sees what no older transaction can come before
	tick, err := p.engine.EvaluateSensor(t.Context(), sensor)
	if err != nil {
		t.Fatal(err)
	}
	if tick.Status == orchestrator.StatusFailure {
		t.Fatalf("%s: %s", sensor, *tick.Message)
	}
	return tick
}

// The sensor starts one run for a day that brought bills, and none for another.
func TestNewBillsSensorOverDays(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, time.Date(2026, 5, 19, 0, 0, 0, 0, time.UTC), testNewBillsSensorOverDays)
}

func testNewBillsSensorOverDays(t *testing.T, r source) {
	p := newPipeline(t, r, 0)
	_, first := p.materialize(t, "fetch_latest_bills", `{"limit": 100}`)
	if first.Created == 0 {
		t.Fatal("the first fetch brought nothing")
	}
	if _, err := p.engine.SetSensor(t.Context(), "new_bills_sensor", true); err != nil { // from here on
		t.Fatal(err)
	}
	if _, err := p.engine.SetSensor(t.Context(), "new_bills_sensor", false); err != nil { // evaluated by hand below
		t.Fatal(err)
	}
	brought, quiet := 0, 0
	for day := time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC); brought < 3 || quiet < 3; day = day.AddDate(0, 0, 1) {
		if day.After(lastDay) {
			t.Errorf("%d days brought bills, %d did not: too few to tell", brought, quiet)
			break
		}
		r.post(t, "/clock?as_of="+day.Format(time.DateOnly))
		_, m := p.materialize(t, "fetch_latest_bills", `{"limit": 100}`)
		runs := 0
		for range 2 {
			runs += len(p.evaluate(t, "new_bills_sensor").RunIDs)
		}
		want := 0
		if m.Created > 0 {
			want = 1
			brought++
		} else {
			quiet++
		}
		if runs != want {
			t.Errorf("%s brought %d bills and started %d runs", day.Format(time.DateOnly), m.Created, runs)
		}
	}
}

// The bills of a running fetch wait, so that one run is started for all of them.
func TestNewBillsWaitForTheEndOfTheFetch(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, lastDay, testNewBillsWaitForTheEndOfTheFetch)
}

func testNewBillsWaitForTheEndOfTheFetch(t *testing.T, r source) {
	p := pipelineOn(t, dbtest.NewWatched(t), r, 0)
	if _, err := p.engine.SetSensorCursor(t.Context(), "new_bills_sensor", nil); err != nil {
		t.Fatal(err)
	}
	r.post(t, "/faults?latency=100ms")
	run, _, err := p.engine.StartRun(t.Context(), orchestrator.RunRequest{
		Assets: []string{"fetch_latest_bills"}, Config: []byte(`{"limit": 100}`), Trigger: orchestrator.Trigger{Kind: "api"},
	})
	if err != nil {
		t.Fatal(err)
	}
	stored := func() bool {
		n, err := p.store.NewBillsSince(t.Context(), "")
		return err == nil && len(n.IDs) > 0
	}
	dbtest.Until(t, p.db, "a bill is stored", stored)
	if tick := p.evaluate(t, "new_bills_sensor"); len(tick.RunIDs) != 0 ||
		!strings.Contains(*tick.Message, "a running fetch") {
		t.Errorf("in the middle: %+v", tick)
	}
	if err := p.engine.FollowRun(t.Context(), run.ID, 0, func([]eventlog.Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if tick := p.evaluate(t, "new_bills_sensor"); len(tick.RunIDs) != 1 {
		t.Errorf("after it: %+v", tick)
	}
}

// LEGISinfo being away is one alert, however many fetches meet it, and it is cleared by the first that does not.
func TestFetchFailureSensor(t *testing.T) {
	t.Parallel()
	forEachSource(t, lastDay, testFetchFailureSensor)
}

func testFetchFailureSensor(t *testing.T, r source) {
	d := dbtest.New(t)
	away := r
	away.legisinfo = "http://127.0.0.1:1"
	p := pipelineOn(t, d, away, 0)
	if _, err := p.engine.SetSensorCursor(t.Context(), "fetch_failure_sensor", nil); err != nil {
		t.Fatal(err)
	}
	causes := func() (open []string, all int) {
		t.Helper()
		alerts, err := p.engine.Alerts().List(t.Context(), false, nil, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			if a.RecoveredAt == nil {
				open = append(open, fmt.Sprintf("%s %s x%d", a.Alert.Cause, a.Alert.Severity, a.Occurrences))
			}
		}
		return open, len(alerts)
	}
	for range 2 {
		p.materialize(t, "fetch_latest_bills", `{"limit": 5}`)
		p.evaluate(t, "fetch_failure_sensor")
	}
	if open, _ := causes(); !slices.Equal(open, []string{"fetch:fetch_latest_bills:legisinfo warn x2"}) {
		t.Errorf("open = %q", open)
	}
	p.stop()
	p = pipelineOn(t, d, r, 0)
	if _, err := d.Pool.Exec(t.Context(), `UPDATE source_states SET breaker_open_until = NULL`); err != nil {
		t.Fatal(err)
	}
	if _, m := p.materialize(t, "fetch_latest_bills", `{"limit": 5}`); m.Status != "success" {
		t.Fatalf("fetch: %+v", m)
	}
	p.evaluate(t, "fetch_failure_sensor")
	if open, all := causes(); len(open) != 0 || all != 1 {
		t.Errorf("open = %q of %d", open, all)
	}
}

// All sessions there are, as a backfill: every bill is stored.
func TestBackfillOfAllSessions(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, lastDay, func(t *testing.T, r source) {
		p := pipelineOn(t, dbtest.NewWatched(t), r, 0)
		p.materialize(t, "parliament_sessions", `{}`)
		req := orchestrator.BackfillRequest{
			Assets: []string{"fetch_parliament_session_bills"}, Only: orchestrator.PartitionMissing, Concurrency: 2,
		}
		plan, err := p.engine.PlanBackfill(t.Context(), req)
		if err != nil || !slices.Equal(plan.Keys, r.sessions) {
			t.Fatalf("plan = %+v, %v; want %q", plan, err, r.sessions)
		}
		b, _, err := p.engine.StartBackfill(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		// One after the other, so that none takes longer than there is patience for.
		for n := range plan.Keys {
			dbtest.Until(t, p.db, fmt.Sprintf("%d partitions are done", n+1), func() bool {
				b, err = p.engine.Backfill(t.Context(), b.ID)
				return err == nil && b.Counts[orchestrator.StatusPending]+b.Counts[orchestrator.StatusRunning] < len(plan.Keys)-n
			})
		}
		dbtest.Until(t, p.db, "the backfill ends", func() bool {
			b, err = p.engine.Backfill(t.Context(), b.ID)
			return err == nil && b.EndedAt != nil
		})
		sessions, err := p.store.Statistics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, s := range sessions {
			total += s.Bills
		}
		if want := len(r.records(t)); b.Status != orchestrator.StatusSuccess || total != want ||
			len(sessions) != len(r.sessions) {
			t.Errorf(
				"%s %v: %d bills of %d sessions, want %d of %d", b.Status, b.Counts, total, len(sessions), want, len(r.sessions),
			)
		}
	})
}
