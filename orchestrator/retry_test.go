package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// TestRetryFromFailureRunsACheckAgain retries runs that a blocking check held back: the check is not gone around.
func TestRetryFromFailureRunsACheckAgain(t *testing.T) {
	t.Parallel()
	var good atomic.Bool
	checked := asset("checked", nil, nil)
	checked.Checks = []*orchestrator.Check{
		{
			Name:     "good",
			Severity: orchestrator.SeverityError,
			Blocking: true,
			Run: func(context.Context, *orchestrator.Step, orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				return orchestrator.CheckOutcome{Passed: good.Load()}, nil
			},
		},
	}
	e := setup(
		t,
		define(t, []*orchestrator.Asset{checked, asset("below", []string{"checked"}, nil), asset("beside", nil, nil)}, nil),
	)
	retry := func(run *orchestrator.Run) *orchestrator.Run {
		t.Helper()
		again, _, err := e.RetryRun(
			t.Context(), run.ID, true, orchestrator.RunRequest{Trigger: orchestrator.Trigger{Kind: "retry"}},
		)
		if err != nil {
			t.Fatal(err)
		}
		again, _ = wait(t, e, again.ID)
		return again
	}
	first, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"checked", "below", "beside"}}).ID)
	second := retry(first)
	if s := statuses(second); !maps.Equal(s, map[string]string{"checked": "success", "below": "skipped"}) ||
		second.Status != "failure" {
		t.Errorf("the first retry: %s, %v", second.Status, s)
	}
	good.Store(true)
	third := retry(second)
	if s := statuses(third); !maps.Equal(s, map[string]string{"checked": "success", "below": "success"}) ||
		third.Status != "success" {
		t.Errorf("the second retry: %s, %v", third.Status, s)
	}

	// With nothing below it, the checked step is all there is to run again.
	good.Store(false)
	alone, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"checked", "beside"}}).ID)
	if again := retry(alone); !slices.Equal(again.Assets, []string{"checked"}) {
		t.Errorf("retried %q", again.Assets)
	}
}

// TestRetryKeepsWhatTheRunHad retries a run that differs from its job in everything that a request can say.
func TestRetryKeepsWhatTheRunHad(t *testing.T) {
	t.Parallel()
	type config struct {
		N int `json:"n" jsonschema:"default=1"`
	}
	a := orchestrator.NewAsset(
		orchestrator.AssetOptions{Name: "a"},
		func(context.Context, *orchestrator.Step, config) (orchestrator.Metadata, error) {
			return nil, errors.New("no")
		},
	)
	a.Partitions = orchestrator.StaticPartitions("p", "p1", "p2")
	job := &orchestrator.Job{
		Name:     "j",
		Assets:   []string{"a"},
		Timeout:  100 * time.Second,
		Priority: orchestrator.PriorityFirst,
		Tags:     map[string]string{"of": "job"},
	}
	e := setup(t, define(t, []*orchestrator.Asset{a}, []*orchestrator.Job{job}))
	old, _ := wait(t, e, start(t, e, orchestrator.RunRequest{
		Job: "j", Config: json.RawMessage(`{"n": 7}`), Partition: "p2", Tags: map[string]string{"mine": "too"},
		Priority: orchestrator.PriorityLast,
	}).ID)
	// The job is another since: a retry is of the run.
	job.Timeout, job.Priority, job.Tags = time.Hour, orchestrator.PriorityLater, map[string]string{
		"of":  "another",
		"new": "one",
	}
	for _, fromFailure := range []bool{false, true} {
		again, _, err := e.RetryRun(
			t.Context(), old.ID, fromFailure,
			orchestrator.RunRequest{Trigger: orchestrator.Trigger{Kind: "retry", Name: old.ID.String()}},
		)
		if err != nil {
			t.Fatal(err)
		}
		again, _ = wait(t, e, again.ID)
		if again.Priority != orchestrator.PriorityLast || !maps.Equal(again.Tags,
			map[string]string{"of": "job", "mine": "too"}) || again.Partition == nil || *again.Partition != "p2" ||
			string(again.Config) != string(old.Config) || again.Job == nil || *again.Job != "j" || again.ParentRunID == nil ||
			*again.ParentRunID != old.ID ||
			again.TriggerKind != "retry" {
			t.Errorf("from failure %t: %+v", fromFailure, again)
		}
		var seconds, priority int
		if err := orchestrator.DatabaseOf(e).Pool.QueryRow(t.Context(), `
SELECT r.timeout_seconds, j.priority FROM runs r JOIN steps s ON s.run_id = r.id JOIN river_job j ON j.id = s.job_id
WHERE r.id = $1`, again.ID).Scan(&seconds, &priority); err != nil {
			t.Fatal(err)
		}
		if seconds != 100 || priority != orchestrator.PriorityLast {
			t.Errorf("from failure %t: a time limit of %d s, a job of priority %d", fromFailure, seconds, priority)
		}
	}
}

