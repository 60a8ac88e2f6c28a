package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// stepArgs are the arguments of the River job that runs one step.
type stepArgs struct {
	RunID uuid.UUID `json:"run_id"`
	Asset string    `json:"asset"`

	retryAt time.Time // set by Work for NextRetry, in the same process
}

// Kind implements river.JobArgs.
func (stepArgs) Kind() string { return "materialize" }

// Step is what an asset function and its checks know of the attempt that they are, and their way to report.
//
// Its fields are for reading only. Its methods may be called from any goroutine at any time, but what they do depends
// on when:
//
//   - Log, Progress, InFinish and AddPartitions count until the attempt ends: until the asset function and then its
//     checks have returned, or were left behind because they did not stop when their context ended. After that they do
//     nothing. So a goroutine that goes on by itself adds nothing to an attempt that has its end, or to the next one.
//   - Ending is for functions given to InFinish. Before the attempt ends it says nothing.
//   - Partitions, Previous and Window only look, and may be called at any time.
//
// What is handed over may be changed afterwards: Log keeps a copy of its data. The exceptions are what functions given
// to InFinish refer to, and the metadata that the asset function returns: a goroutine that goes on must not write
// there.
type Step struct {
	RunID     uuid.UUID
	Asset     string
	Attempt   int // from 1
	Job       string
	Partition string
	Tags      map[string]string

	engine *Engine
	jobID  int64
	log    *slog.Logger
	kick   chan struct{}

	mu     sync.Mutex // of all below
	events []newEvent // not written yet, the oldest first
	flight int        // how many more are being written at this moment
	lost   int        // how many were dropped since the log last said so
	last   time.Time  // of the last event: each has a time of its own
	logged time.Time  // when progress last went into the process's own log
	finish []func(context.Context, pgx.Tx) error
	ended  bool    // nothing is taken any more
	missed bool    // that something was not taken has been said
	ending outcome // see Ending
}

// maxHeld is how many events a step holds that the database has not taken yet. Of more, the oldest are dropped.
const maxHeld = 10_000

// Log writes a line into the run's event log. data is a struct or map that encodes to a JSON object, or nil. The line
// is written within a moment. While the database takes none, or fewer than come, the newest 10,000 are held, and a line
// says how many older ones were dropped.
func (s *Step) Log(level, message string, data any) {
	s.add(newEvent{kind: EventLog, level: level, message: message, data: data})
}

// Progress says how much of the work is done. Only the latest of several reports within a moment is kept.
func (s *Step) Progress(done, total int, message string) {
	s.add(newEvent{kind: EventProgress, level: LevelInfo, message: message, data: map[string]int{"done": done, "total": total}})
}

// InFinish has f run in the transaction that ends this attempt, whichever way it ends: what f writes is there exactly
// if the end is recorded. An attempt that a stopping worker hands back has no end. An error of f fails the transaction,
// which is tried again.
func (s *Step) InFinish(f func(ctx context.Context, tx pgx.Tx) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.miss()
		return
	}
	s.finish = append(s.finish, f)
}

// Ending says how the attempt ends, to functions given to InFinish: StatusSuccess, StatusUpForRetry, StatusFailure or
// StatusCanceled, and why; nil for a success. It can be another end than the asset function had in mind: its run may
// have been canceled, or have taken too long, while it was returning.
func (s *Step) Ending() (status string, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending.status, s.ending.err
}

// end is the end of the attempt: from here on the step takes nothing more. It gives what was reported and not written,
// and what InFinish was given.
func (s *Step) end() ([]newEvent, []func(context.Context, pgx.Tx) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	events := s.events
	if line, ok := s.lostLine(); ok {
		events = append([]newEvent{line}, events...)
	}
	s.events = nil
	return events, s.finish
}

// endsAs notes how the attempt ends, for Ending.
func (s *Step) endsAs(o *outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = *o
}

// miss says once that the step was told something after its end; mu is held.
func (s *Step) miss() {
	if !s.missed {
		s.missed = true
		s.log.Warn("the asset function goes on after the end of its attempt; what it reports is dropped")
	}
}

