package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Kinds of sensors.
const (
	SensorPolling    = "polling"
	SensorAsset      = "asset"
	SensorRunStatus  = "run_status"
	SensorWebhook    = "webhook"
	SensorAutomation = "automation"
)

// Sensor is a function that is evaluated again and again and may start runs. It is stopped until somebody starts it.
// The zero value of what follows the name is right for most; make other kinds than polling ones with NewAssetSensor,
// NewRunStatusSensor and NewWebhookSensor.
type Sensor struct {
	// Name is lower-case with underscores.
	Name string
	// Description is one or two sentences for people.
	Description string
	// Interval is the least time between two evaluations by the clock; default 30 s, at least 1 s. What the sensor waits
	// for (materializations, ends of runs, webhooks) has it evaluated at once.
	Interval time.Duration
	// Timeout ends an evaluation that takes longer; default 1 minute.
	Timeout time.Duration
	// Jobs are what it starts, for people to see.
	Jobs []string
	// Evaluate decides what to do. What it returns happens in one transaction, or not at all.
	Evaluate SensorFunc
	// Begin gives the cursor that the sensor has when it is first started; default none.
	Begin func(ctx context.Context) (string, error)

	kind string
	// assets and statuses are what the engine waits for on behalf of sensors that are not polling.
	assets, statuses []string
}

// Kind says what the sensor waits for.
func (s *Sensor) Kind() string {
	if s.kind == "" {
		return SensorPolling
	}
	return s.kind
}

// SensorFunc is what a sensor does. It must stop soon when ctx ends.
type SensorFunc func(ctx context.Context, ev *Evaluation) (*SensorResult, error)

// Evaluation is what a sensor function gets.
type Evaluation struct {
	// Cursor is what an evaluation before left; empty at first. Sensors that the engine waits for have no use for it.
	Cursor string
	// Materializations are those new to an asset sensor, the oldest first.
	Materializations []Materialization
	// Runs are those that ended since, for a run status sensor, the oldest first.
	Runs []Run
	// Webhooks are the events not yet seen by a webhook sensor, the oldest first.
	Webhooks []WebhookEvent

	engine *Engine
}

// Check says what is wrong with a run that the sensor means to ask for, such as its config; nil if nothing is. One run
// that is wrong fails the whole evaluation, so ask where a run comes from outside.
func (ev *Evaluation) Check(ctx context.Context, req RunRequest) error {
	if err := checkTags(req.Tags); err != nil {
		return err
	}
	_, err := ev.engine.planRun(ctx, req)
	return err
}

// WebhookEvent is what a sender outside posted for a sensor.
type WebhookEvent struct {
	// ID is the sender's webhook-id.
	ID          string
	ContentType string
	Body        []byte
	ReceivedAt  time.Time
}

// Alert is a problem that a sensor reports; see package alerts.
type Alert = alerts.Alert

// SensorResult is what an evaluation comes to.
type SensorResult struct {
	// Runs are to be started, MaxSensorRuns at most. One with a RunKey that started a run before, ever, is left out.
	Runs []RunRequest
	// Skip says why there is nothing to do.
	Skip string
	// Cursor is kept for the next evaluation; nil leaves it as it is.
	Cursor *string
	// Alerts are raised, and the causes in Recovered are well again.
	Alerts    []Alert
	Recovered []string

	webhooks []string // ids of the events it is about
	more     bool     // there was more than one evaluation takes
}

// MaxSensorRuns is how many runs one evaluation may ask for.
const MaxSensorRuns = 500

const (
	defaultSensorInterval = 30 * time.Second
	defaultSensorTimeout  = time.Minute
	maxSignals            = 200 // materializations, runs or webhooks given to one evaluation
)

// NewAssetSensor makes a sensor that is evaluated when one of the assets was materialized.
func NewAssetSensor(s Sensor, assets ...string) *Sensor {
	s.kind, s.assets = SensorAsset, assets
	return &s
}

// NewRunStatusSensor makes a sensor that is evaluated when a run ended in one of the statuses (StatusSuccess,
// StatusFailure, StatusCanceled). Its own runs are not among those it sees.
func NewRunStatusSensor(s Sensor, statuses ...string) *Sensor {
	s.kind, s.statuses = SensorRunStatus, statuses
	return &s
}

// NewWebhookSensor makes a sensor that is evaluated when an event was posted for it.
func NewWebhookSensor(s Sensor) *Sensor {
	s.kind = SensorWebhook
	return &s
}

