// Package orchestrator is the engine: it runs named assets as jobs, on demand and on schedule, over any number of
// worker processes that share one Postgres. It knows the words asset, job, run, step, schedule, tick and event, and
// nothing of what the assets are about.
//
// River carries the work: one River job for every step of a run, River periodic jobs for schedules. What the engine
// adds is the record: a run and its jobs begin in one transaction, a step ends in one transaction, and whatever
// crashes in between is done again without being recorded twice.
package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/cron"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/selection"
)

// Definitions are all assets, jobs and schedules of a deployment, checked by NewDefinitions. They never change while a
// process runs.
type Definitions struct {
	assets    []*Asset // in dependency order
	jobs      []*Job
	schedules []*Schedule
	sensors   []*Sensor
	byAsset   map[string]*Asset
	byJob     map[string]*Job
	bySched   map[string]*Schedule
	bySensor  map[string]*Sensor
}

// Parts are what NewDefinitions puts together.
type Parts struct {
	Assets    []*Asset
	Jobs      []*Job
	Schedules []*Schedule
	Sensors   []*Sensor
}

// Job is a named selection of assets with their config.
type Job struct {
	// Name is lower-case with underscores.
	Name string
	// Description is one or two sentences for people.
	Description string
	// Assets are the names of what the job materializes; dependencies among them give the order.
	Assets []string
	// Selection chooses the assets instead, see Definitions.Select.
	Selection string
	// Config is by asset name; a run may override single keys. Default: the assets' own defaults.
	Config map[string]map[string]any
	// Tags are put on every run of the job.
	Tags map[string]string
	// Timeout ends a run that takes longer, as a failure; default none.
	Timeout time.Duration
	// Priority of its runs, PriorityFirst to PriorityLast; default PriorityDefault.
	Priority int
}

// Schedule starts a job at the times of a cron expression. It is stopped until somebody starts it.
type Schedule struct {
	// Name is lower-case with underscores.
	Name string
	// Description is one or two sentences for people.
	Description string
	// Job is what it starts.
	Job string
	// Cron has the five standard fields, e.g. "0 2 * * *", or a descriptor such as "@daily".
	Cron string
	// TimeZone is an IANA name; default America/Toronto.
	TimeZone string
	// NoCatchUp leaves out a tick that no process was there for; by default the last one missed is made up once.
	NoCatchUp bool

	times cron.Schedule
}

// DefaultTimeZone is where Parliament sits.
const DefaultTimeZone = "America/Toronto"

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// NewDefinitions checks everything and puts the assets into dependency order. The error names every fault found.
func NewDefinitions(parts Parts) (*Definitions, error) {
	assets, jobs, schedules := parts.Assets, parts.Jobs, parts.Schedules
	d := &Definitions{byAsset: map[string]*Asset{}, byJob: map[string]*Job{}, bySched: map[string]*Schedule{}, bySensor: map[string]*Sensor{}}
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	named := func(kind, name string, taken bool) {
		if !validName.MatchString(name) {
			fault("%s %q: a name has lower-case letters, digits and underscores, begins with a letter and has 63 characters at most", kind, name)
		}
		if taken {
			fault("%s %q is declared twice", kind, name)
		}
	}
	for _, a := range assets {
		named("asset", a.Name, d.byAsset[a.Name] != nil)
		d.byAsset[a.Name] = a
		if a.err != nil {
			fault("asset %q: %w", a.Name, a.err)
		}
	}
	for _, a := range assets {
		for _, dep := range a.Deps {
			if d.byAsset[dep] == nil {
				fault("asset %q depends on %q, which is not declared", a.Name, dep)
			}
		}
	}
	sorted, cycle := topological(assets)
	if cycle != nil {
		fault("assets depend on each other in a circle: %s", strings.Join(cycle, " -> "))
	}
	d.assets = sorted
	errs = append(errs, d.checkAssets(assets, named)...)
	for _, j := range jobs {
		named("job", j.Name, d.byJob[j.Name] != nil)
		d.byJob[j.Name] = j
		if j.Selection != "" && cycle == nil {
			var err error
			if j.Assets, err = d.Select(j.Selection); err != nil {
				fault("job %q: selection %q: %w", j.Name, j.Selection, err)
				continue
			}
		}
		if err := checkTags(j.Tags); err != nil {
			fault("job %q: %w", j.Name, err)
		}
		if j.Priority != 0 && (j.Priority < PriorityFirst || j.Priority > PriorityLast) {
			fault("job %q: priority %d: want %d to %d", j.Name, j.Priority, PriorityFirst, PriorityLast)
		}
		if len(j.Assets) == 0 {
			fault("job %q has no assets", j.Name)
		}
		known := true
		for _, name := range j.Assets {
			if d.byAsset[name] == nil {
				fault("job %q: asset %q is not declared", j.Name, name)
				known = false
			}
		}
		if known && cycle == nil {
			errs = append(errs, d.checkJobConfig(j)...)
		}
	}
	d.jobs = jobs
	for _, s := range schedules {
		named("schedule", s.Name, d.bySched[s.Name] != nil)
		d.bySched[s.Name] = s
		if d.byJob[s.Job] == nil {
			fault("schedule %q: job %q is not declared", s.Name, s.Job)
		}
		if s.TimeZone == "" {
			s.TimeZone = DefaultTimeZone
		}
		var err error
		if s.times, err = cron.Parse(s.Cron, s.TimeZone); err != nil {
			fault("schedule %q: %w", s.Name, err)
		}
	}
	d.schedules = schedules
	for _, a := range assets {
		if a.Automation != nil {
			parts.Sensors = append(slices.Clone(parts.Sensors), d.automationSensor())
			break
		}
	}
	for _, s := range parts.Sensors {
		named("sensor", s.Name, d.bySensor[s.Name] != nil)
		d.bySensor[s.Name] = s
		if err := s.check(d); err != nil {
			fault("sensor %q: %w", s.Name, err)
		}
	}
	d.sensors = parts.Sensors
	if len(errs) > 0 {
		return nil, fmt.Errorf("definitions: %w", errors.Join(errs...))
	}
	return d, nil
}

