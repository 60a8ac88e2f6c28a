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
				e.wakeSensor(s.Name)
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
