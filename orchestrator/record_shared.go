package orchestrator

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// sharedRecord is a run that is recorded in one transaction with others.
type sharedRecord struct {
	ctx  context.Context //nolint:containedctx // of the one request that waits for it
	plan *plan
	err  error
	// alone says that it was not recorded, and has to be by itself.
	alone bool
}

// recordTry is how long recording runs together may take.
const recordTry = 10 * time.Second

// mayShareRecord reports whether a run may be recorded in one transaction with others: it locks nothing that others
// lock.
func (e *Engine) mayShareRecord(p *plan) bool {
	if p.req.IdempotencyKey != "" || p.req.parent != nil || p.req.backfill != nil {
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
		<-done // soon: its transaction ends with the request
	}
	*err = s.err
	return !s.alone
}

// recordShared records runs in one transaction. If it fails, each has to be recorded by itself, so that none fails
// because of another. Until the transaction is committed, the end of any of the requests ends it: a run whose request
// was told that its time is over is not recorded.
func (e *Engine) recordShared(records []*sharedRecord) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTry)
	defer cancel()
	var plans []*plan
	var stops []func() bool
	for _, s := range records {
		if s.err = s.ctx.Err(); s.err == nil {
			plans = append(plans, s.plan)
			stops = append(stops, context.AfterFunc(s.ctx, cancel))
		}
	}
	stop := func() {
		for _, stop := range stops {
			stop()
		}
	}
	defer stop()
	if len(plans) == 0 {
		return
	}
	committing := false
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		committing = false
		if err := e.startRunsTx(ctx, tx, plans...); err != nil {
			return err
		}
		stop()
		committing = ctx.Err() == nil
		return ctx.Err()
	})
	for _, s := range records {
		switch {
		case err == nil || s.err != nil:
		case committing: // it may have come to pass
			s.err = err
		default:
			s.err, s.alone = s.ctx.Err(), s.ctx.Err() == nil
		}
	}
}