// Assets are all assets, those depended on first.
func (d *Definitions) Assets() []*Asset { return d.assets }

// Jobs are all jobs in the order of declaration.
func (d *Definitions) Jobs() []*Job { return d.jobs }

// Schedules are all schedules in the order of declaration.
func (d *Definitions) Schedules() []*Schedule { return d.schedules }

// Sensors are all sensors in the order of declaration.
func (d *Definitions) Sensors() []*Sensor { return d.sensors }

// Sensor finds a sensor by name; ErrNotFound if there is none.
func (d *Definitions) Sensor(name string) (*Sensor, error) { return find(d.bySensor, "sensor", name) }

// checkAssets looks at what assets declare beside their functions.
func (d *Definitions) checkAssets(assets []*Asset, named func(kind, name string, taken bool)) []error {
	var errs []error
	sets := map[string]*PartitionSet{}
	for _, a := range assets {
		fault := func(err error) { errs = append(errs, fmt.Errorf("asset %q: %w", a.Name, err)) }
		if s := a.Partitions; s != nil {
			if s.err != nil {
				fault(fmt.Errorf("partitions %q: %w", s.Name, s.err))
			}
			if known := sets[s.Name]; known != nil && known != s {
				fault(fmt.Errorf("partitions %q: there is another set of this name", s.Name))
			} else if known == nil {
				named("partitions", s.Name, false)
			}
			sets[s.Name] = s
		} else if a.PartitionRequired || a.PartitionConfig != nil {
			fault(errors.New("has no partitions, and yet rules for them"))
		}
		checks := map[string]bool{}
		for _, c := range a.Checks {
			named("check of "+a.Name, c.Name, checks[c.Name])
			checks[c.Name] = true
			if c.Severity == "" {
				c.Severity = SeverityWarn
			}
			if c.Run == nil || (c.Severity != SeverityWarn && c.Severity != SeverityError) || (c.Blocking && c.Severity != SeverityError) {
				fault(fmt.Errorf("check %q: want a function, severity warn or error, and error if it is blocking", c.Name))
			}
		}
		if a.Freshness != nil {
			if err := a.Freshness.check(); err != nil {
				fault(err)
			}
		}
		if a.Automation != nil {
			if err := a.Automation.check(); err != nil {
				fault(fmt.Errorf("automation: %w", err))
			}
		}
	}
	return errs
}

