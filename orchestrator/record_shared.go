package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// sharedRecord is a run that is recorded in one transaction with others.
type sharedRecord struct {
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
func (e *Engine) shareRecord(p *plan, err *error) bool {
	s := &sharedRecord{plan: p}
	e.records.wait(s)
	*err = s.err
	return !s.alone
}

// recordShared records runs in one statement. If Postgres refuses one of them, each has to be recorded by itself, so
// that none fails because of another.
func (e *Engine) recordShared(records []*sharedRecord) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTry)
	defer cancel()
	plans := each(records, func(s *sharedRecord) *plan { return s.plan })
	err := e.insertRuns(ctx, nil, plans)
	// What Postgres refused was not recorded. Of other errors that is not known.
	var refusal *pgconn.PgError
	refused := errors.As(err, &refusal) && !pgerrcode.IsOperatorIntervention(refusal.Code)
	for _, s := range records {
		s.err, s.alone = err, refused
	}
}
