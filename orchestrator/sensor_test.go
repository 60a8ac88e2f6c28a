package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func parts(t testing.TB, p orchestrator.Declarations) *orchestrator.Definitions {
	t.Helper()
	d, err := orchestrator.NewDefinitions(p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// one is an asset "a" with the job "a_job".
func one(sensors ...*orchestrator.Sensor) orchestrator.Declarations {
	return orchestrator.Declarations{
		Assets:  []*orchestrator.Asset{asset("a", nil, nil)},
		Jobs:    []*orchestrator.Job{{Name: "a_job", Assets: []string{"a"}}},
		Sensors: sensors,
	}
}

// evaluate evaluates a sensor by hand, after whatever else evaluates it.
func evaluate(t testing.TB, e *orchestrator.Engine, sensor string) (tick *orchestrator.SensorTick) {
	t.Helper()
	until(t, e, sensor+" is free", func() bool {
		var err error
		if tick, err = e.EvaluateSensor(t.Context(), sensor); err != nil && !errors.Is(err, orchestrator.ErrConflict) {
			t.Fatal(err)
		}
		return err == nil
	})
	return tick
}

func ticksOf(t testing.TB, e *orchestrator.Engine, sensor string) []orchestrator.SensorTick {
	t.Helper()
	ticks, err := e.SensorTicks(t.Context(), sensor, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	return ticks
}

func setSensor(t testing.TB, e *orchestrator.Engine, sensor string, running bool) *orchestrator.SensorState {
	t.Helper()
	s, err := e.SetSensor(t.Context(), sensor, running)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSensorStartsRunsAndKeepsItsCursor(t *testing.T) {
	t.Parallel()
	counting := &orchestrator.Sensor{
		Name: "counting",
		Jobs: []string{"a_job"},
		Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			next := ev.Cursor + "x"
			return &orchestrator.SensorResult{
				Cursor: &next,
				Runs: []orchestrator.RunRequest{
					{Job: "a_job", RunKey: fmt.Sprintf("key %d", len(ev.Cursor)/2), Tags: map[string]string{"n": next}},
				},
			}, nil
		},
	}
	e := setup(t, parts(t, one(counting)))

	if s, err := e.Sensor(t.Context(), "counting"); err != nil || s.Running || s.Cursor != nil || s.LastTick != nil {
		t.Fatalf("a sensor is stopped at first: %+v, %v", s, err)
	}
	first := evaluate(t, e, "counting")
	if first.Status != "success" || len(first.RunIDs) != 1 || *first.Cursor != "x" || first.Kind != "manual" {
		t.Fatalf("first tick = %+v", first)
	}
	run, _ := wait(t, e, first.RunIDs[0])
	if run.Status != "success" || run.TriggerKind != "sensor" || *run.TriggerName != "counting" ||
		run.Tags["sensor"] != "counting" ||
		run.Tags["n"] != "x" {
		t.Errorf("run = %+v", run)
	}
	second := evaluate(t, e, "counting") // the same run key: a run once, ever; the cursor moves on
	if second.Status != "skipped" || len(second.RunIDs) != 0 || !slices.Equal(second.RepeatedKeys, []string{"key 0"}) ||
		*second.Cursor != "xx" {
		t.Errorf("second tick = %+v", second)
	}
	if third := evaluate(t, e, "counting"); len(third.RunIDs) != 1 {
		t.Errorf("third tick = %+v", third)
	}
	reset, err := e.SetSensorCursor(t.Context(), "counting", nil)
	if err != nil || reset.Cursor != nil {
		t.Fatalf("reset: %+v, %v", reset, err)
	}
	if again := evaluate(t, e, "counting"); len(again.RunIDs) != 0 || *again.Cursor != "x" {
		t.Errorf("after a reset the run key counts still: %+v", again)
	}
	if _, err := e.SetSensor(t.Context(), "nope", true); !errors.Is(err, orchestrator.ErrNotFound) {
		t.Errorf("unknown sensor: %v", err)
	}
}

func TestSensorFiresByTheClockUntilItIsStopped(t *testing.T) {
	t.Parallel()
	evaluated := make(chan struct{}, 100)
	quick := &orchestrator.Sensor{
		Name:     "quick",
		Interval: time.Second,
		Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			evaluated <- struct{}{}
			return &orchestrator.SensorResult{Skip: "nothing to do"}, nil
		},
	}
	e := setup(t, parts(t, one(quick)))
	setSensor(t, e, "quick", true)
	for range 3 {
		receive(t, "an evaluation", evaluated)
	}
	setSensor(t, e, "quick", false)
	until(t, e, "the skips to be one tick", func() bool {
		ticks := ticksOf(t, e, "quick")
		return len(ticks) == 1 && ticks[0].Evaluations >= 2 && *ticks[0].Message == "nothing to do" &&
			ticks[0].Status == "skipped"
	})
}

func TestStoppedSensorDoesNothingThatItHadInMind(t *testing.T) {
	t.Parallel()
	inside, goOn := make(chan struct{}), make(chan struct{})
	slow := &orchestrator.Sensor{
		Name:     "slow",
		Interval: time.Second,
		Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			close(inside)
			<-goOn
			return &orchestrator.SensorResult{Runs: []orchestrator.RunRequest{{Job: "a_job"}}}, nil
		},
	}
	d := dbtest.NewWatched(t)
	e := startEngine(t, d, parts(t, one(slow)))
	setSensor(t, e, "slow", true)
	<-inside
	if _, err := e.EvaluateSensor(t.Context(), "slow"); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("evaluated twice at once: %v", err)
	}
	setSensor(t, e, "slow", false)
	close(goOn)
	until(t, e, "it is free again", func() bool {
		var free bool
		err := d.Pool.QueryRow(t.Context(), `SELECT lease IS NULL FROM sensors`).Scan(&free)
		return err == nil && free
	})
	stop, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := e.Stop(stop); err != nil { // waits for the evaluation
		t.Fatal(err)
	}
	runs, err := e.Runs(t.Context(), orchestrator.RunFilter{Limit: 10})
	if err != nil || len(runs) != 0 || len(ticksOf(t, e, "slow")) != 0 {
		t.Errorf("runs = %d, ticks = %d, %v", len(runs), len(ticksOf(t, e, "slow")), err)
	}
}

