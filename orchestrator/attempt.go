package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// stepArgs are the arguments of the River job that runs one step.
type stepArgs struct {
	RunID uuid.UUID `json:"run_id"`
	Asset string    `json:"asset"`

	retryAt time.Time // set by Work for NextRetry, in the same process
}

// Kind implements river.JobArgs.
func (stepArgs) Kind() string { return "materialize" }

var (
	errRunCanceled = errors.New("run canceled")
	errTimedOut    = errors.New("timed out")
)

// unknownAssetFor is how long a step waits for a worker that has its asset.
const unknownAssetFor = 10 * time.Minute

// abandonAfter is how long the engine waits for a function whose context has ended.
const abandonAfter = 1500 * time.Millisecond

type stepWorker struct {
	river.WorkerDefaults[stepArgs]
	engine *Engine
}

// NextRetry implements river.Worker.
func (w *stepWorker) NextRetry(job *river.Job[stepArgs]) time.Time { return job.Args.retryAt }

// Work implements river.Worker: it runs one attempt of a step and records how it ended.
func (w *stepWorker) Work(ctx context.Context, job *river.Job[stepArgs]) error {
	e := w.engine
	if _, err := e.defs.Asset(job.Args.Asset); err != nil && time.Since(job.CreatedAt) < unknownAssetFor {
		// During an upgrade, another worker may have the asset.
		e.log.Warn("this worker does not have the asset: it is left to others", "run_id", job.Args.RunID,
			"asset", job.Args.Asset)
		// The wait is random, so that this worker is not always the first to fetch the job again.
		return river.JobSnooze(100*time.Millisecond + rand.N(900*time.Millisecond)) //nolint:gosec // chance enough
	}
	row, err := e.startStep(ctx, job)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(errors.New("the step has ended, was canceled, or belongs to another job"))
	}
	if err != nil {
		e.log.Warn("step cannot start now", "run_id", job.Args.RunID, "asset", job.Args.Asset, "error", err)
		return river.JobSnooze(time.Second)
	}
	e.events.Wake(job.Args.RunID)
	e.observe.queueTime.Observe(max(0, time.Since(job.ScheduledAt).Seconds()))
	ctx, span := e.observe.startStep(ctx, job.Metadata, job.Args, int(row.Attempt))
	started := time.Now()
	log := e.log.With("run_id", job.Args.RunID, "asset", job.Args.Asset, "attempt", int(row.Attempt))
	if sc := span.SpanContext(); sc.IsValid() {
		log = log.With("trace_id", sc.TraceID().String())
	}
	step := e.newStep(job, row, log)
	log.Info("step started")

	o := w.attempt(ctx, job, step, row, log)
	o.bound()
	o.failures = int(row.Failures)
	defer func() { e.observe.endStep(span, step.Asset, &o, time.Since(started)) }()
	if err := e.finishStep(ctx, job, step, &o); err != nil {
		if errors.Is(err, errFenced) {
			log.Warn("the step was given to another worker meanwhile; this attempt is not recorded")
			return river.JobCancel(err)
		}
		log.Error("the end of the step could not be recorded", "error", err)
		return river.JobSnooze(time.Second) // this worker may start the step again
	}
	o.log(log, time.Since(started))
	return o.jobResult(job)
}

// newStep makes the Step of an attempt that has started.
func (e *Engine) newStep(job *river.Job[stepArgs], row *sql.StartStepsRow, log *slog.Logger) *Step {
	step := &Step{
		RunID: job.Args.RunID, Asset: job.Args.Asset, Attempt: int(row.Attempt),
		jobID: job.ID, engine: e, log: log, flushNow: make(chan struct{}, 1),
	}
	if row.Partition != nil {
		step.Partition = *row.Partition
	}
	if row.Job != nil {
		step.Job = *row.Job
	}
	return step
}

// log logs how an attempt ended.
func (o *outcome) log(log *slog.Logger, took time.Duration) {
	attrs := []any{"status", o.status, "duration", took.Round(time.Millisecond)}
	switch {
	case o.err == nil:
	case o.err.Class == ClassCanceled:
		attrs = append(attrs, "reason", o.err.Message)
	default:
		attrs = append(attrs, "error", o.err.Message)
	}
	log.Info("step ended", attrs...)
}

// jobResult returns what River must be told about the job of an attempt whose end was recorded.
func (o *outcome) jobResult(job *river.Job[stepArgs]) error {
	switch o.status {
	case StatusSuccess:
		return nil // the job was completed in the same transaction
	case StatusUpForRetry:
		job.Args.retryAt = time.Now().Add(o.retryIn)
		return errors.New(o.err.Message)
	case StatusQueued:
		return river.JobSnooze(0) // handed back: another worker takes it at once
	case StatusFailure:
		if job.Attempt >= job.MaxAttempts {
			return errors.New(o.err.Message) // River discards it
		}
	}
	return river.JobCancel(errors.New(o.err.Message))
}