// check completes a sensor and says what is wrong with it.
func (s *Sensor) check(d *Definitions) error {
	if s.Interval == 0 {
		s.Interval = defaultSensorInterval
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultSensorTimeout
	}
	switch {
	case s.Interval < time.Second:
		return fmt.Errorf("interval %s: want 1 s or more", s.Interval)
	case s.Evaluate == nil:
		return errors.New("has no function")
	case s.kind == SensorAsset && len(s.assets) == 0:
		return errors.New("waits for no asset")
	case s.kind == SensorRunStatus && len(s.statuses) == 0:
		return errors.New("waits for no status")
	}
	for _, name := range s.Jobs {
		if d.byJob[name] == nil {
			return fmt.Errorf("job %q is not declared", name)
		}
	}
	for _, name := range s.assets {
		if d.byAsset[name] == nil {
			return fmt.Errorf("asset %q is not declared", name)
		}
	}
	for _, status := range s.statuses {
		if status != StatusSuccess && status != StatusFailure && status != StatusCanceled {
			return fmt.Errorf("status %q: want success, failure or canceled", status)
		}
	}
	return nil
}

// Kinds of a sensor's ticks: by the clock, because what it waits for happened, by webhook, by somebody's hand.
const (
	SensorTickScheduled = "scheduled"
	SensorTickEvent     = "event"
	SensorTickWebhook   = "webhook"
	SensorTickManual    = "manual"
)

// SensorTick is one evaluation of a sensor, or several one after the other that were skipped for the same reason.
type SensorTick struct {
	ID           int64
	Sensor       string
	Kind         string
	Status       string // success, skipped or failure
	RunIDs       []uuid.UUID
	RepeatedKeys []string
	Message      *string
	Cursor       *string
	Duration     time.Duration
	Evaluations  int
	CreatedAt    time.Time
	LastAt       time.Time
}

func sensorTickOf(r sql.SensorTick) SensorTick {
	return SensorTick{ID: r.ID, Sensor: r.Sensor, Kind: r.Kind, Status: r.Status, RunIDs: r.RunIds, RepeatedKeys: r.RepeatedKeys, Message: r.Message, Cursor: r.Cursor,
		Duration: time.Duration(r.DurationSeconds * float64(time.Second)), Evaluations: int(r.Evaluations), CreatedAt: r.CreatedAt, LastAt: r.LastAt}
}

// SensorState is a sensor with what the database knows of it.
type SensorState struct {
	*Sensor
	Running   bool
	ChangedAt *time.Time
	Cursor    *string
	NextAt    *time.Time // when it is evaluated next by the clock, if it is running
	LastTick  *SensorTick
}

// sensorRoundArgs are the arguments of the River job that evaluates the sensors that are due.
type sensorRoundArgs struct{}

// Kind implements river.JobArgs.
func (sensorRoundArgs) Kind() string { return "sensor_round" }

// sensorArgs are the arguments of the River job that evaluates one sensor at once.
type sensorArgs struct {
	Sensor string `json:"sensor"`
	Tick   string `json:"tick_kind"`
}

// Kind implements river.JobArgs.
func (sensorArgs) Kind() string { return "evaluate_sensor" }

// sensorRounds is the periodic job that has due sensors evaluated: River's leader asks every second whether there are any.
func (e *Engine) sensorRounds() *river.PeriodicJob {
	construct := func() (river.JobArgs, *river.InsertOpts) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if due, err := e.q.SensorsDue(ctx); err != nil || !due {
			return nil, nil // when the database is back, they are due still
		}
		return sensorRoundArgs{}, &river.InsertOpts{Queue: queueSensors, MaxAttempts: 1}
	}
	return river.NewPeriodicJob(river.PeriodicInterval(time.Second), construct, &river.PeriodicJobOpts{ID: "sensors", RunOnStart: true})
}

type sensorRoundWorker struct {
	river.WorkerDefaults[sensorRoundArgs]
	engine *Engine
}

// roundWait is how long a round waits for its evaluations; those that take longer go on by themselves.
const roundWait = 2 * time.Second

// Work implements river.Worker: it evaluates the sensors that are due, each by itself.
func (w *sensorRoundWorker) Work(ctx context.Context, _ *river.Job[sensorRoundArgs]) error {
	e := w.engine
	names := slices.Collect(maps.Keys(e.defs.bySensor))
	rows, err := e.relaxed.ClaimDueSensors(ctx, sql.ClaimDueSensorsParams{Names: names, LeaseBy: &e.id, LeaseSeconds: e.lease(names...)})
	if err != nil {
		return err
	}
	skips := make(chan *skippedTick, len(rows))
	for _, row := range rows {
		e.wg.Go(func() { skips <- e.evaluateClaimed(row, SensorTickScheduled) })
	}
	var batch []*skippedTick
	limit := time.After(roundWait)
	for n := range rows {
		select {
		case s := <-skips:
			if s != nil {
				batch = append(batch, s)
			}
			continue
		case <-limit:
		}
		e.wg.Go(func() { // those that are late are written down as they come
			for range len(rows) - n {
				if s := <-skips; s != nil {
					e.recordSkips(s)
				}
			}
		})
		break
	}
	e.recordSkips(batch...)
	return nil
}

