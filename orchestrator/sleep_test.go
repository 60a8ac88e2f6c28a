package orchestrator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// sleeper starts a worker that sleeps once nothing has been due for quiet. asleep tells when it has fallen asleep or
// woken.
func sleeper(
	t *testing.T, d *db.DB, defs *orchestrator.Definitions, quiet, ahead time.Duration,
) (e *orchestrator.Engine, asleep <-chan bool) {
	t.Helper()
	e, err := orchestrator.New(orchestrator.Config{
		DB: d, Definitions: defs, Logger: testLogger(t), Work: true, Deep: true, Concurrency: 8,
		Heartbeat: 200 * time.Millisecond, SoftStop: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	asleep = orchestrator.Sleeps(e, quiet, ahead)
	started(t, e)
	return e, asleep
}

// server starts a process without work that rests.
func server(t *testing.T, d *db.DB, defs *orchestrator.Definitions) *orchestrator.Engine {
	t.Helper()
	return startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work, c.Deep = false, true })
}

// fell waits until a worker falls asleep, or wakes.
func fell(t *testing.T, asleep <-chan bool, want bool) {
	t.Helper()
	what := "the worker wakes"
	if want {
		what = "the worker falls asleep"
	}
	if got := receive(t, what, asleep); got != want {
		t.Fatalf("asleep: %t, want %t", got, want)
	}
}

const (
	// onTime is what a loaded machine may take. Whoever finds what is due by polling alone takes ten seconds or more.
	onTime = 5 * time.Second
	soon   = 100 * time.Millisecond
	ahead  = 200 * time.Millisecond
)

// TestDeepRunsAreStarted starts runs while all workers sleep, again and again.
func TestDeepRunsAreStarted(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil)
	_, asleep := sleeper(t, d, defs, soon, ahead)
	serve := server(t, d, defs)
	for range 3 {
		fell(t, asleep, true)
		run, _ := wait(t, serve, start(t, serve, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
		if run.Status != orchestrator.StatusSuccess {
			t.Fatalf("run: %s", run.Status)
		}
		fell(t, asleep, false)
	}
}

// TestDeepOwnRunIsStarted has a worker start a run that was asked of itself while it sleeps.
func TestDeepOwnRunIsStarted(t *testing.T) {
	t.Parallel()
	e, asleep := sleeper(t, dbtest.New(t), define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil), soon, ahead)
	fell(t, asleep, true)
	if run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID); run.Status !=
		orchestrator.StatusSuccess {
		t.Fatalf("run: %s", run.Status)
	}
	fell(t, asleep, false)
}

