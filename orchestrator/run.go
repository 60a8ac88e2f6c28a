package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Statuses of runs and steps. Waiting, UpForRetry and Skipped are of steps only, Canceling of runs only.
const (
	StatusWaiting    = "waiting"
	StatusQueued     = "queued"
	StatusStarted    = "started"
	StatusUpForRetry = "up_for_retry"
	StatusSuccess    = "success"
	StatusFailure    = "failure"
	StatusSkipped    = "skipped"
	StatusCanceling  = "canceling"
	StatusCanceled   = "canceled"
)

func terminal(status string) bool {
	return status == StatusSuccess || status == StatusFailure || status == StatusSkipped || status == StatusCanceled
}

// Trigger is what started a run: its kind, such as "api", "cli", "schedule", "sensor", "backfill" or "retry", and a
// name where there is one.
type Trigger struct {
	Kind string
	Name string
}

// Run is one execution of a job or of chosen assets.
type Run struct {
	ID          uuid.UUID
	Job         *string
	Assets      []string
	Partition   *string
	Status      string
	TriggerKind string
	TriggerName *string
	// Config has a shape in which it can be sent again.
	Config      json.RawMessage
	Tags        map[string]string
	CreatedAt   time.Time
	StartedAt   *time.Time
	EndedAt     *time.Time
	CanceledBy  *string
	Error       *Error
	ParentRunID *uuid.UUID
	Priority    int
	BackfillID  *uuid.UUID
	Steps       []RunStep
}

// RunStep is one asset in a run.
type RunStep struct {
	Asset         string
	Upstream      []string
	Status        string
	Attempt       int
	StartedAt     *time.Time
	EndedAt       *time.Time
	NextAttemptAt *time.Time
	Error         *Error
	// BlockedBy is the asset check that holds back the steps downstream; nil if none does.
	BlockedBy *string
}

// RunRequest asks for a run, either of Job or of Assets.
type RunRequest struct {
	Job       string
	Assets    []string
	Config    json.RawMessage
	Partition string
	Tags      map[string]string
	Trigger   Trigger
	// Priority is PriorityFirst to PriorityLast; default the job's, or PriorityDefault.
	Priority int
	// RunKey, in a sensor's request, keeps the sensor from starting a second run by the same key.
	RunKey string
	// IdempotencyKey makes a repeated request return the run of the first. Fingerprint identifies the request.
	IdempotencyKey string
	Fingerprint    []byte
	// Admitted, if set, is called before the run is committed, and waits until it may be. If it fails, nothing is
	// recorded. It may be called several times.
	Admitted func(context.Context) error

	parent   *uuid.UUID
	backfill *uuid.UUID
	resolved map[string]json.RawMessage // the complete config, of a run that is retried
	timeout  *time.Duration             // nil: the job's
}

// StartRun records a run with its steps and enqueues the steps that are ready, all in one transaction. replayed reports
// that the idempotency key was used before and that the run is the earlier one. An invalid config is a
// *runconfig.InvalidError, and starts no run.
func (e *Engine) StartRun(ctx context.Context, req RunRequest) (run *Run, replayed bool, err error) {
	if req.parent == nil { // the tags of a run that is retried may be older than this check
		if err := checkTags(req.Tags); err != nil {
			return nil, false, err
		}
	}
	p, err := e.planRun(ctx, req)
	if err != nil {
		return nil, false, err
	}
	return e.record(ctx, p, nil)
}

// record records a planned run, together with what with writes, unless its idempotency key was used. with may be nil.
func (e *Engine) record(ctx context.Context, p *plan, with func(pgx.Tx) error) (run *Run, replayed bool, err error) {
	span := e.observe.startRun(ctx, p)
	defer span.End()
	owner := p.id // of the idempotency key
	if with != nil || !e.mayShareRecord(p) || !e.shareRecord(ctx, p, &err) {
		owner, err = e.recordAlone(ctx, p, with)
	}
	if err != nil {
		markNotRecorded(span)
		return nil, false, withContext(err, "start run of %s", strings.Join(p.assets, ", "))
	}
	if owner != p.id {
		markReplayed(span, owner)
		run, err = e.Run(ctx, owner)
		return run, true, err
	}
	e.events.Wake(p.id)
	return p.run(), false, nil
}

// recordAlone records a run in a transaction of its own, and returns the run that has its idempotency key.
func (e *Engine) recordAlone(ctx context.Context, p *plan, with func(pgx.Tx) error) (owner uuid.UUID, err error) {
	if err := p.admitted(ctx); err != nil {
		return p.id, err
	}
	err = e.db.Tx(ctx, func(tx pgx.Tx) (err error) {
		owner, err = e.claimKey(ctx, tx, p.req.IdempotencyKey, p.req.Fingerprint, p.id, p.created)
		if err != nil || owner != p.id {
			return err
		}
		if with != nil {
			if err := with(tx); err != nil {
				return err
			}
		}
		return e.startRunsTx(ctx, tx, p)
	})
	return owner, err
}

// RetryRun retries a run that has ended, as a new run whose parent it is: all steps or, with fromFailure, only those
// that did not succeed or whose blocking check did not pass. The new run has the config, the partition, the tags, the
// priority and the time limit of the old one. ErrConflict if the run has not ended, or if there is no step to retry.
func (e *Engine) RetryRun(ctx context.Context, id uuid.UUID, fromFailure bool, req RunRequest) (*Run, bool, error) {
	old, err := e.q.GetRun(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, &NotFoundError{Kind: "run", Name: id.String()}
	}
	if err != nil {
		return nil, false, fmt.Errorf("retry run %s: %w", id, err)
	}
	if !terminal(old.Status) {
		return nil, false, &ConflictError{
			Reason: fmt.Sprintf("run %s is %s; only a run that has ended can be retried", id, old.Status),
		}
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(old.Config, &config); err != nil {
		return nil, false, fmt.Errorf("config of run %s: %w", id, err)
	}
	req.Assets = old.Assets
	if fromFailure {
		steps, err := e.q.ListSteps(ctx, id)
		if err != nil {
			return nil, false, fmt.Errorf("retry run %s: %w", id, err)
		}
		req.Assets = nil
		for _, s := range steps {
			if s.Status != StatusSuccess || s.BlockedBy != nil {
				req.Assets = append(req.Assets, s.Asset)
			}
		}
		if len(req.Assets) == 0 {
			return nil, false, &ConflictError{
				Reason: fmt.Sprintf("every step of run %s succeeded: there is nothing to retry from", id),
			}
		}
	}
	if old.Job != nil {
		req.Job = *old.Job
	}
	if old.Partition != nil {
		req.Partition = *old.Partition
	}
	if err := json.Unmarshal(old.Tags, &req.Tags); err != nil {
		return nil, false, fmt.Errorf("tags of run %s: %w", id, err)
	}
	if req.Priority == 0 {
		req.Priority = int(old.Priority)
	}
	limit := time.Duration(old.TimeoutSeconds) * time.Second
	req.timeout = &limit
	req.parent, req.resolved = &id, map[string]json.RawMessage{}
	for _, name := range req.Assets {
		req.resolved[name] = config[name]
	}
	return e.StartRun(ctx, req)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