type sensorWorker struct {
	river.WorkerDefaults[sensorArgs]
	engine *Engine
}

// Work implements river.Worker: it evaluates one sensor, unless it is stopped or being evaluated; that evaluation is
// followed by another then.
func (w *sensorWorker) Work(ctx context.Context, job *river.Job[sensorArgs]) error {
	e := w.engine
	return e.evaluateNow(ctx, []string{job.Args.Sensor}, job.Args.Tick)
}

// evaluateNow evaluates sensors, due or not. One that is being evaluated is so once more afterwards. One that waits for
// events is left alone unless there are any for it to see.
func (e *Engine) evaluateNow(ctx context.Context, names []string, kind string) error {
	var troubles []error
	for _, name := range names {
		if kind == SensorTickEvent {
			if seen, err := e.signalsSeen(ctx, name); err != nil {
				troubles = append(troubles, fmt.Errorf("sensor %s: %w", name, err))
				continue
			} else if !seen {
				continue
			}
		}
		row, err := e.relaxed.ClaimOrAskSensor(ctx, sql.ClaimOrAskSensorParams{Name: name, LeaseBy: &e.id, LeaseSeconds: e.lease(name)})
		if errors.Is(err, pgx.ErrNoRows) || err == nil && row.Again {
			continue // stopped, or somebody else's
		}
		if err != nil {
			troubles = append(troubles, fmt.Errorf("sensor %s: %w", name, err))
			continue
		}
		e.wg.Go(func() {
			if s := e.evaluateClaimed(row, kind); s != nil {
				e.recordSkips(s)
			}
		})
	}
	return errors.Join(troubles...)
}

// signalsSeen says whether a sensor that waits for events can see any that it has not seen. Those that an older open
// transaction holds back are looked for again later: however long that stays open, the sensor is not evaluated on nothing.
func (e *Engine) signalsSeen(ctx context.Context, name string) (bool, error) {
	s := e.defs.bySensor[name]
	if s == nil || s.kind != SensorAsset && s.kind != SensorRunStatus {
		return true, nil
	}
	cursor, err := e.q.RunningSensorCursor(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // stopped
	}
	if err != nil {
		return false, err
	}
	var after eventlog.Cursor
	if cursor != nil {
		if after, err = eventlog.ParseCursor(*cursor); err != nil {
			return true, nil //nolint:nilerr // the evaluation says what is wrong
		}
	}
	types := s.signals()
	rows, err := e.q.ListSignals(ctx, sql.ListSignalsParams{AfterXid: after.Xid, AfterID: after.ID, Types: types, Assets: s.assets, MaxRows: 1})
	if err != nil {
		return false, err
	}
	return len(rows) > 0, e.lookLater(ctx, s, len(rows) > 0)
}

// signals are the types of the events that a sensor waits for.
func (s *Sensor) signals() []string {
	if s.kind == SensorRunStatus {
		return each(s.statuses, func(status string) string { return "run_" + status })
	}
	return []string{eventlog.Materialization}
}

// What is held back by an older transaction is looked for again after a moment and, while that stays open, ever less often.
const (
	lookFirst = 100 * time.Millisecond
	lookLast  = 2 * time.Second
)

// heldBack is a sensor's next look at events that an older transaction holds back.
type heldBack struct {
	wait  time.Duration
	timer *time.Timer // nil: none is on its way
}

// lookLater has a sensor kicked in a moment if there are events that it cannot see yet. moved: it saw others, so that
// what holds these back is a newer transaction.
func (e *Engine) lookLater(ctx context.Context, s *Sensor, moved bool) error {
	hidden, err := e.q.SignalsHidden(ctx, sql.SignalsHiddenParams{Types: s.signals(), Assets: s.assets})
	if err != nil {
		return err
	}
	e.kicksMu.Lock()
	defer e.kicksMu.Unlock()
	h := e.held[s.Name]
	switch {
	case !hidden:
		if h != nil && h.timer != nil {
			h.timer.Stop()
		}
		delete(e.held, s.Name)
		return nil
	case h == nil:
		h = &heldBack{wait: lookFirst}
		e.held[s.Name] = h
	case moved:
		h.wait = lookFirst
	}
	if h.timer != nil {
		return nil
	}
	h.timer = time.AfterFunc(h.wait, func() {
		e.kicksMu.Lock()
		h.timer, h.wait = nil, min(2*h.wait, lookLast)
		e.kicksMu.Unlock()
		e.kickSensor(s.Name)
	})
	return nil
}

