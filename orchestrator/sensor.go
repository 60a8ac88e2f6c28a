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

// Sensor is a function that is evaluated repeatedly and may start runs. It is stopped until it is started. A Sensor
// literal is a polling sensor; make the other kinds with NewAssetSensor, NewRunStatusSensor and NewWebhookSensor.
type Sensor struct {
	// Name is lower-case with underscores.
	Name string
	// Description is one or two sentences for people.
	Description string
	// DescriptionFR is the same in French; default none.
	DescriptionFR string
	// Interval is the least time between two scheduled evaluations; default 30 s, at least 1 s. An event that the sensor
	// waits for (a materialization, the end of a run, a webhook) has it evaluated at once.
	Interval time.Duration
	// Timeout ends an evaluation that takes longer; default 1 minute.
	Timeout time.Duration
	// Jobs are the names of the jobs that it starts, for display.
	Jobs []string
	// Evaluate decides what to do. What it asks for happens in one transaction, or not at all.
	Evaluate SensorFunc
	// Begin returns the cursor with which the sensor is first started; default none.
	Begin func(ctx context.Context) (string, error)

	kind string
	// assets and statuses are what an asset sensor and a run status sensor wait for.
	assets, statuses []string
}

// Kind returns what the sensor waits for: SensorPolling and so on.
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
	// Cursor is the cursor that an earlier evaluation set; empty at first. Only polling sensors have one.
	Cursor string
	// Materializations are those that an asset sensor has not seen, oldest first.
	Materializations []Materialization
	// Runs are the ended runs that a run status sensor has not seen, oldest first.
	Runs []Run
	// Webhooks are the events that a webhook sensor has not seen, oldest first.
	Webhooks []WebhookEvent
	// DryRun says that the result is only shown. The function must write nothing then.
	DryRun bool

	engine *Engine
}

// Check returns what is wrong with a request for a run, such as its config; nil if it is valid. One invalid request
// fails the whole evaluation, so check requests that come from outside.
func (ev *Evaluation) Check(ctx context.Context, req RunRequest) error {
	if err := checkTags(req.Tags); err != nil {
		return err
	}
	_, err := ev.engine.planRun(ctx, req)
	return err
}

// WebhookEvent is an event that was posted for a webhook sensor.
type WebhookEvent struct {
	// ID is the sender's webhook-id.
	ID          string
	ContentType string
	Body        []byte
	ReceivedAt  time.Time
}

// Alert is a problem that a sensor reports; see package alerts.
type Alert = alerts.Alert

// SensorResult is what an evaluation asks for.
type SensorResult struct {
	// Runs are to be started, MaxSensorRuns at most. A request whose RunKey started a run before is left out.
	Runs []RunRequest
	// Skip says why there is nothing to do.
	Skip string
	// Cursor is the cursor of the next evaluation; nil leaves it unchanged.
	Cursor *string
	// Alerts are raised, and the alerts of the causes in Recovered recover.
	Alerts    []Alert
	Recovered []string

	webhooks []string // ids of the events that were evaluated
	more     bool     // there are more than maxSignals
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

// NewRunStatusSensor makes a sensor that is evaluated when a run ended with one of the statuses (StatusSuccess,
// StatusFailure, StatusCanceled). It does not see runs that it started itself.
func NewRunStatusSensor(s Sensor, statuses ...string) *Sensor {
	s.kind, s.statuses = SensorRunStatus, statuses
	return &s
}

// NewWebhookSensor makes a sensor that is evaluated when an event was posted for it.
func NewWebhookSensor(s Sensor) *Sensor {
	s.kind = SensorWebhook
	return &s
}

// check sets defaults, and returns what is wrong with the sensor.
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
