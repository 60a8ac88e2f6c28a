package orchestrator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// What is written must be true when it is written, whoever began to look first.

func openCauses(t testing.TB, e *orchestrator.Engine) (open []string, all int) {
	t.Helper()
	alerts, err := e.Alerts().List(t.Context(), false, nil, 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts {
		if a.RecoveredAt == nil {
			open = append(open, a.Alert.Cause)
		}
	}
	return open, len(alerts)
}

// TestFreshnessIsJudgedWhenItIsWritten has a worker that saw an asset fresh held up until another found it late.
func TestFreshnessIsJudgedWhenItIsWritten(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, nil)
	a.Freshness = &orchestrator.Freshness{MaxAge: time.Hour}
	d := dbtest.New(t)
	defs := func() *orchestrator.Definitions {
		return parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}})
	}
	idle := func(now func() time.Time) func(*orchestrator.Config) {
		return func(c *orchestrator.Config) { c.Work, c.Now = false, now }
	}
	made := time.Now()
	history(t, d, "a", made, orchestrator.StatusSuccess)
	var asked atomic.Int64
	looked, goOn := make(chan struct{}), make(chan struct{})
	early := startEngine(t, d, defs(), idle(func() time.Time {
		switch asked.Add(1) {
		case 1:
			return made.Add(59 * time.Minute) // fresh, as it sees it
		case 2:
			close(looked)
			<-goOn // and time passes
		}
		return made.Add(61 * time.Minute)
	}))
	late := startEngine(t, d, defs(), idle(func() time.Time { return made.Add(61 * time.Minute) }))
	watched := make(chan error, 1)
	go func() { watched <- orchestrator.WatchFreshness(t.Context(), early) }()
	receive(t, "the early one has looked", looked)
	if err := orchestrator.WatchFreshness(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if open, _ := openCauses(t, late); len(open) != 1 {
		t.Fatalf("open alerts: %q", open)
	}
	close(goOn)
	if err := <-watched; err != nil {
		t.Fatal(err)
	}
	if open, all := openCauses(t, late); len(open) != 1 || all != 1 {
		t.Errorf("after the early one went on: %q of %d alerts are open", open, all)
	}
}

// TestFreshnessWithClocksApart has a worker whose clock is behind look at what another one turned.
func TestFreshnessWithClocksApart(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, nil)
	a.Freshness = &orchestrator.Freshness{MaxAge: time.Hour}
	d := dbtest.New(t)
	made := time.Now()
	history(t, d, "a", made, orchestrator.StatusSuccess)
	at := func(after time.Duration) *orchestrator.Engine {
		return startEngine(
			t,
			d,
			parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}}),
			func(c *orchestrator.Config) {
				c.Work, c.Now = false, func() time.Time { return made.Add(after) }
			},
		)
	}
	ahead, behind := at(time.Hour+time.Second), at(time.Hour-29*time.Second)
	for range 3 {
		for _, e := range []*orchestrator.Engine{ahead, behind} {
			if err := orchestrator.WatchFreshness(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if open, all := openCauses(t, ahead); len(open) != 1 || all != 1 {
		t.Errorf("%q of %d alerts are open", open, all)
	}
	history(t, d, "a", made.Add(time.Hour), orchestrator.StatusSuccess) // by yet another clock
	if err := orchestrator.WatchFreshness(t.Context(), behind); err != nil {
		t.Fatal(err)
	}
	if open, _ := openCauses(t, behind); len(open) != 0 {
		t.Errorf("materialized, and open still: %q", open)
	}
}

// TestFreshnessWaitsForTheRunThatEnds has an asset judged while a run that materialized it is about to commit: it is
// not told of as late a moment after it was made.
func TestFreshnessWaitsForTheRunThatEnds(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, nil)
	a.Freshness = &orchestrator.Freshness{MaxAge: time.Hour}
	defs := func() *orchestrator.Definitions {
		return parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}})
	}

	t.Run("TheJudgeWaitsForTheRun", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		made := time.Now()
		history(t, d, "a", made, orchestrator.StatusSuccess)
		var asked atomic.Int64
		looked := make(chan struct{}, 10)
		e := startEngine(t, d, defs(), func(c *orchestrator.Config) {
			c.Work, c.Now = false, func() time.Time {
				if asked.Add(1) == 1 {
					return made // fresh, in the first round
				}
				looked <- struct{}{}
				return made.Add(2 * time.Hour)
			}
		})
		exec(t, d, `INSERT INTO asset_freshness (asset, state, since) VALUES ('a', 'fresh', now())`)
		if err := orchestrator.WatchFreshness(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		run, err := d.Pool.Begin(t.Context()) // as the end of a step does
		if err != nil {
			t.Fatal(err)
		}
		if err := sql.New(run).ShareFreshness(t.Context(), []string{"a"}); err != nil {
			t.Fatal(err)
		}
		if _, err := run.Exec(t.Context(), `INSERT INTO materializations (id, asset, run_id, attempt, metadata, created_at)
			VALUES ($1, 'a', $1, 1, '{}', $2)`,
			uuid.Must(uuid.NewV7()), made.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		watched := make(chan error, 1)
		go func() { watched <- orchestrator.WatchFreshness(t.Context(), e) }()
		receive(t, "it seems late", looked)
		receive(t, "it is about to be judged", looked)
		if err := run.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-watched; err != nil {
			t.Fatal(err)
		}
		if _, all := openCauses(t, e); all != 0 {
			t.Errorf("%d alerts", all)
		}
	})

	t.Run("TheRunWaitsForTheJudge", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		exec(t, d, `INSERT INTO asset_freshness (asset, state, since) VALUES ('a', 'fresh', now())`)
		exec(t, d, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 100', current_database()); END $$`)
		impatient, err := db.Open(t.Context(), db.Config{URL: d.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(impatient.Close)
		judge, err := d.Pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sql.New(judge).LockFreshness(t.Context(),
			sql.LockFreshnessParams{Asset: "a", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		refused, with := hear(t, notRecorded)
		e := startEngine(t, impatient, defs(), with, func(c *orchestrator.Config) { c.Heartbeat = time.Hour })
		run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
		receive(t, "the end of the run waits", refused)
		if err := judge.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, events := wait(t, e, run.ID); got.Status != orchestrator.StatusSuccess {
			t.Errorf("%s: %v", got.Status, types(events))
		}
	})
}

// TestChecksThatOverlap has a check that looked early come to its result after one that looked later.
func TestChecksThatOverlap(t *testing.T) {
	t.Parallel()
	type look struct {
		entered chan struct{}
		outcome chan bool
	}
	looks := make(chan look, 2)
	a := asset("a", nil, nil)
	a.Checks = []*orchestrator.Check{
		{
			Name:     "c",
			Severity: orchestrator.SeverityError,
			Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				l := <-looks
				close(l.entered)
				select {
				case passed := <-l.outcome:
					return orchestrator.CheckOutcome{Passed: passed}, nil
				case <-ctx.Done():
					return orchestrator.CheckOutcome{}, ctx.Err()
				}
			},
		},
	}
	for name, newer := range map[string]bool{"TheLaterFails": false, "TheLaterPasses": true} {
		t.Run(name, func(t *testing.T) {
			e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}}))
			begin := func() (uuid.UUID, look) {
				l := look{make(chan struct{}), make(chan bool, 1)}
				looks <- l
				id := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID
				receive(t, "the check looks", l.entered)
				return id, l
			}
			one, early := begin()
			two, later := begin()
			later.outcome <- newer
			wait(t, e, two)
			early.outcome <- !newer
			wait(t, e, one)
			if open, _ := openCauses(t, e); (len(open) == 0) != newer {
				t.Errorf("the later one says that it is well: %t; open alerts: %q", newer, open)
			}
			latest, err := e.LatestChecks(t.Context())
			if err != nil || latest["a"]["c"].RunID != two {
				t.Errorf("the latest result is %+v, %v", latest["a"]["c"], err)
			}
		})
	}
}