// TestDeepStepsRunOnce starts runs at any moment while two workers fall asleep and wake all the time.
func TestDeepStepsRunOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var ran atomic.Int64
	defs := define(t, []*orchestrator.Asset{
		asset("a", nil, func(context.Context, *orchestrator.Step) error { ran.Add(1); return nil }),
	}, nil)
	_, asleep := sleeper(t, d, defs, 0, ahead)
	sleeper(t, d, defs, 0, ahead)
	serve := server(t, d, defs)
	const runs = 40
	fell(t, asleep, true)
	for range runs {
		run, _ := wait(t, serve, start(t, serve, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
		if run.Status != orchestrator.StatusSuccess || run.Steps[0].Attempt != 1 {
			t.Fatalf("run: %s in attempt %d", run.Status, run.Steps[0].Attempt)
		}
	}
	if n := ran.Load(); n != runs {
		t.Errorf("%d steps ran for %d runs", n, runs)
	}
}

// TestDeepRetryIsOnTime has a worker sleep until a step is tried again.
func TestDeepRetryIsOnTime(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Second
	d := dbtest.New(t)
	var failed, again time.Time
	a := asset("a", nil, func(_ context.Context, step *orchestrator.Step) error {
		if step.Attempt == 1 {
			failed = time.Now()
			return errors.New("not yet")
		}
		again = time.Now()
		return nil
	})
	a.Retry = orchestrator.RetryPolicy{MaxAttempts: 2, Delay: delay}
	defs := define(t, []*orchestrator.Asset{a}, nil)
	_, asleep := sleeper(t, d, defs, soon, ahead)
	serve := server(t, d, defs)
	fell(t, asleep, true)
	id := start(t, serve, orchestrator.RunRequest{Assets: []string{"a"}}).ID
	fell(t, asleep, false)
	fell(t, asleep, true) // until the step is due
	if run, _ := wait(t, serve, id); run.Status != orchestrator.StatusSuccess {
		t.Fatalf("run: %s", run.Status)
	}
	fell(t, asleep, false)
	if took := again.Sub(failed); took < delay || took > delay+onTime {
		t.Errorf("tried again after %s, want %s", took, delay)
	}
}

// TestDeepScheduleIsOnTime starts a schedule while the worker sleeps, which then wakes for its tick.
func TestDeepScheduleIsOnTime(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil)}, []*orchestrator.Job{{Name: "j", Assets: []string{"a"}}},
		&orchestrator.Schedule{Name: "s", Job: "j", Cron: "* * * * *"})
	s, err := defs.Schedule("s")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(8 * time.Second).Truncate(time.Microsecond)
	orchestrator.DueAt(s, at)
	_, asleep := sleeper(t, d, defs, soon, 3*time.Second)
	serve := server(t, d, defs)
	fell(t, asleep, true)
	if _, err := serve.SetSchedule(t.Context(), "s", true); err != nil {
		t.Fatal(err)
	}
	fell(t, asleep, false) // to learn of it
	fell(t, asleep, true)
	fell(t, asleep, false) // for the tick
	if now := time.Now(); now.Before(at.Add(-3*time.Second)) || now.After(at) {
		t.Errorf("awake %s before the tick, want 3 s", at.Sub(now))
	}
	fell(t, asleep, true) // after it
	ticks, err := serve.Ticks(t.Context(), "s", nil, 10)
	if err != nil || len(ticks) != 1 || ticks[0].Kind != orchestrator.TickScheduled || !ticks[0].ScheduledFor.Equal(at) {
		t.Fatalf("ticks: %+v, %v", ticks, err)
	}
	if late := ticks[0].CreatedAt.Sub(at); late > onTime {
		t.Errorf("the tick was %s late", late)
	}
}

