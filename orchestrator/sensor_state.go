package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Kinds of a sensor's ticks: scheduled, by an event that it waits for, by a webhook, or by EvaluateSensor.
const (
	SensorTickScheduled = "scheduled"
	SensorTickEvent     = "event"
	SensorTickWebhook   = "webhook"
	SensorTickManual    = "manual"
)

// SensorTick is one evaluation of a sensor, or several in a row that were skipped for the same reason.
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
	return SensorTick{
		ID:           r.ID,
		Sensor:       r.Sensor,
		Kind:         r.Kind,
		Status:       r.Status,
		RunIDs:       r.RunIds,
		RepeatedKeys: r.RepeatedKeys,
		Message:      r.Message,
		Cursor:       r.Cursor,
		Duration:     time.Duration(r.DurationSeconds * float64(time.Second)),
		Evaluations:  int(r.Evaluations),
		CreatedAt:    r.CreatedAt,
		LastAt:       r.LastAt,
	}
}

// SensorState is a sensor with its state in the database.
type SensorState struct {
	*Sensor
	Running   bool
	ChangedAt *time.Time
	Cursor    *string
	NextAt    *time.Time // when its next scheduled evaluation is due; nil if it is stopped
	LastTick  *SensorTick
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

// SetSensor starts or stops a sensor, for all replicas. Once it has returned, a stopped sensor starts no run. A sensor
// that is started for the first time sees only later events.
func (e *Engine) SetSensor(ctx context.Context, name string, running bool) (*SensorState, error) {
	s, err := e.defs.Sensor(name)
	if err != nil {
		return nil, err
	}
	var begin *string
	if running {
		if begin, err = e.sensorBegin(ctx, s); err != nil {
			return nil, fmt.Errorf("begin of sensor %s: %w", name, err)
		}
	}
	if err := e.q.SetSensor(ctx, sql.SetSensorParams{
		Name: name, Running: running, ChangedAt: e.now(), Begin: begin,
	}); err != nil {
		return nil, fmt.Errorf("change sensor %s: %w", name, err)
	}
	if running {
		e.evaluateDue(ctx)
	}
	return e.Sensor(ctx, name)
}

// sensorBegin returns the cursor with which a sensor is first started.
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

// SetSensorCursor sets a sensor's cursor. nil resets it: the next evaluation begins with the oldest event. An
// evaluation in progress is discarded.
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
		return nil, fmt.Errorf("set the cursor of sensor %s: %w", name, err)
	}
	e.evaluateDue(ctx)
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
		return nil, fmt.Errorf("begin of sensor %s: %w", name, err)
	}
	if err := e.q.EnsureSensor(ctx, sql.EnsureSensorParams{Name: name, At: e.now(), Begin: begin}); err != nil {
		return nil, fmt.Errorf("evaluate sensor %s: %w", name, err)
	}
	ctx = context.WithoutCancel(ctx) // the caller may give up; an evaluation that has begun is recorded
	row, err := e.q.ClaimSensor(
		ctx, sql.ClaimSensorParams{Name: name, LeaseBy: &e.id, LeaseSeconds: (s.Timeout + leaseMargin).Seconds()},
	)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &ConflictError{Reason: fmt.Sprintf("sensor %q is being evaluated at this moment", name)}
	}
	if err != nil {
		return nil, fmt.Errorf("evaluate sensor %s: %w", name, err)
	}
	started := time.Now()
	result, evalErr := e.callSensor(ctx, s, row)
	tick, err := e.recordEvaluation(ctx, &evaluation{
		sensor: s, row: row, kind: SensorTickManual, started: started, result: result, err: evalErr,
	})
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
	rows, err := e.lists.ListSensorTicks(
		ctx,
		sql.ListSensorTicksParams{
			Sensor: name, Before: before,
			Limit: int32(limit), //nolint:gosec // bounded by the contract
		},
	)
	return each(rows, sensorTickOf), err
}

// ReceiveWebhook stores an event for a webhook sensor and has the sensor evaluated. An event with an id that was
// received before changes nothing. ErrNotFound without such a sensor, ErrConflict if it is stopped. The caller has
// authenticated the sender.
func (e *Engine) ReceiveWebhook(ctx context.Context, sensor string, ev WebhookEvent) (repeated bool, err error) {
	err = e.db.Tx(ctx, func(tx pgx.Tx) error {
		q := e.q.WithTx(tx)
		if _, err := q.LockRunningSensor(ctx, sensor); errors.Is(err, pgx.ErrNoRows) {
			return &ConflictError{Reason: fmt.Sprintf("sensor %q is stopped: it takes no events", sensor)}
		} else if err != nil {
			return err
		}
		n, err := q.InsertWebhookEvent(ctx, sql.InsertWebhookEventParams{
			Sensor:      sensor,
			WebhookID:   ev.ID,
			ContentType: ev.ContentType,
			Body:        ev.Body,
			ReceivedAt:  e.now(),
		})
		if repeated = n == 0; err != nil || repeated {
			return err
		}
		_, err = e.river.InsertTx(
			ctx, tx, sensorArgs{Sensor: sensor, Tick: SensorTickWebhook},
			&river.InsertOpts{Queue: queueSensors, MaxAttempts: 3},
		)
		return err
	})
	e.enqueuedOne()
	return repeated, withContext(err, "receive an event for sensor %s", sensor)
}