// TestPartitionOfSeveralRuns cancels the later of two runs of a partition: it is the earlier one's then.
func TestPartitionOfSeveralRuns(t *testing.T) {
	t.Parallel()
	gates := map[string]chan error{"1": make(chan error, 1), "2": make(chan error, 1)}
	a := asset("a", nil, func(ctx context.Context, step *orchestrator.Step) error {
		select {
		case err := <-gates[step.Tags["n"]]:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	a.Partitions = orchestrator.StaticPartitions("p", "k")
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}}))
	check := func(when, status string, run uuid.UUID) {
		t.Helper()
		s, err := e.PartitionStates(t.Context(), "a")
		if err != nil || s[0].Status != status || s[0].RunID == nil || *s[0].RunID != run {
			t.Errorf("%s: %+v, %v; want %s by %s", when, s[0], err, status, run)
		}
	}
	both := func() (one, two uuid.UUID) {
		ids := []uuid.UUID{}
		for _, n := range []string{"1", "2"} {
			id := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}, Partition: "k", Tags: map[string]string{"n": n}}).ID
			waitFor(t, e, id, func(ev eventlog.Event) bool { return ev.Type == "step_started" })
			ids = append(ids, id)
		}
		return ids[0], ids[1]
	}
	one, two := both()
	check("both", "running", two)
	if _, err := e.CancelRun(t.Context(), two, "me"); err != nil {
		t.Fatal(err)
	}
	wait(t, e, two)
	check("the later one canceled", "running", one)
	gates["1"] <- nil
	wait(t, e, one)
	check("the earlier one ended", "materialized", one)
	one, two = both()
	if _, err := e.CancelRun(t.Context(), two, "me"); err != nil {
		t.Fatal(err)
	}
	wait(t, e, two)
	gates["1"] <- orchestrator.Permanent(errors.New("no"))
	wait(t, e, one)
	check("the earlier one failed", "failed", one)
}

// TestDeliveredStaysDelivered has an attempt that was taken for lost end after another one delivered the message.
func TestDeliveredStaysDelivered(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	q, id := sql.New(d.Pool), uuid.New()
	if err := q.InsertDelivery(t.Context(),
		sql.InsertDeliveryParams{ID: id, Channel: "ops", Kind: alerts.DeliveryTest, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{"pending", "delivered", "pending", "failed"} {
		if err := q.DeliveryAttempted(t.Context(),
			sql.DeliveryAttemptedParams{ID: id, Status: status, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := q.GetDelivery(t.Context(), id); err != nil || got.Status != "delivered" || got.DeliveredAt == nil ||
		got.Attempts != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestJobThatIsNotLost finds a job of a worker that seemed dead with another worker.
func TestJobThatIsNotLost(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var id int64
	if err := d.Pool.QueryRow(t.Context(),
		`INSERT INTO river_job (kind, args, queue, state, max_attempts, attempt, attempted_at, attempted_by)
VALUES ('materialize', '{}', 'materialize', 'running', 3, 2, now(), ARRAY['dead', 'alive'])
RETURNING id`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	q := sql.New(d.Pool)
	for worker, want := range map[string]int64{"dead": 0, "alive": 1} {
		if n, err := q.DiscardLostJob(t.Context(), sql.DiscardLostJobParams{ID: id, WorkerID: worker}); err != nil ||
			n != want {
			t.Errorf("as one of %s: %d discarded, want %d; %v", worker, n, want, err)
		}
	}
}
