package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// TestJobsThatAreGone deletes the River jobs of a step that waits and closes that of one to be retried: both are done.
func TestJobsThatAreGone(t *testing.T) {
	d := dbtest.New(t)
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("b", nil, nil), asset("c", nil, nil)}, nil)
	idle := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
	one := start(t, idle, orchestrator.RunRequest{Assets: []string{"a"}})
	two := start(t, idle, orchestrator.RunRequest{Assets: []string{"b"}})
	three := start(t, idle, orchestrator.RunRequest{Assets: []string{"c"}})
	for _, sql := range []string{
		"DELETE FROM river_job WHERE args->>'asset' = 'a'",
		"UPDATE river_job SET state = 'cancelled', finalized_at = now() - interval '1 minute' WHERE args->>'asset' = 'b'",
		"UPDATE river_job SET state = 'discarded', finalized_at = now() - interval '1 minute' WHERE args->>'asset' = 'c'",
		"UPDATE steps SET status = 'started', attempt = 1, worker_id = 'gone' WHERE asset = 'c'",
		"UPDATE runs SET status = 'canceling' WHERE id = (SELECT run_id FROM steps WHERE asset = 'c')",
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	startEngine(t, d, defs)
	for id, want := range map[*orchestrator.Run]string{
		one:   orchestrator.StatusSuccess,
		two:   orchestrator.StatusSuccess,
		three: orchestrator.StatusCanceled,
	} {
		if run, events := wait(t, idle, id.ID); run.Status != want {
			t.Errorf("%s: %s, %v", run.Assets, run.Status, types(events))
		}
	}
}

// TestOlderWorker runs a step that one of two workers does not know.
func TestOlderWorker(t *testing.T) {
	d := dbtest.New(t)
	old := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	newer := define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("b", []string{"a"}, nil)}, nil)
	front := startEngine(t, d, newer, func(c *orchestrator.Config) { c.Work = false })
	run := start(t, front, orchestrator.RunRequest{Assets: []string{"a", "b"}})
	waitFor(t, front, run.ID, func(ev eventlog.Event) bool { return ev.Type == eventlog.Materialization })
	startEngine(t, d, newer)
	if got, events := wait(t, old, run.ID); got.Status != orchestrator.StatusSuccess || len(got.Steps) != 2 {
		t.Errorf("%s: %v", got.Status, types(events))
	}
}

// TestPoolExhausted has every connection taken for a while: requests fail in time, and work goes on afterwards.
func TestPoolExhausted(t *testing.T) {
	e := setup(t, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	d := orchestrator.DatabaseOf(e)
	var held []interface{ Release() }
	for range d.Pool.Config().MaxConns {
		conn, err := d.Pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	request := orchestrator.RunRequest{Assets: []string{"a"}, Trigger: orchestrator.Trigger{Kind: "api"}}
	if _, _, err := e.StartRun(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a connection: %v", err)
	}
	for _, c := range held {
		c.Release()
	}
	if run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).
		ID); run.Status != orchestrator.StatusSuccess {
		t.Errorf("afterwards: %s", run.Status)
	}
}

// TestConnectionsCut ends every connection again and again, the one that listens too, while runs go on: none is lost,
// and those who follow see all of it.
func TestConnectionsCut(t *testing.T) {
	gate := make(chan struct{})
	e := setup(
		t,
		define(t, []*orchestrator.Asset{asset("a", nil, func(ctx context.Context, step *orchestrator.Step) error {
			step.Log(eventlog.LevelInfo, "before", nil)
			select {
			case <-gate:
			case <-ctx.Done():
				return ctx.Err()
			}
			step.Log(eventlog.LevelInfo, "after", nil)
			return nil
		})}, nil),
	)
	d := orchestrator.DatabaseOf(e)
	cut := func() {
		// By a connection of its own kind: the statement cuts all others.
		_, _ = d.Pool.Exec(
			t.Context(),
			`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid()`,
		)
	}
	run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	waitFor(t, e, run.ID, func(ev eventlog.Event) bool { return ev.Message == "before" })
	for range 3 {
		cut()
	}
	followed := make(chan []string, 1)
	go func() {
		var seen []string
		for last := int64(0); ; {
			err := e.FollowRun(t.Context(), run.ID, last, func(evs []eventlog.Event) error {
				for _, ev := range evs {
					seen, last = append(seen, ev.Type), ev.ID
				}
				return nil
			})
			if err == nil || t.Context().Err() != nil {
				followed <- seen
				return
			}
		}
	}()
	cut()
	close(gate)
	cut()
	seen := <-followed
	got, events := wait(t, e, run.ID)
	if got.Status != orchestrator.StatusSuccess {
		t.Errorf("%s: %v", got.Status, types(events))
	}
	if len(seen) != len(events) {
		t.Errorf("followed %v of %v", seen, types(events))
	}
}