// leaseMargin is how much longer than an evaluation may take a sensor is kept from others.
const leaseMargin = 15 * time.Second

// lease is for how many seconds sensors are kept from others.
func (e *Engine) lease(names ...string) float64 {
	longest := defaultSensorTimeout
	for _, name := range names {
		if s := e.defs.bySensor[name]; s != nil {
			longest = max(longest, s.Timeout)
		}
	}
	return (longest + leaseMargin).Seconds()
}

// skippedTick is an evaluation that came to nothing, for the same reason as the one before it: many of them are written
// down at once.
type skippedTick struct {
	row    sql.Sensor
	tick   int64
	cursor *string
	next   time.Duration
}

// recordSkips writes skips down and frees their sensors.
func (e *Engine) recordSkips(skips ...*skippedTick) {
	if len(skips) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var p sql.RecordSkipsParams
	for _, s := range skips {
		p.Names, p.Leases, p.Ticks = append(p.Names, s.row.Name), append(p.Leases, *s.row.Lease), append(p.Ticks, s.tick)
		p.Seconds = append(p.Seconds, s.next.Seconds())
		cursor := ""
		if s.cursor != nil {
			cursor = *s.cursor
		}
		p.Cursors = append(p.Cursors, cursor)
	}
	err := e.relaxed.RecordSkips(ctx, p)
	if err != nil && len(skips) > 1 && !databaseTrouble(err) { // one of them is to blame: the others are not to wait for it
		for _, s := range skips {
			e.recordSkips(s)
		}
		return
	}
	if err != nil {
		e.log.Warn("sensors' ticks could not be recorded; their evaluations are repeated", "error", err)
	}
}

// evaluateClaimed evaluates a sensor that this process has claimed and records what it came to. A plain skip, like the
// one before, is given back to be recorded with others.
func (e *Engine) evaluateClaimed(row sql.Sensor, kind string) *skippedTick {
	ctx := e.background
	s := e.defs.bySensor[row.Name]
	if s == nil {
		return nil
	}
	started := time.Now()
	result, err := e.callSensor(ctx, s, row)
	if ctx.Err() != nil { // the process stops: nothing was done
		return nil
	}
	if last, ok := e.lastSkips.Load(s.Name); ok && row.LastTickID != nil && last.(lastSkip).tick == *row.LastTickID {
		cursor, word := row.Cursor, ""
		switch {
		case err != nil:
			word = "failed: " + err.Error()
		case len(result.Runs)+len(result.Alerts)+len(result.Recovered)+len(result.webhooks) == 0:
			word = result.Skip
			if result.Cursor != nil {
				cursor = optional(db.CleanText(*result.Cursor))
			}
		}
		if last.(lastSkip).word == word && word != "" {
			if err == nil && result.more {
				e.kickSensor(s.Name)
			}
			return &skippedTick{row: row, tick: *row.LastTickID, cursor: cursor, next: s.Interval}
		}
	}
	if _, err := e.recordEvaluation(ctx, s, row, kind, started, result, err); err != nil && !errors.Is(err, errFenced) {
		e.log.Error("a sensor's evaluation could not be recorded; it is repeated", "sensor", s.Name, "error", err)
	}
	return nil
}

// lastSkip is the newest tick of a sensor, if this process made it and it came to nothing, and why it did.
type lastSkip struct {
	tick int64
	word string
}

// callSensor runs the sensor's function on what is new for it.
func (e *Engine) callSensor(ctx context.Context, s *Sensor, row sql.Sensor) (*SensorResult, error) {
	if _, stuck := e.stuck.Load(s.Name); stuck {
		return nil, errors.New("an earlier evaluation has not returned, though its time is over: the function does not heed its context")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, fmt.Errorf("took longer than %s", s.Timeout))
	defer cancel()
	ev := &Evaluation{engine: e}
	if row.Cursor != nil {
		ev.Cursor = *row.Cursor
	}
	moved, waiting, err := e.gather(ctx, s, ev)
	if err != nil {
		return nil, err
	}
	if !waiting {
		return &SensorResult{Skip: "nothing new", Cursor: moved}, nil
	}
	done := make(chan struct{})
	result, err := guarded(ctx, func(ctx context.Context) (*SensorResult, error) {
		defer close(done)
		if s.kind == SensorAutomation {
			return e.evaluateAutomation(ctx)
		}
		return s.Evaluate(ctx, ev)
	})
	if err != nil && ctx.Err() != nil {
		select {
		case <-done:
		default: // it is left behind; until it returns, there will be no other
			e.stuck.Store(s.Name, true)
			go func() { <-done; e.stuck.Delete(s.Name) }()
		}
		return nil, fmt.Errorf("evaluation ended: %w", context.Cause(ctx))
	}
	if err != nil {
		var p *panicked
		if errors.As(err, &p) {
			e.log.Error("sensor panicked", "sensor", s.Name, "panic", p.value, "stack", p.stack)
		}
		return nil, err
	}
	if result == nil {
		result = &SensorResult{}
	}
	if moved != nil {
		result.Cursor = moved
	}
	result.webhooks = each(ev.Webhooks, func(w WebhookEvent) string { return w.ID })
	result.more = max(len(ev.Webhooks), len(ev.Materializations), len(ev.Runs)) == maxSignals
	if len(result.Runs) > MaxSensorRuns {
		return nil, fmt.Errorf("asked for %d runs at once: want %d at most, and the rest by way of the cursor", len(result.Runs), MaxSensorRuns)
	}
	return result, nil
}

