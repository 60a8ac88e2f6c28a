package orchestrator

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// sharedStart is the start of an attempt that is recorded in one statement with others.
type sharedStart struct {
	job *river.Job[stepArgs]
	row *sql.StartStepsRow // nil: it was left out
	// failed says that the database did not do what was asked for.
	failed bool
}

// notDone has the start recorded by itself.
func (s *sharedStart) notDone() { s.row, s.failed = nil, true }

// startTry is how long starts may take that are recorded together.
const startTry = 5 * time.Second

// startStep takes a step for this worker. The error is pgx.ErrNoRows if another job has it, if it has ended, or if its
// run is canceled.
func (e *Engine) startStep(ctx context.Context, job *river.Job[stepArgs]) (*sql.StartStepsRow, error) {
	s := &sharedStart{job: job}
	for try := 0; try < sharedTries && !s.failed; try++ {
		if e.starts.wait(s); s.row != nil {
			return s.row, nil
		}
	}
	// By itself, it waits for the lock of its run.
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		if _, _, err := sql.LockRunAndSteps(ctx, tx, job.Args.RunID); err != nil {
			return err
		}
		return e.startAll(ctx, e.q.WithTx(tx), []*sharedStart{s})
	})
	if err == nil && s.row == nil {
		err = pgx.ErrNoRows
	}
	return s.row, err
}

// startShared records starts together. One that is left out has to be recorded by itself.
func (e *Engine) startShared(starts []*sharedStart) {
	ctx, cancel := context.WithTimeout(context.Background(), startTry)
	defer cancel()
	if err := e.startAll(ctx, e.relaxed, starts); err != nil {
		e.log.Debug("steps could not be started together; each is by itself", "steps", len(starts), "error", err)
		for _, s := range starts {
			s.notDone()
		}
	}
}

// startAll records starts and sets their rows.
func (e *Engine) startAll(ctx context.Context, q *sql.Queries, starts []*sharedStart) error {
	p := sql.StartStepsParams{WorkerID: &e.id, At: ptr(e.now())}
	for _, s := range starts {
		s.row = nil // of a transaction that has to be run again
		p.RunIds = append(p.RunIds, s.job.Args.RunID)
		p.Assets = append(p.Assets, s.job.Args.Asset)
		p.JobIds = append(p.JobIds, s.job.ID)
	}
	rows, err := q.StartSteps(ctx, p)
	if err != nil {
		return err
	}
	for i := range rows {
		for _, s := range starts {
			// Of two jobs of one step, the other one is left out.
			if s.job.ID == rows[i].JobID {
				s.row = &rows[i]
			}
		}
	}
	return nil
}
