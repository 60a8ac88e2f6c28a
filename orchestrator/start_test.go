package orchestrator_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// TestAttemptWhoseStartWasLost has a worker take a step twice with the same job, as it does when the answer to the
// first start did not reach it: the log says what became of the first attempt.
func TestAttemptWhoseStartWasLost(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil)
	e := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
	run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	q := sql.New(d.Pool)
	steps, err := q.ListSteps(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	now, worker := time.Now(), "worker"
	for attempt := int32(1); attempt <= 3; attempt++ {
		rows, err := q.StartSteps(t.Context(), sql.StartStepsParams{
			RunIds: []uuid.UUID{run.ID}, Assets: []string{"a"}, JobIds: []int64{*steps[0].JobID}, WorkerID: &worker, At: &now,
		})
		if err != nil || len(rows) != 1 || rows[0].Attempt != attempt {
			t.Fatalf("attempt %d: %+v, %v", attempt, rows, err)
		}
	}
	events, err := e.Events().OfRun(t.Context(), run.ID, 0, 50)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range events {
		line := ev.Type
		if ev.Attempt != nil {
			line += fmt.Sprint(" ", *ev.Attempt)
		}
		got = append(got, line)
	}
	want := []string{
		"run_enqueued", "run_started", "step_started 1", "step_requeued 1", "step_started 2", "step_requeued 2",
		"step_started 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}
