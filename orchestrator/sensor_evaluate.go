package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// evaluateClaimed evaluates a sensor that this process has claimed, and records the evaluation. A skip for the same
// reason as the one before is returned instead, to be recorded together with others.
func (e *Engine) evaluateClaimed(row sql.Sensor, kind string) *skippedTick {
	ctx := e.background
	s := e.defs.bySensor[row.Name]
	if s == nil {
		return nil
	}
	started := time.Now()
	result, err := e.callSensor(ctx, s, row)
	if ctx.Err() != nil { // the process stops, and nothing was done
		return nil
	}
	if last, ok := e.lastSkips.Load(s.Name); ok && row.LastTickID != nil && last.(lastSkip).tick == *row.LastTickID {
		cursor, reason := row.Cursor, ""
		switch {
		case err != nil:
			reason = "failed: " + err.Error()
		case len(result.Runs)+len(result.Alerts)+len(result.Recovered)+len(result.webhooks) == 0:
			reason = result.Skip
			if result.Cursor != nil {
				cursor = optional(db.CleanText(*result.Cursor))
			}
		}
		if last.(lastSkip).reason == reason && reason != "" {
			if err == nil && result.more {
				e.wakeSensor(s.Name)
			}
			return &skippedTick{row: row, tick: *row.LastTickID, cursor: cursor, next: s.Interval}
		}
	}
	ev := &evaluation{sensor: s, row: row, kind: kind, started: started, result: result, err: err}
	if _, err := e.recordEvaluation(ctx, ev); err != nil && !errors.Is(err, errFenced) {
		e.log.Error("a sensor's evaluation could not be recorded; it is repeated", "sensor", s.Name, "error", err)
	}
	return nil
}

// lastSkip is the newest tick of a sensor, if this process recorded it and it was skipped or failed, and why.
type lastSkip struct {
	tick   int64
	reason string
}

var errStuck = errors.New(
	"an earlier evaluation has not returned, although it timed out: the function ignores its context",
)

// callSensor calls the sensor's function with what is new for it.
func (e *Engine) callSensor(ctx context.Context, s *Sensor, row sql.Sensor) (*SensorResult, error) {
	if _, stuck := e.stuck.Load(s.Name); stuck {
		return nil, errStuck
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, fmt.Errorf("took longer than %s", s.Timeout))
	defer cancel()
	ev := &Evaluation{engine: e}
	if row.Cursor != nil {
		ev.Cursor = *row.Cursor
	}
	return e.invoke(ctx, s, ev, func(returned <-chan struct{}) { // until then, the sensor is not evaluated again
		e.stuck.Store(s.Name, true)
		go func() { <-returned; e.stuck.Delete(s.Name) }()
	})
}

// invoke calls the sensor's function with what is new for it. abandoned is called if the function does not stop when
// ctx ends, with a channel that is closed once it has returned.
func (e *Engine) invoke(
	ctx context.Context,
	s *Sensor,
	ev *Evaluation,
	abandoned func(returned <-chan struct{}),
) (*SensorResult, error) {
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
		default:
			abandoned(done)
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
		return nil, fmt.Errorf("asked for %d runs at once: want %d at most, and the rest by way of the cursor",
			len(result.Runs), MaxSensorRuns)
	}
	return result, nil
}

// gather collects what is new for a sensor. moved is the cursor after it, if the engine keeps that cursor; waiting
// reports whether there is anything to evaluate.
func (e *Engine) gather(ctx context.Context, s *Sensor, ev *Evaluation) (moved *string, waiting bool, err error) {
	switch s.kind {
	case SensorWebhook:
		rows, err := e.q.ListOpenWebhookEvents(ctx, sql.ListOpenWebhookEventsParams{Sensor: s.Name, Limit: maxSignals})
		ev.Webhooks = each(rows, func(r sql.WebhookEvent) WebhookEvent {
			return WebhookEvent{ID: r.WebhookID, ContentType: r.ContentType, Body: r.Body, ReceivedAt: r.ReceivedAt}
		})
		return nil, len(rows) > 0, err
	case SensorAsset, SensorRunStatus:
		return e.gatherSignals(ctx, s, ev)
	}
	return nil, true, nil
}

// gatherSignals is gather for sensors that wait for events of the log.
func (e *Engine) gatherSignals(
	ctx context.Context,
	s *Sensor,
	ev *Evaluation,
) (moved *string, waiting bool, err error) {
	var after eventlog.Cursor
	if ev.Cursor != "" {
		if after, err = eventlog.ParseCursor(ev.Cursor); err != nil {
			return nil, false, err
		}
	}
	ev.Cursor = ""
	horizon, err := db.LogHorizon(ctx, e.db.Durable()) // read first: the events that are read are all below it
	if err != nil {
		return nil, false, err
	}
	rows, err := e.q.ListSignals(ctx, sql.ListSignalsParams{
		AfterXid: after.Xid, AfterID: after.ID, Types: s.signals(), Assets: s.assets, Limit: maxSignals,
	})
	if err != nil {
		return nil, false, err
	}
	end := eventlog.Cursor{Xid: horizon, ID: -1}
	if len(rows) > 0 {
		last := eventlog.Event(rows[len(rows)-1]).Cursor()
		if len(rows) == maxSignals || end.Before(last) {
			end = last
		}
	}
	if len(rows) < maxSignals && !ev.DryRun {
		if err := e.recheckLater(ctx, s, len(rows) > 0); err != nil {
			return nil, false, err
		}
	}
	for _, r := range rows {
		if err := e.addSignal(ctx, s, ev, eventlog.Event(r)); err != nil {
			return nil, false, err
		}
	}
	return ptr(end.String()), len(ev.Materializations)+len(ev.Runs) > 0, nil
}

// addSignal adds what an event reports to an evaluation. An event that cannot be read is logged and left out: it could
// not be read the next time either, and would hold back all that come after it.
func (e *Engine) addSignal(ctx context.Context, s *Sensor, ev *Evaluation, signal eventlog.Event) error {
	if s.kind == SensorAsset {
		m, err := materializationOfEvent(signal)
		if err != nil {
			e.log.Error("an event cannot be read: the sensor goes on without it", "sensor", s.Name,
				"run_id", signal.RunID, "error", err)
			return nil
		}
		ev.Materializations = append(ev.Materializations, *m)
		return nil
	}
	run, err := e.Run(ctx, signal.RunID)
	switch {
	case errors.Is(err, ErrNotFound): // deleted since
		return nil
	case err != nil && (databaseTrouble(err) || ctx.Err() != nil):
		return err
	case err != nil:
		e.log.Error("a run cannot be read: the sensor goes on without it", "sensor", s.Name, "run_id", signal.RunID,
			"error", err)
		return nil
	}
	if run.TriggerKind != "sensor" || run.TriggerName == nil || *run.TriggerName != s.Name {
		ev.Runs = append(ev.Runs, *run)
	}
	return nil
}

// materializationOfEvent returns the materialization that an event reports.
func materializationOfEvent(row eventlog.Event) (*Materialization, error) {
	var data struct {
		ID        uuid.UUID       `json:"materialization_id"`
		Partition *string         `json:"partition"`
		Metadata  json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(row.Data, &data); err != nil {
		return nil, fmt.Errorf("event %d: %w", row.ID, err)
	}
	m := &Materialization{
		ID:        data.ID,
		Partition: data.Partition,
		RunID:     row.RunID,
		Metadata:  data.Metadata,
		CreatedAt: row.At,
	}
	if row.Asset != nil {
		m.Asset = *row.Asset
	}
	return m, nil
}
