package orchestrator

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// sharedEnd is the end of an attempt that is recorded in one transaction with others.
type sharedEnd struct {
	end *attemptEnd
	t   *transition // of all ends of the run in this transaction; of the first of them only
	err error       // errFenced
	// alone says that it was not recorded, and has to be by itself; locked, that it is because of its run's lock.
	alone, locked bool
}

// notDone has the end recorded by itself.
func (s *sharedEnd) notDone() { s.t, s.err, s.alone, s.locked = nil, nil, true, false }

// mayShare reports whether the end of an attempt may be recorded in one transaction with others: it locks nothing but
// its run and, together with others, the freshness of its asset; it calls no function of the definitions, and writes
// what many others write. A process that stops has no time to try twice.
func (e *Engine) mayShare(end *attemptEnd) bool {
	a := e.defs.byAsset[end.step.Asset]
	return a != nil && !e.stopping.Load() && len(a.Checks) == 0 && end.outcome.status == StatusSuccess &&
		len(end.inFinish) == 0 && !slices.ContainsFunc(end.events, func(ev heldEvent) bool { return ev.doubtful })
}

// mayShareRun is mayShare for what is known of the run once it is locked. A step may hold places under limits that were
// configured when it started and are no longer: housekeeping releases those.
func (e *Engine) mayShareRun(t *transition) bool {
	tags := tagsOf(t.run)
	if t.run.Status != StatusStarted || t.run.BackfillID != nil {
		return false
	}
	return !slices.ContainsFunc(t.steps, func(s sql.Step) bool {
		return e.partitionOf(s.Asset, t.run.Partition) != nil || len(e.limitKeys(s.Asset, tags)) > 0
	})
}

// shareFinish records an end together with those that come at the same time.
func (e *Engine) shareFinish(end *attemptEnd) *sharedEnd {
	s := &sharedEnd{end: end}
	for try := 0; try == 0 || s.locked && try < sharedTries && !e.stopping.Load(); try++ {
		done := e.ends.add(s)
		select {
		case <-done:
			continue
		case <-e.Stopping():
		}
		if e.ends.remove(s) {
			s.notDone()
		} else {
			<-done
		}
	}
	if !s.alone {
		e.events.Wake(end.step.RunID)
		if s.t != nil {
			e.ended(s.t)
		}
	}
	return s
}

// finishShared records ends in one transaction. If it fails, each has to be recorded by itself, so that no end fails
// because of another. The lock of a run that somebody else holds is not waited for.
func (e *Engine) finishShared(ends []*sharedEnd) {
	ctx, cancel := context.WithTimeout(context.Background(), finishTry)
	defer cancel()
	go func() {
		select {
		case <-ctx.Done():
		case <-e.Stopping():
			time.AfterFunc(finishForStopping, cancel)
		}
	}()
	if err := e.db.Tx(ctx, func(tx pgx.Tx) error { return e.finishSharedTx(ctx, tx, ends) }); err != nil {
		e.log.Debug("ends of steps could not be recorded together; each is by itself", "steps", len(ends), "error", err)
		for _, s := range ends {
			s.notDone()
		}
	}
}

func (e *Engine) finishSharedTx(ctx context.Context, tx pgx.Tx, ends []*sharedEnd) error {
	var writes db.Pipeline
	rows := sharedRows{q: sql.New(&writes)}
	locked, err := e.lockFreeRuns(ctx, tx, ends)
	if err != nil {
		return err
	}
	var changed []*transition
	for _, s := range ends {
		t := locked[s.end.step.RunID]
		s.t, s.err, s.locked = nil, nil, t == nil
		s.alone = t == nil || !e.mayShareRun(t)
		switch {
		case s.alone:
		case !t.has(s.end):
			s.err = errFenced
		default:
			if len(t.events) == 0 { // the run's first end here tells of what follows from all of them
				s.t, changed = t, append(changed, t)
			}
			if err := e.shareEnd(t, s.end, &rows); err != nil {
				return err
			}
		}
	}
	if err := e.shareAdvance(ctx, tx, changed, &rows); err != nil {
		return err
	}
	if err := rows.write(ctx); err != nil {
		return err
	}
	return writes.Flush(ctx, tx)
}

// lockFreeRuns is lockRun for the runs of several ends. It leaves out those that are locked.
func (e *Engine) lockFreeRuns(ctx context.Context, tx pgx.Tx, ends []*sharedEnd) (map[uuid.UUID]*transition, error) {
	runs, steps, err := sql.LockFreeRunsAndSteps(ctx, tx,
		each(ends, func(s *sharedEnd) uuid.UUID { return s.end.step.RunID }))
	if err != nil {
		return nil, err
	}
	locked := map[uuid.UUID]*transition{}
	for _, run := range runs {
		locked[run.ID] = &transition{run: run, at: e.now()}
	}
	for _, s := range steps {
		if t := locked[s.RunID]; t != nil {
			t.steps = append(t.steps, s)
		}
	}
	return locked, nil
}