// exec runs SQL as an operator would.
func exec(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// refusing has the event log refuse every row with an error of a code, while there is one: nothing in a table changes
// hands for that, so that it is in nobody's way.
type refusing struct{ d *db.DB }

func newRefusing(t testing.TB, d *db.DB) refusing {
	t.Helper()
	exec(t, d, `CREATE TABLE refused_with (code text NOT NULL)`)
	exec(t, d, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE now_with text := (SELECT code FROM refused_with LIMIT 1);
BEGIN
    IF now_with IS NOT NULL THEN RAISE EXCEPTION 'refused for a test' USING ERRCODE = now_with; END IF;
    RETURN NEW;
END $$`)
	exec(t, d, `CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()`)
	return refusing{d}
}

func (r refusing) with(t testing.TB, code string) {
	t.Helper()
	exec(t, r.d, `INSERT INTO refused_with VALUES ($1)`, code)
}

func (r refusing) over(t testing.TB) {
	t.Helper()
	exec(t, r.d, `DELETE FROM refused_with`)
}

// gated is an asset that says "entered" and ends when its gate is closed.
func gated(name string, gate <-chan struct{}) *orchestrator.Asset {
	return asset(name, nil, func(ctx context.Context, step *orchestrator.Step) error {
		step.Log(eventlog.LevelInfo, "entered", nil)
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func entered(ev eventlog.Event) bool { return ev.Message == "entered" }

// notRecorded is what an engine logs each time that an end is refused.
const notRecorded = "recording the end of a step failed"

// TestDatabaseRefusesForItsOwnReasons has the event log refuse every row, as a full disk does and whatever else is the
// database's own trouble: nothing is half done, and what was begun ends as it should once that is over. It takes many
// more attempts than an end that is refused for what it is gets.
func TestDatabaseRefusesForItsOwnReasons(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	for name, code := range map[string]string{
		"DiskFull": "53100", "TooManyConnections": "53300", "CannotConnectNow": "57P03", "AdminShutdown": "57P01", "StatementTimeout": "57014", "LockTimeout": "55P03",
		"Serialization": "40001", "Deadlock": "40P01", "IOError": "58030", "ReadOnly": "25006", "ConnectionFailure": "08006",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate := make(chan struct{})
			d := dbtest.New(t)
			d.Patience = 100 * time.Millisecond // with TooManyConnections, each attempt takes so long
			refuse := newRefusing(t, d)
			refused, with := hear(t, notRecorded)
			e := startEngine(t, d, define(t, []*orchestrator.Asset{gated("a", gate)}, nil), with)
			run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
			waitFor(t, e, run.ID, entered)
			refuse.with(t, code)
			request := orchestrator.RunRequest{Assets: []string{"a"}, Trigger: orchestrator.Trigger{Kind: "api"}}
			if _, _, err := e.StartRun(t.Context(), request); !db.Unavailable(err) {
				t.Errorf("a start: %v", err)
			}
			close(gate)
			for range 6 {
				receive(t, "another attempt to record the end", refused)
			}
			// The step is over, and cannot say so.
			if got, err := e.Run(t.Context(), run.ID); err != nil || got.Status != orchestrator.StatusStarted {
				t.Errorf("meanwhile: %+v, %v", got, err)
			}
			var runs, jobs int
			if err := d.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM runs),
				(SELECT count(*) FROM river_job WHERE kind = 'materialize')`).Scan(&runs, &jobs); err != nil ||
				runs != 1 ||
				jobs != 1 {
				t.Errorf("%d runs, %d jobs: %v", runs, jobs, err)
			}
			refuse.over(t)
			got, events := wait(t, e, run.ID)
			if got.Status != orchestrator.StatusSuccess || got.Steps[0].Attempt != 1 {
				t.Errorf("%s, attempt %d: %v", got.Status, got.Steps[0].Attempt, types(events))
			}
			if last := events[len(events)-1]; last.Type != "run_success" {
				t.Errorf("events %v", types(events))
			}
		})
	}
}