// A sensor that panics, hangs, asks for too much or for what there is not is a failed tick, and nothing to the others.
func TestBadSensorsHurtNobody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	sensors := []*orchestrator.Sensor{
		{
			Name:     "panics",
			Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) { panic("boom") },
		},
		{
			Name:    "hangs",
			Timeout: 50 * time.Millisecond,
			Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				<-release
				return nil, nil
			},
		},
		{Name: "greedy", Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			return &orchestrator.SensorResult{Runs: make([]orchestrator.RunRequest, 10_000)}, nil
		}},
		{Name: "wrong", Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			return &orchestrator.SensorResult{
				Cursor: new("moved"),
				Runs:   []orchestrator.RunRequest{{Job: "a_job"}, {Job: "a_job", Config: json.RawMessage(`{"nope":1}`)}},
			}, nil
		}},
		{Name: "fails", Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			return nil, errors.New("no luck")
		}},
		{Name: "fine", Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			return &orchestrator.SensorResult{Runs: []orchestrator.RunRequest{{Job: "a_job"}}}, nil
		}},
	}
	e := setup(t, parts(t, one(sensors...)))
	for _, s := range sensors {
		setSensor(t, e, s.Name, true)
	}
	for name, want := range map[string]string{
		"panics": "panic: boom",
		"hangs":  "took longer than 50ms",
		"greedy": "asked for 10000 runs at once: want 500 at most",
		"wrong":  "run 2 of 2: invalid run config: /nope",
		"fails":  "no luck",
	} {
		until(t, e, name+" ticks", func() bool { return len(ticksOf(t, e, name)) > 0 })
		tick := ticksOf(t, e, name)[0]
		if tick.Status != "failure" || tick.Message == nil || !strings.Contains(*tick.Message, want) ||
			len(tick.RunIDs) > 0 ||
			tick.Cursor != nil {
			t.Errorf("%s: %+v, want %q", name, tick, want)
		}
	}
	until(
		t, e, "the good one fires",
		func() bool { ticks := ticksOf(t, e, "fine"); return len(ticks) > 0 && len(ticks[0].RunIDs) == 1 },
	)
	if tick := evaluate(t, e, "hangs"); !strings.Contains(*tick.Message, "ignores its context") {
		t.Errorf("hangs again: %+v", tick)
	}
}