// TestDeepWorkersAreAlive lists a worker as alive while it sleeps for long, and has it send a usual heartbeat before it
// works.
func TestDeepWorkersAreAlive(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ahead := func() (seconds float64) {
		t.Helper()
		err := d.Pool.QueryRow(t.Context(), "SELECT extract(epoch FROM beat_at - now())::float8 FROM workers").Scan(&seconds)
		if err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	inStep := make(chan float64, 1)
	defs := define(t, []*orchestrator.Asset{
		asset("a", nil, func(context.Context, *orchestrator.Step) error { inStep <- ahead(); return nil }),
	}, nil)
	e, asleep := sleeper(t, d, defs, soon, soon)
	serve := server(t, d, defs)
	fell(t, asleep, true)
	if s := ahead(); s < 10*60 || s > 12*60 {
		t.Errorf("the heartbeat is valid for %g s more", s)
	}
	workers, err := serve.Workers(t.Context())
	if err != nil || len(workers) != 1 || workers[0].ID != e.WorkerID() || !workers[0].Alive ||
		time.Until(workers[0].BeatAt) > time.Minute {
		t.Errorf("workers: %+v, %v", workers, err)
	}
	if all, err := serve.Deployment(t.Context()); err != nil || all.WorkersAlive != 1 {
		t.Errorf("deployment: %+v, %v", all, err)
	}
	start(t, serve, orchestrator.RunRequest{Assets: []string{"a"}})
	if s := receive(t, "the step", inStep); s > 0 {
		t.Errorf("while a step runs, the heartbeat is valid for %g s more", s)
	}
}

// TestDeepNaps has a worker that sleeps send heartbeats and catch up on schedules, without River.
func TestDeepNaps(t *testing.T) {
	t.Parallel()
	d := dbtest.NewWatched(t)
	e, err := orchestrator.New(orchestrator.Config{
		DB: d, Definitions: define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil), Logger: testLogger(t),
		Work: true, Deep: true, Heartbeat: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	asleep := orchestrator.Sleeps(e, soon, ahead)
	orchestrator.ShortNaps(e, time.Second)
	started(t, e)
	fell(t, asleep, true)
	var first, last time.Time
	beat := func(at *time.Time) {
		t.Helper()
		if err := d.Pool.QueryRow(t.Context(), "SELECT beat_at FROM workers").Scan(at); err != nil {
			t.Fatal(err)
		}
	}
	beat(&first)
	dbtest.Until(t, d, "another heartbeat", func() bool { beat(&last); return last.After(first) })
	if gap := last.Sub(first); gap < time.Second {
		t.Errorf("the next heartbeat came after %s", gap)
	}
	if len(asleep) > 0 {
		t.Error("the worker woke")
	}
}

// TestDeepConnectionBreaks has a worker wake that would no longer be notified.
func TestDeepConnectionBreaks(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	_, asleep := sleeper(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil), soon, ahead)
	fell(t, asleep, true)
	tag, err := d.Pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE '%NextDue%' AND pid <> pg_backend_pid()`)
	if err != nil || tag.RowsAffected() == 0 {
		t.Fatalf("%v, %v", tag, err)
	}
	fell(t, asleep, false)
	fell(t, asleep, true)
}

// TestDeepStops stops a worker that sleeps.
func TestDeepStops(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	e, asleep := sleeper(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil), soon, ahead)
	fell(t, asleep, true)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Error(err)
	}
	var n int
	if err := d.Pool.QueryRow(t.Context(), "SELECT count(*) FROM workers").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d workers are recorded (%v)", n, err)
	}
}

// TestDeepSensors has events of a webhook evaluated at once, and a sensor with a short interval while workers sleep.
func TestDeepSensors(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var found atomic.Bool
	look := &orchestrator.Sensor{
		Name: "look", Interval: time.Second,
		Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			if !found.Load() {
				return &orchestrator.SensorResult{Skip: "nothing"}, nil
			}
			return &orchestrator.SensorResult{Runs: []orchestrator.RunRequest{{Job: "j", RunKey: "looked"}}}, nil
		},
	}
	hook := orchestrator.NewWebhookSensor(orchestrator.Sensor{
		Name: "hook", Interval: time.Hour,
		Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			r := &orchestrator.SensorResult{}
			for _, w := range ev.Webhooks {
				r.Runs = append(r.Runs, orchestrator.RunRequest{Job: "j", RunKey: w.ID})
			}
			return r, nil
		},
	})
	runs := make(chan string, 10)
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{
		Assets: []*orchestrator.Asset{asset("a", nil, func(context.Context, *orchestrator.Step) error {
			runs <- "ran"
			return nil
		})},
		Jobs: []*orchestrator.Job{{Name: "j", Assets: []string{"a"}}}, Sensors: []*orchestrator.Sensor{look, hook},
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := orchestrator.New(orchestrator.Config{
		DB: d, Definitions: defs, Logger: testLogger(t), Work: true, Deep: true, Heartbeat: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	asleep := orchestrator.Sleeps(e, soon, ahead)
	orchestrator.ShortNaps(e, 2*time.Second)
	started(t, e)
	serve := server(t, d, defs)
	for _, name := range []string{"hook", "look"} {
		if _, err := serve.SetSensor(t.Context(), name, true); err != nil {
			t.Fatal(err)
		}
	}
	until := func(want bool) { // SetSensor woke the worker, perhaps twice
		t.Helper()
		for receive(t, "the worker falls asleep or wakes", asleep) != want {
		}
	}
	until(true)
	if _, err := serve.ReceiveWebhook(t.Context(), "hook", orchestrator.WebhookEvent{ID: "1", Body: []byte("{}")}); err !=
		nil {
		t.Fatal(err)
	}
	receive(t, "the run of the webhook", runs)
	until(true)
	found.Store(true)
	receive(t, "the run of the sensor", runs)
}
