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

	"github.com/parliament-explorer/parliament-explorer/orchestrator/cron"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Kinds of ticks.
const (
	TickScheduled = "scheduled"
	TickCatchUp   = "catch_up"
	TickManual    = "manual"
)

// Tick is one evaluation of a schedule. Its status is success, with RunID, or skipped or failure.
type Tick struct {
	ID           int64
	Schedule     string
	Kind         string
	ScheduledFor time.Time
	Status       string
	RunID        *uuid.UUID
	Message      *string
	CreatedAt    time.Time
}

func tickOf(row sql.Tick) Tick {
	return Tick{
		ID:           row.ID,
		Schedule:     row.Schedule,
		Kind:         row.Kind,
		ScheduledFor: row.ScheduledFor,
		Status:       row.Status,
		RunID:        row.RunID,
		Message:      row.Message,
		CreatedAt:    row.CreatedAt,
	}
}

// ScheduleState is a schedule with its state in the database.
type ScheduleState struct {
	*Schedule
	Running   bool
	ChangedAt *time.Time // when it was last started or stopped
	LastTick  *Tick
}

// tickArgs are the arguments of the River job that carries out one tick.
type tickArgs struct {
	Schedule     string    `json:"schedule" river:"unique"`
	ScheduledFor time.Time `json:"scheduled_for" river:"unique"`
	TickKind     string    `json:"tick_kind"`
}

// Kind implements river.JobArgs.
func (tickArgs) Kind() string { return "schedule_tick" }