func TestAssetAndRunStatusSensors(t *testing.T) {
	t.Parallel()
	seen := make(chan []orchestrator.Materialization, 10)
	ended := make(chan []orchestrator.Run, 10)
	onAsset := orchestrator.NewAssetSensor(
		orchestrator.Sensor{
			Name:     "on_asset",
			Interval: time.Hour,
			Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				seen <- ev.Materializations
				return &orchestrator.SensorResult{}, nil
			},
		},
		"a",
	)
	onFailure := orchestrator.NewRunStatusSensor(
		orchestrator.Sensor{
			Name:     "on_failure",
			Interval: time.Hour,
			Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				ended <- ev.Runs
				return &orchestrator.SensorResult{
					Runs: []orchestrator.RunRequest{{Assets: []string{"bad"}}},
				}, nil // its own failures it does not see
			},
		},
		"failure",
	)
	p := one(onAsset, onFailure)
	p.Assets = append(
		p.Assets,
		asset(
			"bad",
			nil,
			func(context.Context, *orchestrator.Step) error { return orchestrator.Permanent(errors.New("bad")) },
		),
		asset("b", nil, nil),
	)
	e := setup(t, parts(t, p))
	before := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	wait(t, e, before.ID)
	setSensor(t, e, "on_asset", true) // begins with what happens about now
	setSensor(t, e, "on_failure", true)
	wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"b"}}).ID)
	run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	ms := <-seen
	for ms[0].RunID == before.ID { // as good as at the same time, where an older transaction of anybody's was open
		if ms = ms[1:]; len(ms) == 0 {
			ms = <-seen
		}
	}
	if len(ms) != 1 || ms[0].RunID != run.ID || ms[0].Asset != "a" ||
		string(ms[0].Metadata) != `{"asset":"a"}` && string(ms[0].Metadata) != `{"asset": "a"}` {
		t.Errorf("materializations = %+v", ms)
	}
	failing := start(t, e, orchestrator.RunRequest{Assets: []string{"bad"}})
	if runs := <-ended; len(runs) != 1 || runs[0].ID != failing.ID || runs[0].Status != "failure" {
		t.Errorf("runs = %+v", runs)
	}
	until(t, e, "the sensor's own run ends", func() bool {
		runs, err := e.Runs(t.Context(), orchestrator.RunFilter{Limit: 10, Asset: "bad", Status: "failure"})
		return err == nil && len(runs) == 2
	})
	evaluate(t, e, "on_failure")
	select {
	case runs := <-ended:
		t.Errorf("it saw its own run: %+v", runs)
	default:
	}
	if _, err := e.SetSensorCursor(t.Context(), "on_asset", new("gibberish")); err == nil ||
		!strings.Contains(err.Error(), `/cursor: "gibberish"`) {
		t.Errorf("a bad cursor: %v", err)
	}
}

