package orchestrator

import (
	"context"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// driver is River's driver of a client that works, with fetches of steps that do not wait for the disk. What a crash
// of Postgres takes back is a job that somebody fetches again, as it takes back the start of the step, which comes
// later in the write-ahead log. Jobs of other kinds are fetched durably: nothing in them tells a second attempt from
// the first.
type driver struct {
	*riverpgxv5.Driver
	relaxed *riverpgxv5.Driver
}

func newDriver(d *db.DB) driver {
	relaxed := d.Relaxed
	if relaxed == d.Pool { // as behind a pooler in transaction mode
		relaxed = d.Direct
	}
	return driver{riverpgxv5.New(d.Direct), riverpgxv5.New(relaxed)}
}

// GetExecutor implements riverdriver.Driver.
func (d driver) GetExecutor() riverdriver.Executor {
	return executor{Executor: d.Driver.GetExecutor(), relaxed: d.relaxed.GetExecutor()}
}

type executor struct {
	riverdriver.Executor
	relaxed riverdriver.Executor
}

// JobGetAvailable fetches jobs.
func (e executor) JobGetAvailable(ctx context.Context, p *riverdriver.JobGetAvailableParams) (
	*riverdriver.JobGetAvailableResult, error,
) {
	if p.Queue == queueSteps {
		return e.relaxed.JobGetAvailable(ctx, p)
	}
	return e.Executor.JobGetAvailable(ctx, p)
}
