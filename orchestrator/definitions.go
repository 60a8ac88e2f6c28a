// Package orchestrator is the engine: it runs named assets as jobs, on demand and on schedule, over any number of
// worker processes that share one Postgres. It knows the words asset, job, run, step, schedule, tick and event, and
// nothing of what the assets are about.
//
// River carries the work: one River job for every step of a run, River periodic jobs for schedules. What the engine
// adds is the record: a run and its jobs begin in one transaction, a step ends in one transaction, and whatever
// crashes in between is done again without being recorded twice.
package orchestrator

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Definitions are all assets, jobs and schedules of a deployment, checked by NewDefinitions. They never change while a
// process runs.
type Definitions struct {
	assets    []*Asset // in dependency order
	jobs      []*Job
	schedules []*Schedule
	byAsset   map[string]*Asset
	byJob     map[string]*Job
	bySched   map[string]*Schedule
}

// Job is a named selection of assets with their config.
type Job struct {
	// Name is lower-case with underscores.
	Name string
	// Description is one or two sentences for people.
	Description string
	// Assets are the names of what the job materializes; dependencies among them give the order.
	Assets []string
	// Config is by asset name; a run may override single keys. Default: the assets' own defaults.
	Config map[string]map[string]any
	// Tags are put on every run of the job.
	Tags map[string]string
	// Timeout ends a run that takes longer, as a failure; default none.
	Timeout time.Duration
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

	times    cron.Schedule
	location *time.Location
}

// DefaultTimeZone is where Parliament sits.
const DefaultTimeZone = "America/Toronto"

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// NewDefinitions checks everything and puts the assets into dependency order. The error names every fault found.
func NewDefinitions(assets []*Asset, jobs []*Job, schedules []*Schedule) (*Definitions, error) {
	d := &Definitions{byAsset: map[string]*Asset{}, byJob: map[string]*Job{}, bySched: map[string]*Schedule{}}
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
	for _, j := range jobs {
		named("job", j.Name, d.byJob[j.Name] != nil)
		d.byJob[j.Name] = j
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
		if s.location, err = time.LoadLocation(s.TimeZone); err != nil {
			fault("schedule %q: time zone %q is not known", s.Name, s.TimeZone)
			continue
		}
		if strings.HasPrefix(s.Cron, "@every") { // counted from whenever a process started: replicas would not agree
			fault("schedule %q: cron %q: want five fields or @hourly, @daily, @weekly, @monthly", s.Name, s.Cron)
			continue
		}
		if s.times, err = cron.ParseStandard("CRON_TZ=" + s.TimeZone + " " + s.Cron); err != nil {
			fault("schedule %q: cron %q: %w", s.Name, s.Cron, err)
		}
	}
	d.schedules = schedules
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
		_, faults := d.byAsset[name].config.complete(config)
		for _, f := range faults {
			if !f.missing {
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
func (s *Schedule) due(now time.Time) time.Time {
	for back := time.Minute; back < 5*366*24*time.Hour; back *= 2 {
		at := s.times.Next(now.Add(-back))
		if at.IsZero() || at.After(now) {
			continue
		}
		for {
			next := s.times.Next(at)
			if next.IsZero() || next.After(now) {
				return at
			}
			at = next
		}
	}
	return time.Time{}
}