// partitionSet is the one that all partitioned assets of a run share; nil if none is partitioned.
func (d *Definitions) partitionSet(at string, assets []string) (*PartitionSet, error) {
	var of string
	var set *PartitionSet
	for _, name := range assets {
		switch s := d.byAsset[name].Partitions; {
		case s == nil:
		case set == nil:
			of, set = name, s
		case s != set:
			return nil, invalidRequest(at, "%s is partitioned by %s and %s by %s: they cannot be in one run with a partition", of, set.Name, name, s.Name)
		}
	}
	return set, nil
}

// Select returns the assets that a selection chooses, in dependency order; see package selection for its syntax. An error
// says where the selection cannot be read, or which name selects nothing.
func (d *Definitions) Select(expression string) ([]string, error) {
	return selection.Resolve(expression, each(d.assets, func(a *Asset) selection.Asset {
		return selection.Asset{Name: a.Name, Group: a.Group, Deps: a.Deps}
	}))
}

// resolveConfig turns the config of a request into one complete config for each asset. base is what the job sets, and
// fixed what the run's partition decides, by asset.
func (d *Definitions) resolveConfig(
	assets []string, base, fixed map[string]map[string]any, raw json.RawMessage,
) (map[string]json.RawMessage, error) {
	spec := func(name string) runconfig.Spec { return d.byAsset[name].config }
	return runconfig.Resolve(runconfig.Assets{Names: assets, Spec: spec, Base: base, Fixed: fixed}, raw)
}

// Asset finds an asset by name; ErrNotFound if there is none.
func (d *Definitions) Asset(name string) (*Asset, error) { return find(d.byAsset, "asset", name) }

// Job finds a job by name; ErrNotFound if there is none.
func (d *Definitions) Job(name string) (*Job, error) { return find(d.byJob, "job", name) }

// Schedule finds a schedule by name; ErrNotFound if there is none.
func (d *Definitions) Schedule(name string) (*Schedule, error) {
	return find(d.bySched, "schedule", name)
}

func find[T any](m map[string]*T, kind, name string) (*T, error) {
	if v := m[name]; v != nil {
		return v, nil
	}
	return nil, &NotFoundError{Kind: kind, Name: name}
}

// Downstream are the assets that depend directly on one.
func (d *Definitions) Downstream(name string) []string {
	down := []string{}
	for _, a := range d.assets {
		if slices.Contains(a.Deps, name) {
			down = append(down, a.Name)
		}
	}
	return down
}

// checkJobConfig makes sure that what a job sets is right; what it leaves for the run to set is not its fault.
func (d *Definitions) checkJobConfig(j *Job) []error {
	var errs []error
	for name, config := range j.Config {
		if !slices.Contains(j.Assets, name) {
			errs = append(errs, fmt.Errorf("job %q: config for asset %q, which the job does not have", j.Name, name))
			continue
		}
		_, faults := d.byAsset[name].config.Complete(config)
		for _, f := range faults {
			if !f.Missing {
				errs = append(errs, fmt.Errorf("job %q: config of %s%s: %s", j.Name, name, f.Pointer, f.Detail))
			}
		}
	}
	return errs
}

// topological sorts assets so that each comes after what it depends on; otherwise in the order of declaration.
// A cycle is returned as the names along it.
func topological(assets []*Asset) (sorted []*Asset, cycle []string) {
	byName := map[string]*Asset{}
	for _, a := range assets {
		byName[a.Name] = a
	}
	const visiting, done = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(*Asset) bool
	visit = func(a *Asset) bool {
		switch state[a.Name] {
		case done:
			return true
		case visiting:
			cycle = append(slices.Clone(path[slices.Index(path, a.Name):]), a.Name)
			return false
		}
		state[a.Name] = visiting
		path = append(path, a.Name)
		for _, dep := range a.Deps {
			if up := byName[dep]; up != nil && !visit(up) {
				return false
			}
		}
		path = path[:len(path)-1]
		state[a.Name] = done
		sorted = append(sorted, a)
		return true
	}
	for _, a := range assets {
		if !visit(a) {
			return nil, cycle
		}
	}
	return sorted, nil
}

// Next returns the n times at which the schedule is due after a moment.
func (s *Schedule) Next(after time.Time, n int) []time.Time {
	times := make([]time.Time, 0, n)
	for range n {
		after = s.times.Next(after)
		if after.IsZero() { // a date that never comes, such as February 30
			break
		}
		times = append(times, after)
	}
	return times
}

// due returns the latest time, not after now, at which the schedule was due; zero if there was none in five years.
func (s *Schedule) due(now time.Time) time.Time { return cron.Last(s.times, now) }