// TestRelatives has a chain of retries that forks, and runs of two jobs and of no job between them.
func TestRelatives(t *testing.T) {
	t.Parallel()
	fail := func(context.Context, *orchestrator.Step) error { return errors.New("no") }
	e := setup(t, define(t,
		[]*orchestrator.Asset{asset("a", nil, fail), asset("b", nil, fail)},
		[]*orchestrator.Job{{Name: "j", Assets: []string{"a"}}, {Name: "k", Assets: []string{"a", "b"}}},
	))
	ended := func(run *orchestrator.Run, _ bool, err error) *orchestrator.Run {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		run, _ = wait(t, e, run.ID)
		return run
	}
	job := func(name string) *orchestrator.Run {
		return ended(e.StartRun(t.Context(), orchestrator.RunRequest{Job: name}))
	}
	of := func(assets ...string) *orchestrator.Run {
		return ended(e.StartRun(t.Context(), orchestrator.RunRequest{Assets: assets}))
	}
	retry := func(run *orchestrator.Run, priority int) *orchestrator.Run {
		return ended(e.RetryRun(t.Context(), run.ID, false, orchestrator.RunRequest{Priority: priority}))
	}
	j1, alone1, k1, pair, j2 := job("j"), of("a"), job("k"), of("a", "b"), job("j")
	again, alone2 := retry(j1, orchestrator.PriorityFirst), of("a")
	third, fork := retry(again, 0), retry(j1, 0)
	if again.Priority != orchestrator.PriorityFirst || third.Priority != again.Priority || fork.Priority != j1.Priority {
		t.Errorf("priorities %d, %d, %d", again.Priority, third.Priority, fork.Priority)
	}
	chain := []*orchestrator.Run{j1, again, third, fork}
	for _, c := range []struct {
		run, previous, next *orchestrator.Run
		chain               []*orchestrator.Run
	}{
		{j1, nil, j2, chain}, {j2, j1, again, nil}, {again, j2, third, chain}, {third, again, fork, chain},
		{fork, third, nil, chain}, {alone1, nil, alone2, nil}, {alone2, alone1, nil, nil}, {k1, nil, nil, nil},
		{pair, nil, nil, nil},
	} {
		r, err := e.RelativesOf(t.Context(), c.run)
		if err != nil {
			t.Fatal(err)
		}
		want := []orchestrator.RunReference{}
		if c.chain == nil {
			c.chain = []*orchestrator.Run{c.run}
		}
		for _, run := range c.chain {
			want = append(want, orchestrator.RunReference{ID: run.ID, Status: run.Status, CreatedAt: run.CreatedAt})
		}
		same := func(a, b orchestrator.RunReference) bool {
			return a.ID == b.ID && a.Status == b.Status && a.CreatedAt.Equal(b.CreatedAt)
		}
		if !slices.EqualFunc(r.Chain, want, same) {
			t.Errorf("chain of %s: %+v, want %+v", c.run.ID, r.Chain, want)
		}
		id := func(run *orchestrator.Run) *uuid.UUID {
			if run == nil {
				return nil
			}
			return &run.ID
		}
		if !reflect.DeepEqual(r.Previous, id(c.previous)) || !reflect.DeepEqual(r.Next, id(c.next)) {
			t.Errorf("run %s is between %v and %v, want %v and %v", c.run.ID, r.Previous, r.Next, id(c.previous), id(c.next))
		}
	}
}