// AddPartitions adds keys to a dynamic partition set when this attempt ends, together with its end.
func (s *Step) AddPartitions(set string, keys ...string) {
	keys = slices.Clone(keys)
	s.InFinish(func(ctx context.Context, tx pgx.Tx) error {
		_, err := addPartitions(ctx, s.engine.q.WithTx(tx), s.engine.now(), set, keys)
		return err
	})
}

// Partitions lists the keys that a set has now.
func (s *Step) Partitions(ctx context.Context, set *PartitionSet) ([]string, error) {
	return s.engine.Partitions(ctx, set)
}

// Previous is the newest materialization of the asset before this one, of the same partition; nil if there is none.
func (s *Step) Previous(ctx context.Context) (*Materialization, error) {
	rows, err := s.engine.lists.ListMaterializations(ctx, db.ListMaterializationsParams{Asset: s.Asset, Partition: optional(s.Partition), MaxRows: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	m := materializationOf(rows[0])
	return &m, nil
}

// Window is the time that the step's partition stands for, from start up to end; ok is false if it has no partition or
// one of another kind.
func (s *Step) Window() (start, end time.Time, ok bool) {
	a := s.engine.defs.byAsset[s.Asset]
	if a == nil || a.Partitions == nil || s.Partition == "" {
		return start, end, false
	}
	return a.Partitions.Window(s.Partition)
}

// logProgressEvery is how often the process's own log tells of progress.
const logProgressEvery = 5 * time.Second

func (s *Step) add(ev newEvent) {
	if ev.data != nil { // it is the caller's, who may change it
		if raw, err := json.Marshal(ev.data); err == nil {
			ev.data = json.RawMessage(raw)
		} else {
			ev.data = nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.miss()
		return
	}
	s.stamp(&ev)
	if ev.kind != EventProgress || ev.at.Sub(s.logged) >= logProgressEvery {
		var level slog.Level
		_ = level.UnmarshalText([]byte(ev.level)) // what is no level is logged as information
		s.log.Log(context.Background(), level, ev.message)
		if ev.kind == EventProgress {
			s.logged = ev.at
		}
	}
	if last := len(s.events) - 1; ev.kind == EventProgress && last >= 0 && s.events[last].kind == EventProgress {
		s.events[last] = ev
	} else {
		if len(s.events)+s.flight >= maxHeld { // the database is away, or the function writes faster than it takes
			s.dropOldest()
		}
		s.events = append(s.events, ev)
	}
	s.kickFlush()
}

// stamp makes an event one of this attempt, at a time that none of its others has; mu is held.
func (s *Step) stamp(ev *newEvent) {
	ev.at, ev.asset, ev.attempt = s.engine.now(), s.Asset, s.Attempt
	if !ev.at.After(s.last) {
		ev.at = s.last.Add(time.Microsecond)
	}
	s.last = ev.at
}

func (s *Step) kickFlush() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// dropOldest makes room for one event; mu is held. A line that tells of lost ones stays: it may be in the log already.
func (s *Step) dropOldest() {
	if s.events[0].lost > 0 {
		s.events[0], s.events[1] = s.events[1], s.events[0]
	}
	s.events[0] = newEvent{} // its text goes at once, not when the array does
	s.events = s.events[1:]
	s.lost++
}

// lostLine is the line that says how many events were dropped, if any were; mu is held.
func (s *Step) lostLine() (newEvent, bool) {
	if s.lost == 0 {
		return newEvent{}, false
	}
	ev := s.missing(s.lost, "they came faster than they could be written")
	s.lost = 0
	return ev, true
}

// missing is a line that says how many events are not in the log, and why; mu is held.
func (s *Step) missing(n int, why string) newEvent {
	ev := newEvent{kind: EventLog, level: LevelWarn, lost: n, message: fmt.Sprintf("%d older lines are missing here: %s", n, why), data: map[string]int{"dropped": n}}
	s.stamp(&ev)
	s.log.Warn("lines of the event log were dropped", "dropped", n, "reason", why)
	return ev
}

// refused is what is left of events that the database refused for what they are.
func (s *Step) refused(events []newEvent) []newEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, ev := range events {
		n += max(1, ev.lost)
	}
	if n == 0 {
		return nil
	}
	return []newEvent{s.missing(n, "they are of an attempt whose end could not be recorded")}
}

// flushBatch is how many events are written at once.
const flushBatch = 1_000

// take takes the oldest events to be written. After some were dropped it takes one, to see whether the log can be
// written again.
func (s *Step) take() []newEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.events), flushBatch)
	if s.lost > 0 {
		n = min(n, 1)
	}
	taken := slices.Clone(s.events[:n])
	clear(s.events[:n])
	s.events, s.flight = s.events[n:], n
	return taken
}

