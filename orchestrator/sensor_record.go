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

// skippedTick is an evaluation that was skipped for the same reason as the one before it. Many of them are recorded by
// one statement.
type skippedTick struct {
	row    sql.Sensor
	tick   int64
	cursor *string
	next   time.Duration
}

// recordSkips records skips and ends the leases on their sensors.
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
	if err != nil && len(skips) > 1 &&
		!databaseTrouble(err) { // one of them is at fault, and the others need not wait for it
		for _, s := range skips {
			e.recordSkips(s)
		}
		return
	}
	if err != nil {
		e.log.Warn("ticks of sensors could not be recorded; the sensors are evaluated again", "error", err)
	}
}

// evaluation is an evaluation of a sensor that is over and can be recorded.
type evaluation struct {
	sensor  *Sensor
	row     sql.Sensor // as it was when the sensor was claimed
	kind    string     // of its tick
	started time.Time
	result  *SensorResult
	err     error
}

// recordEvaluation does what an evaluation asks for, in one transaction: runs, alerts, cursor and tick. errFenced means
// that the sensor was stopped, set or claimed by another meanwhile, and that nothing was done.
func (e *Engine) recordEvaluation(ctx context.Context, ev *evaluation) (*SensorTick, error) {
	if ev.result == nil {
		ev.result = &SensorResult{}
	}
	var plans []*plan
	if ev.err == nil {
		plans, ev.err = e.planSensorRuns(ctx, ev.sensor, ev.result.Runs)
	}
	at, took := e.now(), time.Since(ev.started)
	var tick SensorTick
	var now sql.Sensor
	stopped := false // meanwhile, so that the evaluation does not count
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		q := e.q.WithTx(tx)
		var err error
		now, err = q.LockSensor(ctx, sql.LockSensorParams{Name: ev.sensor.Name, Lease: ev.row.Lease})
		if errors.Is(err, pgx.ErrNoRows) {
			return errFenced
		}
		if err != nil {
			return err
		}
		if stopped = !now.Running && ev.kind != SensorTickManual; stopped {
			return q.FreeSensor(ctx, sql.FreeSensorParams{Name: ev.sensor.Name, Lease: ev.row.Lease})
		}
		p := sql.InsertSensorTickParams{
			Sensor: ev.sensor.Name, Kind: ev.kind, Status: StatusSkipped, RunIds: []uuid.UUID{}, RepeatedKeys: []string{},
			Cursor: ev.row.Cursor, DurationSeconds: took.Seconds(), CreatedAt: at,
		}
		if ev.err != nil {
			p.Status, p.Message = StatusFailure, optional(db.CleanText(ev.err.Error()))
		} else if err := e.carryOut(ctx, tx, ev.sensor, ev.result, plans, &p, at); err != nil {
			return err
		}
		r, err := q.InsertSensorTick(ctx, p)
		if err != nil {
			return err
		}
		tick = sensorTickOf(r)
		return q.ReleaseSensor(ctx, sql.ReleaseSensorParams{
			Name: ev.sensor.Name, Cursor: p.Cursor, Seconds: ev.sensor.Interval.Seconds(), LastTickID: &tick.ID,
		})
	})
	if err != nil {
		return nil, err
	}
	if stopped {
		return nil, errFenced
	}
	if now.Again || ev.result.more {
		e.wakeSensor(ev.sensor.Name)
	}
	for _, id := range tick.RunIDs {
		e.events.Wake(id)
	}
	e.evaluated(ev, &tick)
	return &tick, nil
}

// planSensorRuns plans the runs that an evaluation asks for. One that is not valid fails the evaluation.
func (e *Engine) planSensorRuns(ctx context.Context, s *Sensor, runs []RunRequest) ([]*plan, error) {
	var plans []*plan
	for i, req := range runs {
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
			return nil, fmt.Errorf("run %d of %d: %w", i+1, len(runs), err)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// evaluated counts and logs an evaluation that was recorded, and remembers a skip so that repeats of it are gathered.
func (e *Engine) evaluated(ev *evaluation, tick *SensorTick) {
	name := ev.sensor.Name
	e.lastSkips.Delete(name)
	if ev.kind == SensorTickManual { // always has a tick of its own
		return
	}
	switch tick.Status {
	case StatusSkipped:
		e.lastSkips.Store(name, lastSkip{tick: tick.ID, reason: ev.result.Skip})
	case StatusFailure:
		e.lastSkips.Store(name, lastSkip{tick: tick.ID, reason: "failed: " + ev.err.Error()})
		e.observe.sensors.WithLabelValues(name, StatusFailure).Inc()
		e.log.Error("sensor failed", "sensor", name, "error", ev.err)
	default:
		e.observe.sensors.WithLabelValues(name, StatusSuccess).Inc()
		e.log.Info("sensor fired", "sensor", name, "runs", len(tick.RunIDs), "alerts", len(ev.result.Alerts))
	}
}

// carryOut starts the runs and raises the alerts of an evaluation, and enters them in its tick. It is one function
// because the order of its statements is the order of locks.
func (e *Engine) carryOut(
	ctx context.Context,
	tx pgx.Tx,
	s *Sensor,
	result *SensorResult,
	plans []*plan,
	p *sql.InsertSensorTickParams,
	at time.Time,
) error {
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
	var first []*plan // those whose run key is new
	for _, plan := range plans {
		if key := plan.req.RunKey; key != "" {
			n, err := q.InsertRunKey(ctx, sql.InsertRunKeyParams{
				Sensor: s.Name, Key: db.CleanText(key), RunID: plan.id, CreatedAt: at,
			})
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
		if err := q.CloseWebhookEvents(ctx, sql.CloseWebhookEventsParams{
			Sensor: s.Name, WebhookIds: result.webhooks, At: &at,
		}); err != nil {
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
		result.Skip = startedBefore(len(p.RepeatedKeys), len(plans))
	}
	p.Message = optional(db.CleanText(result.Skip))
	return nil
}

func startedBefore(repeated, all int) string {
	return fmt.Sprintf("%d of %d runs were started before", repeated, all)
}