// gather collects what a sensor waits for. moved is the cursor after it, if the engine keeps that cursor; waiting says
// whether there is anything to evaluate.
func (e *Engine) gather(ctx context.Context, s *Sensor, ev *Evaluation) (moved *string, waiting bool, err error) {
	switch s.kind {
	case SensorWebhook:
		rows, err := e.q.ListOpenWebhookEvents(ctx, sql.ListOpenWebhookEventsParams{Sensor: s.Name, MaxRows: maxSignals})
		ev.Webhooks = each(rows, func(r sql.WebhookEvent) WebhookEvent {
			return WebhookEvent{ID: r.WebhookID, ContentType: r.ContentType, Body: r.Body, ReceivedAt: r.ReceivedAt}
		})
		return nil, len(rows) > 0, err
	case SensorAsset, SensorRunStatus:
	default:
		return nil, true, nil
	}
	var after eventlog.Cursor
	if ev.Cursor != "" {
		if after, err = eventlog.ParseCursor(ev.Cursor); err != nil {
			return nil, false, err
		}
	}
	ev.Cursor = ""
	horizon, err := db.LogHorizon(ctx, e.db.Durable()) // before looking: what is looked at is everything below it
	if err != nil {
		return nil, false, err
	}
	rows, err := e.q.ListSignals(ctx, sql.ListSignalsParams{AfterXid: after.Xid, AfterID: after.ID, Types: s.signals(), Assets: s.assets, MaxRows: maxSignals})
	if err != nil {
		return nil, false, err
	}
	end := eventlog.Cursor{Xid: horizon, ID: -1}
	if len(rows) == maxSignals {
		end = eventlog.Event(rows[len(rows)-1]).Cursor()
	} else if len(rows) > 0 {
		if last := eventlog.Event(rows[len(rows)-1]).Cursor(); end.Before(last) {
			end = last
		}
	}
	if len(rows) < maxSignals {
		if err := e.lookLater(ctx, s, len(rows) > 0); err != nil {
			return nil, false, err
		}
	}
	for _, r := range rows {
		if s.kind == SensorAsset {
			m, err := materializationOfEvent(r)
			if err != nil { // it would be as unreadable the next time, and hold back all that come after it
				e.log.Error("an event cannot be read: the sensor goes on without it", "sensor", s.Name, "run_id", r.RunID, "error", err)
				continue
			}
			ev.Materializations = append(ev.Materializations, *m)
			continue
		}
		run, err := e.Run(ctx, r.RunID)
		if errors.Is(err, ErrNotFound) {
			continue // removed since
		}
		if err != nil && !databaseTrouble(err) && ctx.Err() == nil {
			e.log.Error("a run cannot be read: the sensor goes on without it", "sensor", s.Name, "run_id", r.RunID, "error", err)
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if run.TriggerKind != "sensor" || run.TriggerName == nil || *run.TriggerName != s.Name {
			ev.Runs = append(ev.Runs, *run)
		}
	}
	return ptr(end.String()), len(ev.Materializations)+len(ev.Runs) > 0, nil
}

// materializationOfEvent reads a materialization off the event that told of it.
func materializationOfEvent(row sql.Event) (*Materialization, error) {
	var data struct {
		ID        uuid.UUID       `json:"materialization_id"`
		Partition *string         `json:"partition"`
		Metadata  json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(row.Data, &data); err != nil {
		return nil, fmt.Errorf("event %d: %w", row.ID, err)
	}
	m := &Materialization{ID: data.ID, Partition: data.Partition, RunID: row.RunID, Metadata: data.Metadata, CreatedAt: row.At}
	if row.Asset != nil {
		m.Asset = *row.Asset
	}
	return m, nil
}

// recordEvaluation does what an evaluation came to, in one transaction: runs, alerts, cursor and tick. errFenced: the
// sensor was stopped, set or claimed by another meanwhile, and nothing is done.
func (e *Engine) recordEvaluation(ctx context.Context, s *Sensor, row sql.Sensor, kind string, started time.Time, result *SensorResult, evalErr error) (*SensorTick, error) {
	if result == nil {
		result = &SensorResult{}
	}
	var plans []*plan
	for i, req := range result.Runs {
		if evalErr != nil {
			break
		}
		req.Trigger = Trigger{Kind: "sensor", Name: s.Name}
		req.Tags = maps.Clone(req.Tags)
		if req.Tags == nil {
			req.Tags = map[string]string{}
		}
		req.Tags["sensor"] = s.Name
		err := checkTags(req.Tags)
		var p *plan
		if err == nil {
			p, err = e.planRun(ctx, req)
		}
		if err != nil {
			evalErr = fmt.Errorf("run %d of %d: %w", i+1, len(result.Runs), err)
			break
		}
		plans = append(plans, p)
	}
	at := e.now()
	took := time.Since(started)
	var startedRuns []uuid.UUID
	var tick SensorTick
	var now sql.Sensor
	stopped := false // meanwhile: what it came to does not count
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		q := e.q.WithTx(tx)
		var err error
		now, err = q.LockSensor(ctx, sql.LockSensorParams{Name: s.Name, Lease: row.Lease})
		if errors.Is(err, pgx.ErrNoRows) {
			return errFenced
		}
		if err != nil {
			return err
		}
		if stopped = !now.Running && kind != SensorTickManual; stopped {
			return q.FreeSensor(ctx, sql.FreeSensorParams{Name: s.Name, Lease: row.Lease})
		}
		p := sql.InsertSensorTickParams{Sensor: s.Name, Kind: kind, Status: StatusSkipped, RunIds: []uuid.UUID{}, RepeatedKeys: []string{}, Cursor: row.Cursor,
			DurationSeconds: took.Seconds(), CreatedAt: at}
		if evalErr != nil {
			p.Status, p.Message = StatusFailure, optional(db.CleanText(evalErr.Error()))
		} else if err := e.carryOut(ctx, tx, s, result, plans, &p, at); err != nil {
			return err
		}
		startedRuns = p.RunIds
		r, err := q.InsertSensorTick(ctx, p)
		if err != nil {
			return err
		}
		tick = sensorTickOf(r)
		return q.ReleaseSensor(ctx, sql.ReleaseSensorParams{Name: s.Name, Cursor: p.Cursor, Seconds: s.Interval.Seconds(), LastTickID: &tick.ID})
	})
	if err != nil {
		return nil, err
	}
	if stopped {
		return nil, errFenced
	}
	if now.Again || result.more {
		e.kickSensor(s.Name)
	}
	for _, id := range startedRuns {
		e.events.Wake(id)
	}
	e.lastSkips.Delete(s.Name)
	if kind == SensorTickManual { // stands alone, whatever it comes to
		return &tick, nil
	}
	switch tick.Status {
	case StatusSkipped:
		e.lastSkips.Store(s.Name, lastSkip{tick: tick.ID, word: result.Skip})
	case StatusFailure:
		e.lastSkips.Store(s.Name, lastSkip{tick: tick.ID, word: "failed: " + evalErr.Error()})
		e.observe.sensors.WithLabelValues(s.Name, StatusFailure).Inc()
		e.log.Error("sensor failed", "sensor", s.Name, "error", evalErr)
	default:
		e.observe.sensors.WithLabelValues(s.Name, StatusSuccess).Inc()
		e.log.Info("sensor fired", "sensor", s.Name, "runs", len(startedRuns), "alerts", len(result.Alerts))
	}
	return &tick, nil
}

