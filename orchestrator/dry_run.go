package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// dryRunLimit ends a dry run of a sensor, because somebody waits for the answer.
const dryRunLimit = 15 * time.Second

// DryRun is what an evaluation of a schedule or a sensor would do. Nothing of it was done.
type DryRun struct {
	// Status is success if it would start runs or raise alerts, skipped if not, or failure.
	Status string
	// Message is why nothing would be done, or the error.
	Message *string
	Runs    []DryRunRun
	// Alerts would be raised, and the alerts of the causes in Recovered would recover.
	Alerts    []Alert
	Recovered []string
	// CursorBefore and CursorAfter are the cursor of a sensor.
	CursorBefore, CursorAfter *string
	Duration                  time.Duration
}

// DryRunRun is a run that would be requested.
type DryRunRun struct {
	Job       *string
	Assets    []string
	Partition *string
	Config    json.RawMessage
	Tags      map[string]string
	Priority  int
	RunKey    *string
	// Repeated says that the run key started a run before, so that this one would not be started.
	Repeated bool
}

func dryRunOf(p *plan) DryRunRun {
	return DryRunRun{
		Job: optional(p.req.Job), Assets: p.assets, Partition: optional(p.req.Partition),
		Config: runconfig.Present(p.assets, p.config), Tags: p.req.Tags, Priority: p.req.Priority,
		RunKey: optional(p.req.RunKey),
	}
}

// DryRunSchedule returns what a tick of a schedule would do now, and writes nothing.
func (e *Engine) DryRunSchedule(ctx context.Context, name string) (*DryRun, error) {
	s, err := e.defs.Schedule(name)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	p, err := e.planRun(ctx, s.request())
	out := &DryRun{Status: StatusSuccess, Duration: time.Since(started)}
	switch {
	case err != nil && !refusal(err):
		return nil, fmt.Errorf("dry run of schedule %s: %w", name, err)
	case err != nil:
		out.Status, out.Message = StatusFailure, optional(db.CleanText(err.Error()))
	default:
		out.Runs = []DryRunRun{dryRunOf(p)}
	}
	return out, nil
}

// DryRunSensor calls a sensor's function and returns what an evaluation would do, and writes nothing. A function that
// fails, panics or takes too long is a DryRun with the status failure. ErrConflict while the function of another dry
// run has not returned.
func (e *Engine) DryRunSensor(ctx context.Context, name string) (*DryRun, error) {
	state, err := e.Sensor(ctx, name)
	if err != nil {
		return nil, err
	}
	before := state.Cursor
	if state.ChangedAt == nil { // never started: it would begin here
		if before, err = e.sensorBegin(ctx, state.Sensor); err != nil {
			return nil, fmt.Errorf("begin of sensor %s: %w", name, err)
		}
	}
	if _, busy := e.dryRuns.LoadOrStore(name, true); busy {
		return nil, &ConflictError{Reason: fmt.Sprintf("another dry run of sensor %q has not ended", name)}
	}
	started := time.Now()
	result, plans, err := e.dryRun(ctx, state.Sensor, before)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nobody waits for the answer
	}
	if err != nil && db.Unavailable(err) {
		return nil, fmt.Errorf("dry run of sensor %s: %w", name, err)
	}
	out := &DryRun{CursorBefore: before, CursorAfter: before, Duration: time.Since(started)}
	if err != nil {
		out.Status, out.Message = StatusFailure, optional(db.CleanText(err.Error()))
		return out, nil
	}
	return out, e.describeDryRun(ctx, out, state.Sensor, result, plans)
}

// dryRun calls the sensor's function, and plans the runs that it asks for.
func (e *Engine) dryRun(ctx context.Context, s *Sensor, cursor *string) (*SensorResult, []*plan, error) {
	over := func() { e.dryRuns.Delete(s.Name) }
	defer func() { over() }()
	if _, stuck := e.stuck.Load(s.Name); stuck {
		return nil, nil, errStuck
	}
	limit := min(s.Timeout, dryRunLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("took longer than %s", limit))
	defer cancel()
	ev := &Evaluation{engine: e, DryRun: true}
	if cursor != nil {
		ev.Cursor = *cursor
	}
	result, err := e.invoke(ctx, s, ev, func(returned <-chan struct{}) {
		free := over
		over = func() { go func() { <-returned; free() }() }
	})
	if err != nil {
		return nil, nil, err
	}
	plans, err := e.planSensorRuns(ctx, s, result.Runs)
	return result, plans, err
}

// describeDryRun enters in a dry run what the result of its evaluation asks for, as carryOut would do it.
func (e *Engine) describeDryRun(
	ctx context.Context,
	out *DryRun,
	s *Sensor,
	result *SensorResult,
	plans []*plan,
) error {
	keys := []string{}
	for _, p := range plans {
		if p.req.RunKey != "" {
			keys = append(keys, db.CleanText(p.req.RunKey))
		}
	}
	used, err := e.q.UsedRunKeys(ctx, sql.UsedRunKeysParams{Sensor: s.Name, Keys: keys})
	if err != nil {
		return fmt.Errorf("dry run of sensor %s: %w", s.Name, err)
	}
	repeated := 0
	for _, p := range plans {
		run := dryRunOf(p)
		if key := db.CleanText(p.req.RunKey); key != "" {
			if run.Repeated = slices.Contains(used, key); run.Repeated {
				repeated++
			}
			used = append(used, key)
		}
		out.Runs = append(out.Runs, run)
	}
	out.Alerts, out.Recovered = result.Alerts, result.Recovered
	if result.Cursor != nil {
		out.CursorAfter = optional(db.CleanText(*result.Cursor))
	}
	out.Status = StatusSkipped
	if len(plans) > repeated || len(result.Alerts) > 0 {
		out.Status = StatusSuccess
	}
	if repeated > 0 && result.Skip == "" {
		result.Skip = startedBefore(repeated, len(plans))
	}
	out.Message = optional(db.CleanText(result.Skip))
	return nil
}