// giveBack keeps events that could not be written for the next try, or for the end of the attempt.
func (s *Step) giveBack(taken []newEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events, s.flight = append(taken, s.events...), 0
	s.kickFlush()
}

// written notes that the events that were taken are in the log, and has it tell of those that were dropped before.
func (s *Step) written() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = 0
	if line, ok := s.lostLine(); ok {
		s.events = append([]newEvent{line}, s.events...)
		if len(s.events) > maxHeld {
			s.dropOldest()
		}
		s.kickFlush()
	}
}

// eventRows lays out events that are written only while the attempt is the step's own.
func (s *Step) eventRows(events []newEvent) db.InsertStepEventsParams {
	rows := eventRows(s.RunID, events)
	return db.InsertStepEventsParams{
		RunID: s.RunID, Asset: &s.Asset, Attempt: ptr(int32(s.Attempt)), JobID: &s.jobID, //nolint:gosec // a small number
		Ats: rows.Ats, Types: rows.Types, Levels: rows.Levels, Messages: rows.Messages, Datas: rows.Datas,
	}
}

// flushTimeout is how long writing reported events may take. An attempt that ends waits for it.
const flushTimeout = 5 * time.Second

// write writes reported events. What is under way is seen to its end although the attempt ends meanwhile. If it fails,
// it may still have been written: the answer can be lost. So it is looked up before it is written once more, under the
// run's lock, which an earlier try that is under way still would hold, or find the attempt's end after.
func (s *Step) write(ctx context.Context, events []newEvent) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	defer func() {
		for i := range events {
			events[i].doubtful = err != nil
		}
	}()
	if !slices.ContainsFunc(events, func(ev newEvent) bool { return ev.doubtful }) {
		return s.engine.relaxed.InsertStepEvents(ctx, s.eventRows(events))
	}
	return s.engine.db.Tx(ctx, func(tx pgx.Tx) error {
		if _, _, err := db.LockRunAndSteps(ctx, tx, s.RunID); errors.Is(err, pgx.ErrNoRows) {
			return nil // the run was removed
		} else if err != nil {
			return err
		}
		left, err := s.unwritten(ctx, tx, events)
		if err != nil || len(left) == 0 {
			return err
		}
		return s.engine.q.WithTx(tx).InsertStepEvents(ctx, s.eventRows(left))
	})
}

// unwritten are the events that are not in the log; the run is locked.
func (s *Step) unwritten(ctx context.Context, tx pgx.Tx, events []newEvent) ([]newEvent, error) {
	var ats []time.Time
	for _, ev := range events {
		if ev.doubtful {
			ats = append(ats, ev.at)
		}
	}
	if len(ats) == 0 {
		return events, nil
	}
	written, err := s.engine.q.WithTx(tx).WrittenStepEvents(ctx, db.WrittenStepEventsParams{RunID: s.RunID, Asset: &s.Asset, Attempt: ptr(int32(s.Attempt)), Ats: ats}) //nolint:gosec // a small number
	if err != nil {
		return nil, err
	}
	there := make(map[int64]bool, len(written))
	for _, at := range written {
		there[at.UnixMicro()] = true
	}
	return slices.DeleteFunc(slices.Clone(events), func(ev newEvent) bool { return ev.doubtful && there[ev.at.UnixMicro()] }), nil
}