// outcome is how an attempt ended: status success, up_for_retry, failure, canceled or queued (handed back).
type outcome struct {
	status   string
	metadata json.RawMessage // see encode
	checks   []CheckResult
	err      *Error
	failures int // before this attempt
	retryIn  time.Duration
	canceled bool // the run is being canceled, and err says why
}

// maxError is the longest error message that is stored, in bytes. A message may repeat what a source sent.
const maxError = 4_000

// bound cuts the error message to maxError, before it is stored, sent and logged.
func (o *outcome) bound() {
	if o.err != nil && len(o.err.Message) > maxError {
		o.err.Message = strings.ToValidUTF8(o.err.Message[:maxError], "") + "…"
	}
}

// attempt runs the asset function and its checks, and returns how the attempt ended.
func (w *stepWorker) attempt(
	ctx context.Context, job *river.Job[stepArgs], step *Step, row *sql.StartStepsRow, log *slog.Logger,
) outcome {
	e := w.engine
	permanent := func(message string) outcome {
		return outcome{status: StatusFailure, err: &Error{Class: ClassPermanent, Message: message}}
	}
	asset, err := e.defs.Asset(step.Asset)
	if err != nil {
		return permanent("this worker does not have the asset: " + err.Error())
	}
	if err := json.Unmarshal(row.Tags, &step.Tags); err != nil {
		return permanent(err.Error())
	}

	cancelable, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.running.Store(job.ID, cancel)
	defer e.running.Delete(job.ID)
	limited, cancelLimit := context.WithTimeoutCause(db.Patient(cancelable), asset.Timeout, errTimedOut)
	defer cancelLimit()

	flushing, stopFlush := context.WithCancel(context.WithoutCancel(ctx))
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		step.flush(flushing)
	}()
	defer func() {
		stopFlush()
		<-flushed
	}()

	type product struct {
		metadata Metadata
		encoded  json.RawMessage
	}
	produced, err := guarded(limited, func(ctx context.Context) (p product, err error) {
		if p.metadata, err = asset.run(ctx, step, row.Config); err == nil {
			p.encoded, err = p.metadata.encode()
		}
		return p, err
	})
	if errors.Is(err, errDidNotStop) {
		log.Error("the asset function does not stop; going on without it")
	}
	var crash *panicked
	switch {
	case errors.As(err, &crash):
		bug := &Error{Class: ClassBug, Message: crash.Error(), Stack: crash.stack}
		log.Error("asset function panicked", "panic", bug.Message, "stack", bug.Stack)
		return outcome{status: StatusFailure, err: bug}
	case errors.Is(err, errNotJSON):
		return outcome{status: StatusFailure, err: &Error{Class: ClassBug, Message: err.Error()}}
	case err == nil:
		checks := e.runChecks(limited, asset, step, produced.metadata)
		if limited.Err() != nil && len(asset.Checks) > 0 {
			return e.interrupted(context.Cause(limited), asset, row)
		}
		return outcome{status: StatusSuccess, metadata: produced.encoded, checks: checks}
	case limited.Err() != nil:
		return e.interrupted(context.Cause(limited), asset, row)
	}
	var c *classified
	if errors.As(err, &c) && c.class == ClassPermanent {
		return permanent(err.Error())
	}
	o := failed(asset, row, &Error{Class: ClassTransient, Message: err.Error()})
	if c != nil {
		o.retryIn = max(o.retryIn, c.retryAfter)
	}
	return o
}

// interrupted returns how an attempt ended whose context ended: by its time limit, a cancel, or the stop of the worker.
func (e *Engine) interrupted(cause error, asset *Asset, row *sql.StartStepsRow) outcome {
	switch {
	case errors.Is(cause, errTimedOut):
		return failed(asset, row, &Error{Class: ClassTimeout, Message: fmt.Sprintf("took longer than %s", asset.Timeout)})
	case errors.Is(cause, rivertype.ErrJobCancelledRemotely), errors.Is(cause, errRunCanceled):
		return outcome{status: StatusCanceled, err: &Error{Class: ClassCanceled, Message: "canceled"}}
	default: // the worker is being stopped
		return outcome{status: StatusQueued, err: &Error{Class: ClassCanceled, Message: "handed back by a worker that stops"}}
	}
}

// failed returns the outcome of a failed attempt: another attempt, if the asset's policy has one left.
func failed(asset *Asset, row *sql.StartStepsRow, err *Error) outcome {
	failures := int(row.Failures) + 1
	if failures >= asset.Retry.maxAttempts() {
		return outcome{status: StatusFailure, err: err}
	}
	return outcome{status: StatusUpForRetry, err: err, retryIn: asset.Retry.delay(failures)}
}

func ptr[T any](v T) *T { return &v }