// carryOut starts the runs and raises the alerts of an evaluation, and notes them in its tick.
func (e *Engine) carryOut(ctx context.Context, tx pgx.Tx, s *Sensor, result *SensorResult, plans []*plan, p *sql.InsertSensorTickParams, at time.Time) error {
	q := e.q.WithTx(tx)
	causes := append(each(result.Alerts, func(a Alert) string { return a.Cause }), result.Recovered...)
	if err := e.alerts.LockTx(ctx, tx, causes); err != nil {
		return err
	}
	for _, a := range result.Alerts {
		if err := e.alerts.RaiseTx(ctx, tx, a, at); err != nil {
			return err
		}
	}
	for _, cause := range result.Recovered {
		if err := e.alerts.RecoverTx(ctx, tx, cause, at); err != nil {
			return err
		}
	}
	var first []*plan // those that were not started before
	for _, plan := range plans {
		if key := plan.req.RunKey; key != "" {
			n, err := q.InsertRunKey(ctx, sql.InsertRunKeyParams{Sensor: s.Name, Key: db.CleanText(key), RunID: plan.id, CreatedAt: at})
			if err != nil {
				return err
			}
			if n == 0 {
				p.RepeatedKeys = append(p.RepeatedKeys, key)
				continue
			}
		}
		first = append(first, plan)
		p.RunIds = append(p.RunIds, plan.id)
	}
	if err := e.startRunsTx(ctx, tx, first...); err != nil {
		return err
	}
	if s.kind == SensorWebhook {
		if err := q.CloseWebhookEvents(ctx, sql.CloseWebhookEventsParams{Sensor: s.Name, WebhookIds: result.webhooks, At: &at}); err != nil {
			return err
		}
	}
	if result.Cursor != nil {
		p.Cursor = optional(db.CleanText(*result.Cursor))
	}
	if len(p.RunIds)+len(result.Alerts) > 0 {
		p.Status = StatusSuccess
	}
	if len(p.RepeatedKeys) > 0 && result.Skip == "" {
		result.Skip = fmt.Sprintf("%d of %d runs were started before", len(p.RepeatedKeys), len(plans))
	}
	p.Message = optional(db.CleanText(result.Skip))
	return nil
}