func TestWebhookSensor(t *testing.T) {
	t.Parallel()
	hook := orchestrator.NewWebhookSensor(orchestrator.Sensor{
		Name:     "hook",
		Interval: time.Hour,
		Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			r := &orchestrator.SensorResult{}
			for _, w := range ev.Webhooks {
				if strings.HasPrefix(w.ID, "no") {
					r.Skip = "not for us"
					continue
				}
				r.Runs = append(
					r.Runs,
					orchestrator.RunRequest{Job: "a_job", RunKey: w.ID, Tags: map[string]string{"body": string(w.Body)}},
				)
			}
			return r, nil
		},
	})
	d := dbtest.NewWatched(t)
	e := startEngine(t, d, parts(t, one(hook)))
	post := func(id string) (bool, error) {
		return e.ReceiveWebhook(t.Context(), "hook", orchestrator.WebhookEvent{ID: id, Body: []byte("body of " + id)})
	}
	if _, err := post("early"); !errors.Is(err, orchestrator.ErrConflict) {
		t.Fatalf("a stopped sensor took an event: %v", err)
	}
	setSensor(t, e, "hook", true)
	for i, want := range []bool{false, true, true} {
		if repeated, err := post("m1"); err != nil || repeated != want {
			t.Errorf("post %d: repeated = %t, %v", i, repeated, err)
		}
	}
	for i := range 20 {
		if _, err := post(fmt.Sprint("no ", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := post(fmt.Sprint("many ", i)); err != nil {
			t.Fatal(err)
		}
	}
	var bodies []string
	// Events that come to nothing are done with too, however often the same reason is given.
	until(t, e, "no event is left", func() bool {
		var open int
		err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM webhook_events WHERE processed_at IS NULL`).Scan(&open)
		return err == nil && open == 0
	})
	until(t, e, "21 runs", func() bool {
		runs, err := e.Runs(t.Context(), orchestrator.RunFilter{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		bodies = nil
		for _, r := range runs {
			bodies = append(bodies, r.Tags["body"])
		}
		return len(runs) >= 21
	})
	slices.Sort(bodies)
	if len(slices.Compact(bodies)) != 21 || !slices.Contains(bodies, "body of m1") {
		t.Errorf("bodies = %q", bodies)
	}
}

// The cursor and the runs are one transaction: whatever process dies when, each item starts one run.
func TestSensorSurvivesLostWorkers(t *testing.T) {
	t.Parallel()
	d := dbtest.NewWatched(t)
	hanging, calls := make(chan struct{}), make(chan struct{}, 100)
	var first atomic.Bool
	first.Store(true)
	sensor := func() *orchestrator.Sensor {
		return &orchestrator.Sensor{
			Name:     "s",
			Interval: time.Second,
			Evaluate: func(ctx context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				if first.CompareAndSwap(true, false) {
					close(hanging)
					<-ctx.Done() // as if its process were gone
					return nil, ctx.Err()
				}
				calls <- struct{}{}
				if ev.Cursor == "done" {
					return &orchestrator.SensorResult{Skip: "done"}, nil
				}
				return &orchestrator.SensorResult{
					Cursor: new("done"),
					Runs:   []orchestrator.RunRequest{{Job: "a_job", RunKey: "only"}},
				}, nil
			},
		}
	}
	setSensor(t, startEngine(t, d, parts(t, one(sensor()))), "s", true)
	<-hanging
	// Its lease is of a worker that does not beat any more.
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO workers (id, host, pid, started_at, beat_at)
		VALUES ('dead', 'h', 1, now(), now() - interval '1 hour')`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE sensors SET lease_by = 'dead', lease = gen_random_uuid()`); err != nil {
		t.Fatal(err)
	}
	second := startEngine(t, d, parts(t, one(sensor())))
	until(t, second, "another worker evaluates it", func() bool {
		runs, err := second.Runs(t.Context(), orchestrator.RunFilter{Limit: 10})
		return err == nil && len(runs) == 1
	})
	for range 3 {
		receive(t, "another evaluation", calls)
	}
	runs, err := second.Runs(t.Context(), orchestrator.RunFilter{Limit: 10})
	if err != nil || len(runs) != 1 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}