// shareEnd adds what finishStepTx writes for an end to rows, except for what follows from it.
func (e *Engine) shareEnd(t *transition, end *attemptEnd, rows *sharedRows) error {
	step, o := end.step, end.outcome
	step.endsAs(o)
	t.events = append(t.events, each(end.events, func(ev heldEvent) eventlog.Entry { return ev.Entry })...)
	t.step(step.Asset).Status, t.trace = o.status, end.trace
	t.stepEvent(step, o)
	m, err := t.materialization(step, o.metadata, nil)
	if err != nil {
		return err
	}
	rows.step(end, m)
	if e.defs.byAsset[step.Asset].Freshness != nil {
		rows.fresh = append(rows.fresh, step.Asset)
	}
	return nil
}

// shareAdvance is advance for several runs whose steps are under no limits.
func (e *Engine) shareAdvance(ctx context.Context, tx pgx.Tx, changed []*transition, rows *sharedRows) error {
	var ready []stepJob
	for _, t := range changed {
		ready = append(ready, t.ready()...)
		if err := e.skipBlocked(ctx, rows.q, t); err != nil {
			return err
		}
		ended, err := t.end()
		if err != nil {
			return err
		}
		if ended {
			rows.run(t)
		}
		rows.events(t)
	}
	ids, err := e.insertStepJobs(ctx, tx, ready)
	if err != nil {
		return err
	}
	for _, s := range ready {
		rows.queued.RunIds = append(rows.queued.RunIds, s.run)
		rows.queued.Assets = append(rows.queued.Assets, s.asset)
		rows.queued.Jobs = append(rows.queued.Jobs, ids[s.key()])
	}
	return nil
}

// sharedRows are the rows that a transaction writes for several runs, by column.
type sharedRows struct {
	q                *sql.Queries
	steps            sql.FinishStepsParams
	materializations sql.InsertMaterializationsParams
	runs             sql.EndRunsParams
	log              sql.InsertEventsOfRunsParams
	queued           sql.QueueStepsParams
	jobs             []int64
	fresh            []string // assets whose freshness is watched
}

func (r *sharedRows) step(end *attemptEnd, m sql.InsertMaterializationParams) {
	r.steps.RunIds = append(r.steps.RunIds, m.RunID)
	r.steps.Assets = append(r.steps.Assets, m.Asset)
	r.steps.EndedAts = append(r.steps.EndedAts, m.CreatedAt)
	r.materializations.Ids = append(r.materializations.Ids, m.ID)
	r.materializations.Assets = append(r.materializations.Assets, m.Asset)
	r.materializations.RunIds = append(r.materializations.RunIds, m.RunID)
	r.materializations.Attempts = append(r.materializations.Attempts, m.Attempt)
	r.materializations.Metadatas = append(r.materializations.Metadatas, string(m.Metadata))
	r.materializations.CreatedAts = append(r.materializations.CreatedAts, m.CreatedAt)
	r.jobs = append(r.jobs, end.job.ID)
}

func (r *sharedRows) run(t *transition) {
	r.runs.Ids = append(r.runs.Ids, t.run.ID)
	r.runs.Statuses = append(r.runs.Statuses, t.run.Status)
	r.runs.EndedAts = append(r.runs.EndedAts, t.at)
	r.runs.Errors = append(r.runs.Errors, string(t.run.Error))
}

func (r *sharedRows) events(t *transition) {
	c := eventlog.Columns(t.run.ID, t.events)
	r.log.RunIds = append(r.log.RunIds, slices.Repeat([]uuid.UUID{t.run.ID}, len(t.events))...)
	r.log.Ats = append(r.log.Ats, c.Ats...)
	r.log.Types = append(r.log.Types, c.Types...)
	r.log.Levels = append(r.log.Levels, c.Levels...)
	r.log.Assets = append(r.log.Assets, c.Assets...)
	r.log.Attempts = append(r.log.Attempts, c.Attempts...)
	r.log.Messages = append(r.log.Messages, c.Messages...)
	r.log.Datas = append(r.log.Datas, c.Datas...)
}

// write writes the rows to the pipeline.
func (r *sharedRows) write(ctx context.Context) error {
	if len(r.jobs) == 0 {
		return nil
	}
	if len(r.fresh) > 0 { // whoever decides about one of them may take long
		if err := r.q.WaitShortly(ctx); err != nil {
			return err
		}
		if err := r.q.ShareFreshness(ctx, r.fresh); err != nil {
			return err
		}
	}
	if err := r.q.FinishSteps(ctx, r.steps); err != nil {
		return err
	}
	if err := r.q.InsertMaterializations(ctx, r.materializations); err != nil {
		return err
	}
	if len(r.queued.Jobs) > 0 {
		if err := r.q.QueueSteps(ctx, r.queued); err != nil {
			return err
		}
	}
	if len(r.runs.Ids) > 0 {
		if err := r.q.EndRuns(ctx, r.runs); err != nil {
			return err
		}
	}
	if err := r.q.InsertEventsOfRuns(ctx, r.log); err != nil {
		return err
	}
	return r.q.CompleteJobs(ctx, r.jobs)
}
