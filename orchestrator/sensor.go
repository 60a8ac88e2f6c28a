package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
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