func tickOpts() *river.InsertOpts {
	return &river.InsertOpts{Queue: queueTicks, MaxAttempts: 5, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// periodicJobs registers retention, the sensors and every schedule with River. River calls the constructor of a
// schedule in the elected leader when it is due, and once when a process becomes leader, which makes up for a tick that
// an earlier leader did not enqueue.
func (e *Engine) periodicJobs() []*river.PeriodicJob {
	jobs := []*river.PeriodicJob{e.sensorRounds(), e.retentionRounds()}
	for _, s := range e.defs.schedules {
		construct := func() (river.JobArgs, *river.InsertOpts) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			args, err := e.dueTick(ctx, s)
			if err != nil {
				e.log.Warn("the schedule cannot be read; its tick is made up once the database is back",
					"schedule", s.Name, "error", err)
			}
			if args == nil {
				return nil, nil
			}
			return *args, tickOpts()
		}
		jobs = append(
			jobs,
			river.NewPeriodicJob(s.times, construct, &river.PeriodicJobOpts{ID: "schedule/" + s.Name, RunOnStart: true}),
		)
	}
	return jobs
}

// onTime is how late a tick may be before it counts as a catch-up.
const onTime = 10 * time.Second

// dueTick returns the tick of a schedule that is due now; nil if it is stopped or none is due.
func (e *Engine) dueTick(ctx context.Context, s *Schedule) (*tickArgs, error) {
	state, err := e.q.GetSchedule(ctx, s.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil || !state.Running {
		return nil, err
	}
	now := e.now()
	at := s.due(now.Add(250 * time.Millisecond)) // River's timer may fire a little early
	if at.IsZero() || !at.After(state.ChangedAt) {
		return nil, nil
	}
	kind := TickScheduled
	if now.Sub(at) > onTime {
		if kind = TickCatchUp; s.NoCatchUp {
			return nil, nil
		}
	}
	done, err := e.q.TickExists(ctx, sql.TickExistsParams{Schedule: s.Name, ScheduledFor: at})
	if err != nil || done {
		return nil, err
	}
	return &tickArgs{Schedule: s.Name, ScheduledFor: at.UTC(), TickKind: kind}, nil
}

type tickWorker struct {
	river.WorkerDefaults[tickArgs]
	engine *Engine
}

// Work implements river.Worker: the tick and the run that it starts are one transaction. It is long because every
// refusal is recorded differently.
func (w *tickWorker) Work(ctx context.Context, job *river.Job[tickArgs]) error {
	e, a := w.engine, job.Args
	s, err := e.defs.Schedule(a.Schedule)
	if err != nil {
		return river.JobCancel(err)
	}
	p, err := e.planRun(ctx, s.request())
	if err != nil && !refusal(err) {
		return err // the database is at fault, not the job
	}
	if err != nil { // the job's own config is no longer valid: another attempt would fail too
		n, dbErr := e.q.InsertTick(ctx, sql.InsertTickParams{
			Schedule:     s.Name,
			Kind:         a.TickKind,
			ScheduledFor: a.ScheduledFor,
			Status:       StatusFailure,
			Message:      optional(err.Error()),
			CreatedAt:    e.now(),
		})
		if dbErr != nil {
			return dbErr
		}
		e.log.Error("schedule could not start its job", "schedule", s.Name, "error", err, "recorded", n)
		return river.JobCancel(err)
	}
	started := false
	err = e.db.Tx(ctx, func(tx pgx.Tx) error {
		started = false
		q := e.q.WithTx(tx)
		if _, err := q.LockRunningSchedule(ctx, s.Name); errors.Is(err, pgx.ErrNoRows) {
			return nil // stopped meanwhile
		} else if err != nil {
			return err
		}
		n, err := q.InsertTick(ctx, sql.InsertTickParams{
			Schedule:     s.Name,
			Kind:         a.TickKind,
			ScheduledFor: a.ScheduledFor,
			Status:       StatusSuccess,
			RunID:        &p.id,
			CreatedAt:    e.now(),
		})
		if err != nil || n == 0 {
			return err // fired already
		}
		started = true
		return e.startRunsTx(ctx, tx, p)
	})
	if err != nil {
		return fmt.Errorf("tick of %s: %w", s.Name, err)
	}
	if started {
		e.observe.tickDelay.WithLabelValues(s.Name).Observe(max(0, time.Since(a.ScheduledFor).Seconds()))
		e.events.Wake(p.id)
		e.log.Info("schedule fired", "schedule", s.Name, "scheduled_for", a.ScheduledFor, "kind", a.TickKind, "run_id", p.id)
	}
	return nil
}

// Schedules lists all schedules with their state.
func (e *Engine) Schedules(ctx context.Context) ([]ScheduleState, error) {
	rows, err := e.q.ListSchedules(ctx)
	if err != nil {
		return nil, err
	}
	states := map[string]sql.Schedule{}
	for _, r := range rows {
		states[r.Name] = r
	}
	var names []string
	for _, s := range e.defs.schedules {
		names = append(names, s.Name)
	}
	ticks, err := e.q.LatestTicks(ctx, names)
	if err != nil {
		return nil, err
	}
	last := map[string]Tick{}
	for _, t := range ticks {
		last[t.Schedule] = tickOf(t)
	}
	out := make([]ScheduleState, len(e.defs.schedules))
	for i, s := range e.defs.schedules {
		out[i] = ScheduleState{Schedule: s}
		if st, ok := states[s.Name]; ok {
			out[i].Running, out[i].ChangedAt = st.Running, &st.ChangedAt
		}
		if t, ok := last[s.Name]; ok {
			out[i].LastTick = &t
		}
	}
	return out, nil
}

// Schedule returns one schedule with its state.
func (e *Engine) Schedule(ctx context.Context, name string) (*ScheduleState, error) {
	if _, err := e.defs.Schedule(name); err != nil {
		return nil, err
	}
	all, err := e.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, &NotFoundError{Kind: "schedule", Name: name}
}

// SetSchedule starts or stops a schedule, for all replicas. Once it has returned, a stopped schedule starts no run.
// Doing it twice changes nothing.
func (e *Engine) SetSchedule(ctx context.Context, name string, running bool) (*ScheduleState, error) {
	if _, err := e.defs.Schedule(name); err != nil {
		return nil, err
	}
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		q := e.q.WithTx(tx)
		if _, err := q.SetSchedule(ctx, sql.SetScheduleParams{
			Name: name, Running: running, ChangedAt: e.now(),
		}); err != nil {
			return err
		}
		return q.RouseWorkers(ctx) // those that sleep know of the schedules that ran
	})
	if err != nil {
		return nil, fmt.Errorf("change schedule %s: %w", name, err)
	}
	return e.Schedule(ctx, name)
}