// TestRelativesAreBounded has a run that was retried more often than anybody wants to see.
func TestRelativesAreBounded(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, func(context.Context, *orchestrator.Step) error { return errors.New("no") })
	e := setup(t, define(t, []*orchestrator.Asset{a}, []*orchestrator.Job{{Name: "j", Assets: []string{"a"}}}))
	run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Job: "j"}).ID)
	pool := orchestrator.DatabaseOf(e).Pool
	// Each retries the one before, and then many retry the first.
	if _, err := pool.Exec(t.Context(), `
DO $$ DECLARE last uuid := '`+run.ID.String()+`'; next uuid; BEGIN
	FOR n IN 1..300 LOOP
		next := ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid;
		INSERT INTO runs (id, job, assets, status, trigger_kind, config, tags, parent_run_id, created_at, ended_at)
			SELECT next, job, assets, status, trigger_kind, config, tags, CASE WHEN n <= 200 THEN last ELSE id END,
				created_at, ended_at FROM runs WHERE id = '`+run.ID.String()+`';
		last := next;
	END LOOP; END $$`); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 60, 200, 300} {
		id := uuid.MustParse(fmt.Sprintf("ffffffff-0000-7000-8000-%012d", n))
		near, err := e.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.RelativesOf(t.Context(), near)
		if err != nil {
			t.Fatal(err)
		}
		in := slices.ContainsFunc(r.Chain, func(ref orchestrator.RunReference) bool { return ref.ID == id })
		if len(r.Chain) > 100 || !in {
			t.Errorf("chain of run %d has %d runs, it among them: %t", n, len(r.Chain), in)
		}
	}
}

// TestRelativesOfSkewedClocks has a retry whose id is below that of the run it retries: a server's clock was behind.
func TestRelativesOfSkewedClocks(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, func(context.Context, *orchestrator.Step) error { return errors.New("no") })
	e := setup(t, define(t, []*orchestrator.Asset{a}, []*orchestrator.Job{{Name: "j", Assets: []string{"a"}}}))
	run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Job: "j"}).ID)
	again, _, err := e.RetryRun(t.Context(), run.ID, false, orchestrator.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, e, again.ID)
	behind := uuid.MustParse("00000000-0000-7000-8000-000000000001")
	if _, err := orchestrator.DatabaseOf(e).Pool.Exec(t.Context(), `
INSERT INTO runs (id, job, assets, status, trigger_kind, config, tags, parent_run_id, created_at, ended_at)
SELECT $1, job, assets, status, trigger_kind, config, tags, id, created_at, ended_at FROM runs WHERE id = $2`,
		behind, run.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uuid.UUID{run.ID, again.ID, behind} {
		of, err := e.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := e.RelativesOf(t.Context(), of); err != nil || len(r.Chain) != 3 {
			t.Errorf("chain of %s: %+v, %v", id, r.Chain, err)
		}
	}
}