// Between two writings of reported events; after some that failed, more.
const (
	flushEvery    = 100 * time.Millisecond
	flushEveryMax = 2 * time.Second
)

// flush writes reported events while the function runs.
func (s *Step) flush(ctx context.Context) {
	for wait := flushEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		}
		if s.flushHeld(ctx) {
			wait = flushEvery
		} else {
			wait = min(2*wait, flushEveryMax)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// flushHeld writes what there is, and says whether it could.
func (s *Step) flushHeld(ctx context.Context) bool {
	for ctx.Err() == nil {
		taken := s.take()
		if len(taken) == 0 {
			break
		}
		if err := s.write(ctx, taken); err != nil {
			s.giveBack(taken)
			return false
		}
		s.written()
		s.engine.wake(s.RunID)
	}
	return true
}

var (
	errRunCanceled = errors.New("run canceled")
	errTimedOut    = errors.New("timed out")
)

// unknownAssetFor is how long a step waits for a worker that has its asset.
const unknownAssetFor = 10 * time.Minute

// abandonAfter is how long a function that was told to stop is waited for.
const abandonAfter = 1500 * time.Millisecond

type stepWorker struct {
	river.WorkerDefaults[stepArgs]
	engine *Engine
}

// NextRetry implements river.Worker: when Work said so.
func (w *stepWorker) NextRetry(job *river.Job[stepArgs]) time.Time { return job.Args.retryAt }

// Work implements river.Worker: it runs one attempt of a step and records how it ended.
func (w *stepWorker) Work(ctx context.Context, job *river.Job[stepArgs]) error {
	e := w.engine
	if _, err := e.defs.Asset(job.Args.Asset); err != nil && time.Since(job.CreatedAt) < unknownAssetFor {
		// An upgrade is on its way, and another worker has the asset.
		e.log.Warn("this worker does not have the asset: it is left to others", "run_id", job.Args.RunID, "asset", job.Args.Asset)
		// For a while by chance: after a whole number of poll intervals this worker would be the first to ask for it again.
		return river.JobSnooze(100*time.Millisecond + rand.N(900*time.Millisecond)) //nolint:gosec // chance enough
	}
	row, err := e.relaxed.StartStep(ctx, db.StartStepParams{
		RunID: job.Args.RunID, Asset: job.Args.Asset, WorkerID: &e.id, JobID: &job.ID, At: ptr(e.now()), Message: job.Args.Asset + " started",
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(errors.New("the step is done, canceled or somebody else's"))
	}
	if err != nil {
		e.log.Warn("step cannot start now", "run_id", job.Args.RunID, "asset", job.Args.Asset, "error", err)
		return river.JobSnooze(time.Second)
	}
	e.wake(job.Args.RunID)
	e.observe.queueTime.Observe(max(0, time.Since(job.ScheduledAt).Seconds()))
	ctx, span := e.observe.startStep(ctx, job.Metadata, job.Args, int(row.Attempt))
	step := &Step{RunID: job.Args.RunID, Asset: job.Args.Asset, Attempt: int(row.Attempt), jobID: job.ID, engine: e, kick: make(chan struct{}, 1)}
	if row.Partition != nil {
		step.Partition = *row.Partition
	}
	if row.Job != nil {
		step.Job = *row.Job
	}
	started := time.Now()
	log := e.log.With("run_id", step.RunID, "asset", step.Asset, "attempt", step.Attempt)
	if sc := span.SpanContext(); sc.IsValid() {
		log = log.With("trace_id", sc.TraceID().String())
	}
	step.log = log
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
		return river.JobSnooze(time.Second) // the step is still ours to start again
	}
	attrs := []any{"status", o.status, "duration", time.Since(started).Round(time.Millisecond)}
	switch {
	case o.err == nil:
	case o.err.Class == ClassCanceled:
		attrs = append(attrs, "reason", o.err.Message)
	default:
		attrs = append(attrs, "error", o.err.Message)
	}
	log.Info("step ended", attrs...)
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
	metadata Metadata
	checks   []CheckResult
	err      *Error
	failures int // before this attempt
	retryIn  time.Duration
	canceled bool // what was canceled is the run: err says why
}

// maxError is the longest message of an error that is kept and shown, in bytes: it may repeat what a source sent.
const maxError = 4_000

// bound cuts an error's message short, before it is stored, sent and logged in several places.
func (o *outcome) bound() {
	if o.err != nil && len(o.err.Message) > maxError {
		o.err.Message = strings.ToValidUTF8(o.err.Message[:maxError], "") + "…"
	}
}

// attempt runs the asset function and makes an outcome of whatever it does.
func (w *stepWorker) attempt(ctx context.Context, job *river.Job[stepArgs], step *Step, row db.StartStepRow, log *slog.Logger) outcome {
	e := w.engine
	asset, err := e.defs.Asset(step.Asset)
	if err != nil {
		return outcome{status: StatusFailure, err: &Error{Class: ClassPermanent, Message: "this worker does not have the asset: " + err.Error()}}
	}
	var config map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(row.Config, &config), json.Unmarshal(row.Tags, &step.Tags)); err != nil {
		return outcome{status: StatusFailure, err: &Error{Class: ClassPermanent, Message: err.Error()}}
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

	type result struct {
		metadata Metadata
		err      error
		panicked *Error
	}
	returned := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r = result{panicked: &Error{Class: ClassBug, Message: fmt.Sprintf("panic: %v", p), Stack: string(debug.Stack())}}
			}
			returned <- r
		}()
		r.metadata, r.err = asset.run(limited, step, config[step.Asset])
	}()

	var r result
	select {
	case r = <-returned:
	case <-limited.Done():
		select {
		case r = <-returned:
		case <-time.After(abandonAfter):
			log.Error("the asset function does not stop; going on without it")
			r.err = context.Cause(limited)
		}
	}
	switch {
	case r.panicked != nil:
		log.Error("asset function panicked", "panic", r.panicked.Message, "stack", r.panicked.Stack)
		return outcome{status: StatusFailure, err: r.panicked}
	case r.err == nil:
		checks := e.runChecks(limited, asset, step, r.metadata)
		if limited.Err() != nil && len(asset.Checks) > 0 {
			return e.interrupted(context.Cause(limited), asset, row)
		}
		return outcome{status: StatusSuccess, metadata: r.metadata, checks: checks}
	case limited.Err() != nil:
		return e.interrupted(context.Cause(limited), asset, row)
	}
	var c *classified
	if errors.As(r.err, &c) && c.class == ClassPermanent {
		return outcome{status: StatusFailure, err: &Error{Class: ClassPermanent, Message: r.err.Error()}}
	}
	o := failed(asset, row, &Error{Class: ClassTransient, Message: r.err.Error()})
	if c != nil {
		o.retryIn = max(o.retryIn, c.retryAfter)
	}
	return o
}

// interrupted says what it means that the function's context ended.
func (e *Engine) interrupted(cause error, asset *Asset, row db.StartStepRow) outcome {
	switch {
	case errors.Is(cause, errTimedOut):
		return failed(asset, row, &Error{Class: ClassTimeout, Message: fmt.Sprintf("took longer than %s", asset.Timeout)})
	case errors.Is(cause, rivertype.ErrJobCancelledRemotely), errors.Is(cause, errRunCanceled):
		return outcome{status: StatusCanceled, err: &Error{Class: ClassCanceled, Message: "canceled"}}
	default: // the worker is being stopped
		return outcome{status: StatusQueued, err: &Error{Class: ClassCanceled, Message: "handed back by a worker that stops"}}
	}
}

func failed(asset *Asset, row db.StartStepRow, err *Error) outcome {
	failures := int(row.Failures) + 1
	if failures >= asset.Retry.maxAttempts() {
		return outcome{status: StatusFailure, err: err}
	}
	return outcome{status: StatusUpForRetry, err: err, retryIn: asset.Retry.delay(failures)}
}

func ptr[T any](v T) *T { return &v }