// Sensors lists all sensors with their state.
func (e *Engine) Sensors(ctx context.Context) ([]SensorState, error) {
	rows, err := e.q.ListSensors(ctx)
	if err != nil {
		return nil, err
	}
	states := map[string]sql.Sensor{}
	var ids []int64
	for _, r := range rows {
		states[r.Name] = r
		if r.LastTickID != nil {
			ids = append(ids, *r.LastTickID)
		}
	}
	ticks, err := e.q.SensorTicksByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	last := map[string]SensorTick{}
	for _, t := range ticks {
		last[t.Sensor] = sensorTickOf(t)
	}
	return each(e.defs.sensors, func(s *Sensor) SensorState {
		out := SensorState{Sensor: s}
		if r, ok := states[s.Name]; ok {
			out.Running, out.ChangedAt, out.Cursor = r.Running, &r.ChangedAt, r.Cursor
			if r.Running {
				out.NextAt = &r.NextAt
			}
		}
		if t, ok := last[s.Name]; ok {
			out.LastTick = &t
		}
		return out
	}), nil
}

// Sensor returns one sensor with its state.
func (e *Engine) Sensor(ctx context.Context, name string) (*SensorState, error) {
	if _, err := e.defs.Sensor(name); err != nil {
		return nil, err
	}
	all, err := e.Sensors(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(s SensorState) bool { return s.Name == name })
	return &all[i], nil
}

