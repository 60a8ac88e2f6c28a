package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

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

// sensorRounds is the periodic job that evaluates due sensors, in River's leader. Sensors that become due sooner than
// it knows of are evaluated by housekeeping.
func (e *Engine) sensorRounds() *river.PeriodicJob {
	construct := func() (river.JobArgs, *river.InsertOpts) {
		now := time.Now()
		at := e.sensorsAt.Load()
		if now.UnixNano() < at {
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		wait, err := e.q.NextSensor(ctx, e.sensorNames())
		if err != nil {
			return nil, nil // once the database is back, they are still due
		}
		if wait < 0 { // none runs
			e.sensorsAt.CompareAndSwap(at, now.Add(time.Hour).UnixNano())
			return nil, nil
		}
		if wait > 0 {
			e.sensorsAt.CompareAndSwap(at, now.Add(time.Duration(wait*float64(time.Second))).UnixNano())
			return nil, nil
		}
		return sensorRoundArgs{}, sensorRoundOpts()
	}
	return river.NewPeriodicJob(
		sensorTimes{e}, construct, &river.PeriodicJobOpts{ID: "sensors", RunOnStart: true},
	)
}

// sensorsWithin is how soon the leader knows of sensors that were started elsewhere.
const sensorsWithin = 10 * time.Second

// sensorTimes are the times at which a sensor may be due.
type sensorTimes struct{ engine *Engine }

// Next implements river.PeriodicSchedule.
func (s sensorTimes) Next(now time.Time) time.Time {
	wait := time.Duration(s.engine.sensorsAt.Load() - now.UnixNano())
	return now.Add(min(max(wait, time.Second), sensorsWithin))
}

func sensorRoundOpts() *river.InsertOpts {
	return &river.InsertOpts{Queue: queueSensors, MaxAttempts: 1}
}

// evaluateDue has due sensors evaluated at once. Without it, they are a few seconds later.
func (e *Engine) evaluateDue(ctx context.Context) {
	if _, err := e.river.Insert(ctx, sensorRoundArgs{}, sensorRoundOpts()); err != nil && ctx.Err() == nil {
		e.log.Warn("due sensors are evaluated a little later", "error", err)
	}
	e.enqueuedOne()
}

// sensorDueAt notes that a sensor may be due at a time.
func (e *Engine) sensorDueAt(at time.Time) {
	for {
		known := e.sensorsAt.Load()
		if known <= at.UnixNano() || e.sensorsAt.CompareAndSwap(known, at.UnixNano()) {
			return
		}
	}
}

func (e *Engine) sensorNames() []string { return slices.Collect(maps.Keys(e.defs.bySensor)) }

type sensorRoundWorker struct {
	river.WorkerDefaults[sensorRoundArgs]
	engine *Engine
}

// roundWait is how long a round waits for its evaluations. Those that take longer continue without it.
const roundWait = 2 * time.Second

// Work implements river.Worker: it evaluates each due sensor in a goroutine of its own.
func (w *sensorRoundWorker) Work(ctx context.Context, _ *river.Job[sensorRoundArgs]) error {
	e := w.engine
	names := e.sensorNames()
	rows, err := e.relaxed.ClaimDueSensors(
		ctx, sql.ClaimDueSensorsParams{Names: names, LeaseBy: &e.id, LeaseSeconds: e.lease(names...)},
	)
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
		e.wg.Go(func() { // those that take longer are recorded one by one
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

// Work implements river.Worker: it evaluates one sensor, unless it is stopped. If it is being evaluated, it is
// evaluated once more afterwards.
func (w *sensorWorker) Work(ctx context.Context, job *river.Job[sensorArgs]) error {
	e := w.engine
	return e.evaluateNow(ctx, []string{job.Args.Sensor}, job.Args.Tick)
}

// evaluateNow evaluates sensors, due or not. A sensor that is being evaluated is evaluated once more afterwards. A
// sensor that waits for events is evaluated only if there are events that it has not seen.
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
		row, err := e.relaxed.ClaimOrAskSensor(
			ctx, sql.ClaimOrAskSensorParams{Name: name, LeaseBy: &e.id, LeaseSeconds: e.lease(name)},
		)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && row.Again {
			continue // stopped, or being evaluated by another process
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

// leaseMargin is how much longer a lease lasts than an evaluation may take.
const leaseMargin = 15 * time.Second

// lease returns how many seconds the lease on sensors lasts.
func (e *Engine) lease(names ...string) float64 {
	longest := defaultSensorTimeout
	for _, name := range names {
		if s := e.defs.bySensor[name]; s != nil {
			longest = max(longest, s.Timeout)
		}
	}
	return (longest + leaseMargin).Seconds()
}