// TestDatabaseRefusesTheEndItself has an end refused for what it is: that is the step's failure, and soon.
func TestDatabaseRefusesTheEndItself(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"DataException":    "22003",
		"CheckViolation":   "23514",
		"NoPrivilege":      "42501",
		"RaisedByATrigger": "P0001",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := orchestrator.NewAsset(
				orchestrator.AssetOptions{Name: "a"},
				func(_ context.Context, step *orchestrator.Step, _ none) (orchestrator.Metadata, error) {
					step.InFinish(func(ctx context.Context, tx pgx.Tx) error {
						_, err := tx.Exec(
							ctx,
							fmt.Sprintf(`DO $$ BEGIN RAISE EXCEPTION 'refused for a test' USING ERRCODE = '%s'; END $$`, code),
						)
						return err
					})
					return nil, nil
				},
			)
			refused, with := hear(t, notRecorded)
			e := setup(t, define(t, []*orchestrator.Asset{a}, nil), with)
			got, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
			if se := got.Steps[0].Error; got.Status != orchestrator.StatusFailure || se == nil ||
				se.Class != orchestrator.ClassBug ||
				!strings.Contains(se.Message, "refused for a test") {
				t.Errorf("%s: %+v", got.Status, se)
			}
			if n := len(refused); n != 3 {
				t.Errorf("it was refused %d times", n)
			}
		})
	}
}

// TestStopWhileAnEndIsRefused stops a worker that has an end to record and cannot: it does not keep whoever stops it
// waiting for as long as it would have tried.
func TestStopWhileAnEndIsRefused(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	d := dbtest.New(t)
	refuse := newRefusing(t, d)
	refused, with := hear(t, notRecorded)
	defs := define(t, []*orchestrator.Asset{gated("a", gate)}, nil)
	one := startEngine(t, d, defs, with)
	run := start(t, one, orchestrator.RunRequest{Assets: []string{"a"}})
	waitFor(t, one, run.ID, entered)
	refuse.with(t, "53100")
	close(gate)
	for range 4 {
		receive(t, "another attempt to record the end", refused)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := one.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	refuse.over(t)
	if got, events := wait(t, startEngine(t, d, defs), run.ID); got.Status != orchestrator.StatusSuccess {
		t.Errorf("%s: %v", got.Status, types(events))
	}
}

// TestCheckWaitsForTheDatabase has the database refuse what a check asks it, for reasons of its own: that is no result.
func TestCheckWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var tries atomic.Int64
	a := asset("a", nil, nil)
	a.Checks = []*orchestrator.Check{
		{
			Name:     "looks",
			Severity: orchestrator.SeverityError,
			Blocking: true,
			Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				if tries.Add(1) < 4 {
					_, err := d.Pool.Exec(ctx, `DO $$ BEGIN RAISE EXCEPTION 'refused for a test' USING ERRCODE = '53300'; END $$`)
					return orchestrator.CheckOutcome{}, fmt.Errorf("look: %w", err)
				}
				return orchestrator.CheckOutcome{Passed: true}, nil
			},
		},
	}
	e := startEngine(t, d, define(t, []*orchestrator.Asset{a, asset("b", []string{"a"}, nil)}, nil))
	run, events := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a", "b"}}).ID)
	if run.Status != orchestrator.StatusSuccess || tries.Load() != 4 {
		t.Errorf("%s after %d tries: %v", run.Status, tries.Load(), types(events))
	}
	if n, err := e.Alerts().CountOpen(t.Context()); err != nil || n != 0 {
		t.Errorf("%d alerts, %v", n, err)
	}
}

