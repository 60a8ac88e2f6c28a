package orchestrator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Worker is a process that runs steps.
type Worker struct {
	ID        string
	Host      string
	PID       int
	StartedAt time.Time
	BeatAt    time.Time
	Alive     bool
}

// Workers lists the workers that sent a heartbeat in the last day.
func (e *Engine) Workers(ctx context.Context) ([]Worker, error) {
	rows, err := e.q.ListWorkers(ctx, e.deadAfter().Seconds())
	return each(rows, func(r sql.ListWorkersRow) Worker {
		return Worker{ID: r.ID, Host: r.Host, PID: int(r.Pid), StartedAt: r.StartedAt, BeatAt: r.BeatAt, Alive: r.Alive}
	}), err
}

// QueueState is how many jobs of a River queue are in each state.
type QueueState struct {
	Name                                     string
	Available, Running, Retryable, Scheduled int
	OldestAvailableAt                        *time.Time // nil if none is available
}

// Queues lists the engine's queues, including empty ones, and any other queue with jobs in River's table.
func (e *Engine) Queues(ctx context.Context) ([]QueueState, error) {
	rows, err := e.q.QueueStates(ctx)
	if err != nil {
		return nil, err
	}
	states := map[string]QueueState{}
	for _, name := range []string{queueSteps, queueTicks, queueSensors, queueBackfills, queueAlerts} {
		states[name] = QueueState{Name: name}
	}
	for _, r := range rows {
		st := QueueState{
			Name:      r.Queue,
			Available: int(r.Available),
			Running:   int(r.Running),
			Retryable: int(r.Retryable),
			Scheduled: int(r.Scheduled),
		}
		if r.Available > 0 {
			st.OldestAvailableAt = &r.OldestAvailableAt
		}
		states[r.Queue] = st
	}
	return slices.SortedFunc(
		maps.Values(states), func(a, b QueueState) int { return strings.Compare(a.Name, b.Name) },
	), nil
}

// JobCounts is how many River jobs of all queues are in each state.
type JobCounts struct{ Available, Running, Retryable int }

// JobCounts counts the River jobs that have not ended and are not scheduled for later.
func (e *Engine) JobCounts(ctx context.Context) (JobCounts, error) {
	r, err := e.q.QueueDepth(ctx)
	if err != nil {
		return JobCounts{}, fmt.Errorf("count jobs: %w", err)
	}
	return JobCounts{Available: int(r.Available), Running: int(r.Running), Retryable: int(r.Retryable)}, nil
}

// Deployment is what is measured of all processes together.
type Deployment struct {
	WorkersAlive int            // workers whose last heartbeat is less than 15 s old
	OldestJob    time.Duration  // how long the oldest available job has waited for a worker; 0 if none is available
	OpenAlerts   int            // alerts that have not recovered
	OpenRuns     map[string]int // runs that have not ended, by status; every such status is in it
}

// Deployment measures all processes together.
func (e *Engine) Deployment(ctx context.Context) (*Deployment, error) {
	r, err := e.q.Deployment(ctx)
	if err != nil {
		return nil, fmt.Errorf("measure the deployment: %w", err)
	}
	return &Deployment{
		WorkersAlive: int(
			r.WorkersAlive,
		), OldestJob: time.Duration(r.OldestSeconds * float64(time.Second)), OpenAlerts: int(r.OpenAlerts),
		OpenRuns: map[string]int{
			StatusQueued:    int(r.Queued),
			StatusStarted:   int(r.Started),
			StatusCanceling: int(r.Canceling),
		},
	}, nil
}