// SetSensor starts or stops a sensor, for all replicas. Once it has returned, a stopped sensor starts no run. One that
// is started for the first time begins with what happens from then on.
func (e *Engine) SetSensor(ctx context.Context, name string, running bool) (*SensorState, error) {
	s, err := e.defs.Sensor(name)
	if err != nil {
		return nil, err
	}
	var begin *string
	if running {
		if begin, err = e.sensorBegin(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := e.q.SetSensor(ctx, sql.SetSensorParams{Name: name, Running: running, ChangedAt: e.now(), Begin: begin}); err != nil {
		return nil, err
	}
	return e.Sensor(ctx, name)
}

// sensorBegin is the cursor of a sensor that never ran.
func (e *Engine) sensorBegin(ctx context.Context, s *Sensor) (*string, error) {
	switch {
	case s.Begin != nil:
		c, err := s.Begin(ctx)
		return optional(c), err
	case s.kind == SensorAsset, s.kind == SensorRunStatus:
		begin, err := db.LogBegin(ctx, e.db.Durable())
		return ptr(eventlog.Cursor{Xid: begin, ID: -1}.String()), err
	}
	return nil, nil
}

// SetSensorCursor sets a sensor's cursor, or with nil resets it: the next evaluation begins with the oldest there is.
// An evaluation in progress does not count any more.
func (e *Engine) SetSensorCursor(ctx context.Context, name string, cursor *string) (*SensorState, error) {
	s, err := e.defs.Sensor(name)
	if err != nil {
		return nil, err
	}
	if cursor != nil && (s.kind == SensorAsset || s.kind == SensorRunStatus) {
		if _, err := eventlog.ParseCursor(*cursor); err != nil {
			return nil, invalidRequest("/cursor", "%q: %v", *cursor, err)
		}
	}
	if err := e.q.SetSensorCursor(ctx, sql.SetSensorCursorParams{Name: name, Cursor: cursor, At: e.now()}); err != nil {
		return nil, err
	}
	return e.Sensor(ctx, name)
}

// EvaluateSensor evaluates a sensor now, whether it is running or stopped, and returns its tick. ErrConflict if it is
// being evaluated already.
func (e *Engine) EvaluateSensor(ctx context.Context, name string) (*SensorTick, error) {
	s, err := e.defs.Sensor(name)
	if err != nil {
		return nil, err
	}
	begin, err := e.sensorBegin(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := e.q.EnsureSensor(ctx, sql.EnsureSensorParams{Name: name, At: e.now(), Begin: begin}); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // whoever asked may go; what was begun is ended
	row, err := e.q.ClaimSensor(ctx, sql.ClaimSensorParams{Name: name, LeaseBy: &e.id, LeaseSeconds: (s.Timeout + leaseMargin).Seconds()})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &ConflictError{Reason: fmt.Sprintf("sensor %q is being evaluated at this moment", name)}
	}
	if err != nil {
		return nil, err
	}
	started := time.Now()
	result, evalErr := e.callSensor(ctx, s, row)
	tick, err := e.recordEvaluation(ctx, s, row, SensorTickManual, started, result, evalErr)
	if errors.Is(err, errFenced) {
		return nil, &ConflictError{Reason: fmt.Sprintf("sensor %q was changed while it was being evaluated", name)}
	}
	return tick, err
}

// SensorTicks lists the ticks of a sensor, newest first, that are older than before if it is given.
func (e *Engine) SensorTicks(ctx context.Context, name string, before *int64, limit int) ([]SensorTick, error) {
	if _, err := e.defs.Sensor(name); err != nil {
		return nil, err
	}
	rows, err := e.lists.ListSensorTicks(ctx, sql.ListSensorTicksParams{Sensor: name, Before: before, MaxRows: int32(limit)}) //nolint:gosec // bounded by the contract
	return each(rows, sensorTickOf), err
}

// ReceiveWebhook keeps an event for a webhook sensor and has the sensor evaluated. An id that came before changes
// nothing. ErrNotFound without such a sensor, ErrConflict if it is stopped. Whether the sender is who it says is for
// the caller to know.
func (e *Engine) ReceiveWebhook(ctx context.Context, sensor string, ev WebhookEvent) (repeated bool, err error) {
	err = e.db.Tx(ctx, func(tx pgx.Tx) error {
		q := e.q.WithTx(tx)
		if _, err := q.LockRunningSensor(ctx, sensor); errors.Is(err, pgx.ErrNoRows) {
			return &ConflictError{Reason: fmt.Sprintf("sensor %q is stopped: it takes no events", sensor)}
		} else if err != nil {
			return err
		}
		n, err := q.InsertWebhookEvent(ctx, sql.InsertWebhookEventParams{Sensor: sensor, WebhookID: ev.ID, ContentType: ev.ContentType, Body: ev.Body, ReceivedAt: e.now()})
		if repeated = n == 0; err != nil || repeated {
			return err
		}
		_, err = e.river.InsertTx(ctx, tx, sensorArgs{Sensor: sensor, Tick: SensorTickWebhook}, &river.InsertOpts{Queue: queueSensors, MaxAttempts: 3})
		return err
	})
	return repeated, err
}

// signal has the sensors evaluated that wait for what has just been committed: materializations, and the end of a run.
func (e *Engine) signal(t *transition) {
	if !e.cfg.Work {
		return
	}
	for _, s := range e.defs.sensors {
		wanted := false
		switch s.kind {
		case SensorAsset:
			wanted = slices.ContainsFunc(t.events, func(ev eventlog.Entry) bool {
				return ev.Type == eventlog.Materialization && slices.Contains(s.assets, ev.Asset)
			})
		case SensorRunStatus:
			wanted = slices.Contains(s.statuses, t.run.Status)
		}
		if wanted {
			e.kickSensor(s.Name)
		}
	}
}

func (e *Engine) kickSensor(name string) {
	e.kicksMu.Lock()
	e.kicks[name] = true
	e.kicksMu.Unlock()
	select {
	case e.kicked <- struct{}{}:
	default:
	}
}

// answerKicks evaluates sensors as they are kicked, many kicks at once. Kicks that get lost are made up by the clock.
func (e *Engine) answerKicks(ctx context.Context) {
	const gather = 10 * time.Millisecond
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.kicked:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gather):
		}
		e.kicksMu.Lock()
		names := slices.Sorted(maps.Keys(e.kicks))
		clear(e.kicks)
		e.kicksMu.Unlock()
		if err := e.evaluateNow(ctx, names, SensorTickEvent); err != nil && ctx.Err() == nil {
			e.log.Warn("sensors could not be evaluated at once; the clock does it", "sensors", names, "error", err)
		}
	}
}
