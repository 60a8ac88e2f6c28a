package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

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
		e.wakeSensor(s.Name)
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