// RunSchedule starts a schedule's job now, whether it is running or stopped, and records a tick for it.
func (e *Engine) RunSchedule(ctx context.Context, name string, req RunRequest) (*Run, bool, error) {
	s, err := e.defs.Schedule(name)
	if err != nil {
		return nil, false, err
	}
	req.Job, req.Trigger, req.Tags = s.Job, Trigger{Kind: "schedule", Name: s.Name}, map[string]string{"schedule": s.Name}
	p, err := e.planRun(ctx, req)
	if err != nil {
		return nil, false, err
	}
	return e.record(ctx, p, func(tx pgx.Tx) error {
		_, err := e.q.WithTx(tx).InsertTick(ctx, sql.InsertTickParams{
			Schedule: name, Kind: TickManual, ScheduledFor: p.created, Status: StatusSuccess,
			RunID: &p.id, CreatedAt: p.created,
		})
		return err
	})
}

// Ticks lists the ticks of a schedule, newest first, that are older than before if it is given.
func (e *Engine) Ticks(ctx context.Context, name string, before *int64, limit int) ([]Tick, error) {
	if _, err := e.defs.Schedule(name); err != nil {
		return nil, err
	}
	rows, err := e.lists.ListTicks(
		ctx,
		sql.ListTicksParams{Schedule: name, Before: before, Limit: int32(limit)}, //nolint:gosec // bounded by the contract
	)
	return each(rows, tickOf), err
}

// catchUp enqueues ticks that River did not: its leader died, or its insert failed. lastDue holds, by schedule, the
// tick that was looked at last.
func (e *Engine) catchUp(ctx context.Context, lastDue map[string]time.Time) error {
	now := e.now()
	return eachRow(
		ctx,
		e,
		"catch up on schedules",
		slices.Clone(e.defs.schedules),
		func(s *Schedule) string { return s.Name },
		func(ctx context.Context, s *Schedule) error {
			at := s.due(now)
			if at.Equal(lastDue[s.Name]) || now.Sub(at) < onTime+e.cfg.Heartbeat {
				return nil // looked at already, or still left to River
			}
			args, err := e.dueTick(ctx, s)
			if err != nil {
				return err
			}
			if args != nil {
				err := e.db.Tx(ctx, func(tx pgx.Tx) error {
					_, err := e.river.InsertTx(ctx, tx, *args, tickOpts())
					return err
				})
				if err != nil {
					return err
				}
				e.enqueuedOne()
			}
			lastDue[s.Name] = at
			return nil
		},
	)
}

// Schedule starts a job at the times of a cron expression. It is stopped until it is started.
type Schedule struct {
	// Name is lower-case with underscores.
	Name string
	// Description is one or two sentences for people.
	Description string
	// DescriptionFR is the same in French; default none.
	DescriptionFR string
	// Job is the name of the job that it starts.
	Job string
	// Cron has the five standard fields, e.g. "0 2 * * *", or a descriptor such as "@daily".
	Cron string
	// TimeZone is an IANA name; default America/Toronto.
	TimeZone string
	// NoCatchUp skips a tick that no process was running for; by default the last missed tick is made up once.
	NoCatchUp bool

	times cron.Schedule
}

// DefaultTimeZone is the time zone of schedules, deadlines and partitions that name none.
const DefaultTimeZone = "America/Toronto"

// Next returns the n times at which the schedule is due after a moment. The Schedule must be that of Definitions.
func (s *Schedule) Next(after time.Time, n int) []time.Time {
	times := make([]time.Time, 0, n)
	for range n {
		after = s.times.Next(after)
		if after.IsZero() { // a date that does not exist, such as February 30
			break
		}
		times = append(times, after)
	}
	return times
}

// request is that of the run that a tick starts.
func (s *Schedule) request() RunRequest {
	return RunRequest{
		Job: s.Job, Trigger: Trigger{Kind: "schedule", Name: s.Name}, Tags: map[string]string{"schedule": s.Name},
	}
}

// due returns the latest time, not after now, at which the schedule was due; zero if there was none in five years.
func (s *Schedule) due(now time.Time) time.Time { return cron.Last(s.times, now) }