// TestOverdueRun has a run's time be over and its last step succeed. Whichever comes first under the run's lock, its
// status and its error tell the same.
func TestOverdueRun(t *testing.T) {
	t.Parallel()
	t.Run("ItsTimeIsOverFirst", func(t *testing.T) {
		t.Parallel()
		a := asset("a", nil, func(ctx context.Context, _ *orchestrator.Step) error { <-ctx.Done(); return nil })
		e := setup(
			t,
			define(t, []*orchestrator.Asset{a}, []*orchestrator.Job{{Name: "j", Assets: []string{"a"}, Timeout: time.Second}}),
		)
		run, events := wait(t, e, start(t, e, orchestrator.RunRequest{Job: "j"}).ID)
		if run.Status != orchestrator.StatusFailure || run.Error == nil || run.Error.Class != orchestrator.ClassTimeout ||
			run.Steps[0].Status != orchestrator.StatusSuccess {
			t.Errorf("run %s, error %+v, steps %v", run.Status, run.Error, statuses(run))
		}
		if last := events[len(events)-1]; last.Type != eventlog.RunFailure ||
			!strings.Contains(last.Message, "took longer than 1s") {
			t.Errorf("the last event: %s %q", last.Type, last.Message)
		}
	})
	t.Run("ItsStepEndsFirst", func(t *testing.T) {
		t.Parallel()
		running, gate := make(chan struct{}), make(chan struct{})
		a := asset("a", nil, func(context.Context, *orchestrator.Step) error { close(running); <-gate; return nil })
		e := setup(
			t,
			define(t, []*orchestrator.Asset{a}, []*orchestrator.Job{{Name: "j", Assets: []string{"a"}, Timeout: time.Hour}}),
			func(c *orchestrator.Config) {
				c.Heartbeat = time.Hour // nobody looks
			},
		)
		run := start(t, e, orchestrator.RunRequest{Job: "j"})
		receive(t, "the step runs", running)
		if _, err := orchestrator.DatabaseOf(e).Pool.Exec(t.Context(), `UPDATE runs
			SET deadline_at = now() - interval '1 minute' WHERE id = $1`, run.ID); err != nil {
			t.Fatal(err)
		}
		close(gate)
		if run, _ = wait(t, e, run.ID); run.Status != orchestrator.StatusSuccess || run.Error != nil {
			t.Errorf("run %s, error %+v", run.Status, run.Error)
		}
	})
}

// TestBackfillBlamesWhatWasSent asks for backfills that cannot be, in every way to choose assets and partitions.
func TestBackfillBlamesWhatWasSent(t *testing.T) {
	t.Parallel()
	letters := orchestrator.StaticPartitions("letters", "a", "b")
	digits := orchestrator.StaticPartitions("digits", "1", "2")
	refusing := func(key string) (map[string]any, error) { return nil, errors.New("no " + key) }
	of := func(name string, set *orchestrator.PartitionSet) *orchestrator.Asset {
		a := asset(name, nil, nil)
		a.Partitions = set
		return a
	}
	strange := of("strange", letters)
	strange.PartitionConfig = refusing
	e := setup(
		t,
		define(
			t,
			[]*orchestrator.Asset{of("lettered", letters), of("numbered", digits), asset("plain", nil, nil), strange},
			nil,
		),
	)
	for name, c := range map[string]struct {
		req  orchestrator.BackfillRequest
		want string
	}{
		"two sets":                {orchestrator.BackfillRequest{Assets: []string{"lettered", "numbered"}}, "/assets: lettered is partitioned by letters and numbered by digits"},
		"two sets of a selection": {orchestrator.BackfillRequest{Assets: []string{"lettered", "numbered"}, Selection: "*"}, `/selection: "*": lettered is partitioned by letters`},
		"none":                    {orchestrator.BackfillRequest{Assets: []string{"plain"}}, "/assets: none of plain"},
		"none of a selection":     {orchestrator.BackfillRequest{Assets: []string{"plain"}, Selection: "group:x"}, `/selection: "group:x": none of plain`},
		"a partition":             {orchestrator.BackfillRequest{Assets: []string{"strange"}, Keys: []string{"b"}}, `/partitions: "b": no b`},
		"of a range":              {orchestrator.BackfillRequest{Assets: []string{"strange"}, To: "b"}, `/range: "a": no a`},
		"of all":                  {orchestrator.BackfillRequest{Assets: []string{"strange"}}, `/assets: "a": no a`},
		"all of a selection":      {orchestrator.BackfillRequest{Assets: []string{"strange"}, Selection: "strange"}, `/selection: "strange": "a": no a`},
	} {
		if _, err := e.PlanBackfill(t.Context(), c.req); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
