package orchestrator

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// sharedRecord is a run that is recorded in one transaction with others.
type sharedRecord struct {
	ctx  context.Context //nolint:containedctx // of the one request that waits for it
	plan *plan
	err  error
	// alone says that it was not recorded, and has to be by itself.
	alone bool
}

// notDone has the run recorded by itself.
func (s *sharedRecord) notDone() { s.err, s.alone = nil, true }

const (
	// recordTry is how long recording runs together may take until it is committed, and commitTry the commit, as long as
	// a statement may.
	recordTry, commitTry = 10 * time.Second, time.Minute
	// commitGrace is how long a request that ends waits for a commit, to tell what came of it.
	commitGrace = 2 * time.Second
)

// mayShareRecord reports whether a run may be recorded in one transaction with others: it locks nothing that others
// lock, but for its idempotency key.
func (e *Engine) mayShareRecord(p *plan) bool {
	if p.req.parent != nil || p.req.backfill != nil {
		return false
	}
	for _, name := range p.assets {
		if e.partitionOf(name, optional(p.req.Partition)) != nil || len(e.limitKeys(name, p.req.Tags)) > 0 {
			return false
		}
	}
	return true
}

// shareRecord records a run together with those that are asked for at the same time. If it returns false, the run has
// to be recorded by itself.
func (e *Engine) shareRecord(ctx context.Context, p *plan, err *error) bool {
	s := &sharedRecord{ctx: ctx, plan: p}
	done := e.records.add(s)
	select {
	case <-done:
	case <-ctx.Done():
		if e.records.remove(s) {
			*err = ctx.Err()
			return true
		}
		select {
		case <-done: // soon: its transaction ends with the request, or is being committed
		case <-time.After(commitGrace):
			*err = ctx.Err() // it may come to pass
			return true
		}
	}
	*err = s.err
	return !s.alone
}

// recordShared records runs in one transaction. If it fails, each has to be recorded by itself, so that none fails
// because of another. Until it is being committed, the end of any of the requests ends the transaction: a run whose
// request was told that its time is over is not recorded.
func (e *Engine) recordShared(records []*sharedRecord) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTry+commitTry)
	defer cancel()
	var open []*sharedRecord
	stops := []func() bool{time.AfterFunc(recordTry, cancel).Stop}
	for _, s := range records {
		if s.err = s.ctx.Err(); s.err == nil {
			open = append(open, s)
			stops = append(stops, context.AfterFunc(s.ctx, cancel))
		}
	}
	// goOn keeps requests from ending the transaction, and reports whether none has begun to.
	goOn := func() bool {
		all := true
		for _, stop := range stops {
			all = stop() && all
		}
		return all
	}
	defer goOn()
	if len(open) == 0 {
		return
	}
	committing := false
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		if committing { // the commit met a conflict, and requests no longer end the transaction
			committing = false
			return context.Canceled
		}
		plans, err := e.claimKeys(ctx, tx, open)
		if err != nil || len(plans) == 0 {
			return err
		}
		if err := e.startRunsTx(ctx, tx, plans...); err != nil {
			return err
		}
		for _, p := range plans {
			if err := p.admitted(ctx); err != nil {
				return err
			}
		}
		if !goOn() {
			return context.Canceled
		}
		committing = true
		return nil
	})
	for _, s := range open {
		switch {
		case err == nil || committing && s.alone:
		case committing: // it may have come to pass
			s.err = err
		default:
			s.err, s.alone = s.ctx.Err(), s.ctx.Err() == nil
		}
	}
}

// claimKeys claims the idempotency keys of runs, and returns the plans of the runs to record. A run whose key was used
// has to be recorded by itself, which finds out for what.
func (e *Engine) claimKeys(ctx context.Context, tx pgx.Tx, records []*sharedRecord) ([]*plan, error) {
	var rows sql.ClaimIdempotencyKeysParams
	for _, s := range records {
		if p := s.plan; p.req.IdempotencyKey != "" {
			rows.Keys = append(rows.Keys, p.req.IdempotencyKey)
			rows.Fingerprints = append(rows.Fingerprints, p.req.Fingerprint)
			rows.RunIds = append(rows.RunIds, p.id)
			rows.CreatedAts = append(rows.CreatedAts, p.created)
		}
	}
	var claimed []uuid.UUID
	if len(rows.Keys) > 0 {
		var err error
		if claimed, err = e.q.WithTx(tx).ClaimIdempotencyKeys(ctx, rows); err != nil {
			return nil, err
		}
	}
	var plans []*plan
	for _, s := range records {
		s.alone = s.plan.req.IdempotencyKey != "" && !slices.Contains(claimed, s.plan.id)
		if !s.alone {
			plans = append(plans, s.plan)
		}
	}
	return plans, nil
}
