package orchestrator

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
)

// retentionEvery is how often old records are deleted.
const retentionEvery = 10 * time.Minute

// retentionArgs are the arguments of the River job that deletes old records.
type retentionArgs struct{}

// Kind implements river.JobArgs.
func (retentionArgs) Kind() string { return "retention" }

// retentionRounds is the periodic job that deletes old records.
func (e *Engine) retentionRounds() *river.PeriodicJob {
	construct := func() (river.JobArgs, *river.InsertOpts) {
		return retentionArgs{}, &river.InsertOpts{
			Queue: queueMaintenance, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: retentionEvery / 2},
		}
	}
	opts := &river.PeriodicJobOpts{ID: "retention", RunOnStart: true}
	return river.NewPeriodicJob(river.PeriodicInterval(retentionEvery), construct, opts)
}

type retentionWorker struct {
	river.WorkerDefaults[retentionArgs]
	engine *Engine
}

// Work implements river.Worker.
func (w *retentionWorker) Work(ctx context.Context, _ *river.Job[retentionArgs]) error {
	ctx, cancel := context.WithTimeout(ctx, retentionEvery-time.Minute)
	defer cancel()
	return w.engine.retention.SweepNow(ctx)
}

// Retention deletes old records.
func (e *Engine) Retention() *retention.Deleter { return e.retention }