// TestSlowQueries has everything wait for a lock for longer than a request has time: it is told so, and nothing of it
// is done; what was begun goes on afterwards.
func TestSlowQueries(t *testing.T) {
	e := setup(t, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	d := orchestrator.DatabaseOf(e)
	before := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	wait(t, e, before.ID)
	lock, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "LOCK TABLE runs, events, workers IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	request := orchestrator.RunRequest{Assets: []string{"a"}, Trigger: orchestrator.Trigger{Kind: "api"}}
	if _, _, err := e.StartRun(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a start: %v", err)
	}
	if _, err := e.Run(ctx, before.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read: %v", err)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	if got, events := wait(t, e, run.ID); got.Status != orchestrator.StatusSuccess {
		t.Errorf("afterwards: %s, %v", got.Status, types(events))
	}
	var n int
	if err := d.Pool.QueryRow(t.Context(), "SELECT count(*) FROM runs").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d runs: %v", n, err)
	}
}

// TestClockJump has a worker's clock jump ahead and back again: a schedule fires once for each of its times, no worker
// is taken for dead, and nothing is deleted as old.
func TestClockJump(t *testing.T) {
	var ahead atomic.Int64
	d := dbtest.NewWatched(t)
	cron := &orchestrator.Schedule{Name: "hourly", Job: "a_job", Cron: "0 * * * *", TimeZone: "UTC"}
	gate := make(chan struct{})
	held := asset("held", nil, func(ctx context.Context, _ *orchestrator.Step) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	defs := define(
		t, []*orchestrator.Asset{asset("a", nil, nil), held},
		[]*orchestrator.Job{{Name: "a_job", Assets: []string{"a"}}}, cron,
	)
	clock := func(c *orchestrator.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}
	e := startEngine(t, d, defs, clock)
	old := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	wait(t, e, old.ID)
	if _, err := e.SetSchedule(t.Context(), "hourly", true); err != nil {
		t.Fatal(err)
	}
	running := start(t, e, orchestrator.RunRequest{Assets: []string{"held"}})
	waitFor(t, e, running.ID, func(ev eventlog.Event) bool { return ev.Type == "step_started" })
	ticks := func() []orchestrator.Tick {
		ticks, err := e.Ticks(t.Context(), "hourly", nil, 100)
		if err != nil {
			t.Fatal(err)
		}
		return ticks
	}
	until := func(n int) {
		t.Helper()
		dbtest.Until(t, d, fmt.Sprintf("%d ticks", n), func() bool { return len(ticks()) >= n })
	}
	ahead.Store(int64(time.Hour))
	until(1)
	ahead.Store(int64(-time.Hour)) // and back, further than where it was
	ahead.Store(int64(time.Hour))
	ahead.Store(int64(3 * time.Hour)) // two were missed: the last one is made up
	until(2)
	ahead.Store(0)
	// A year ahead: by the worker's clock everything here is old.
	ahead.Store(int64(400 * 24 * time.Hour))
	until(3)
	if _, err := d.Pool.Exec(t.Context(), `UPDATE river_job SET scheduled_at = now()
		WHERE kind = 'retention'`); err != nil {
		t.Fatal(err)
	}
	second := startEngine(t, d, defs, clock) // another worker, which sweeps as it starts
	close(gate)
	if got, events := wait(t, second, running.ID); got.Status != orchestrator.StatusSuccess || got.Steps[0].Attempt != 1 {
		t.Errorf("%s, %v", got.Status, types(events))
	}
	if got, err := second.Run(t.Context(), old.ID); err != nil || got.Status != orchestrator.StatusSuccess {
		t.Errorf("the run of before: %+v, %v", got, err)
	}
	seen := map[time.Time]bool{}
	for _, tick := range ticks() {
		if seen[tick.ScheduledFor] {
			t.Errorf("two ticks for %s", tick.ScheduledFor)
		}
		seen[tick.ScheduledFor] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d ticks, want 3", len(seen))
	}
}
