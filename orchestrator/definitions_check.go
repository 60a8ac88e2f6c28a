package orchestrator

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/cron"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// definer collects the faults of declarations while it completes them.
type definer struct {
	*Definitions
	errs []error
}

func (d *definer) addError(format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf(format, args...))
}

// named checks a name. taken says that another thing of the kind has it.
func (d *definer) named(kind, name string, taken bool) {
	if !validName.MatchString(name) {
		d.addError(
			"%s %q: a name has lower-case letters, digits and underscores, begins with a letter and has 63 characters at most",
			kind,
			name,
		)
	}
	if taken {
		d.addError("%s %q is declared twice", kind, name)
	}
}

// NewDefinitions checks declarations, completes copies of them with defaults, and puts the assets into dependency
// order. The error names every fault.
func NewDefinitions(all Declarations) (*Definitions, error) {
	all = all.clone()
	d := &definer{Definitions: &Definitions{
		byAsset: map[string]*Asset{}, byJob: map[string]*Job{},
		bySched: map[string]*Schedule{}, bySensor: map[string]*Sensor{},
	}}
	acyclic := d.addAssets(all.Assets)
	for _, j := range all.Jobs {
		d.addJob(j, acyclic)
	}
	d.jobs = all.Jobs
	for _, s := range all.Schedules {
		d.addSchedule(s)
	}
	d.schedules = all.Schedules
	if slices.ContainsFunc(all.Assets, func(a *Asset) bool { return a.Automation != nil }) {
		all.Sensors = append(all.Sensors, automationSensor())
	}
	for _, s := range all.Sensors {
		d.named("sensor", s.Name, d.bySensor[s.Name] != nil)
		d.bySensor[s.Name] = s
		if err := s.check(d.Definitions); err != nil {
			d.addError("sensor %q: %w", s.Name, err)
		}
	}
	d.sensors = all.Sensors
	if len(d.errs) > 0 {
		return nil, fmt.Errorf("definitions: %w", errors.Join(d.errs...))
	}
	return d.Definitions, nil
}

// addAssets adds the assets in dependency order. It reports false if they depend on each other in a circle.
func (d *definer) addAssets(assets []*Asset) (acyclic bool) {
	for _, a := range assets {
		d.named("asset", a.Name, d.byAsset[a.Name] != nil)
		d.byAsset[a.Name] = a
		if a.err != nil {
			d.addError("asset %q: %w", a.Name, a.err)
		}
	}
	for _, a := range assets {
		for _, dep := range a.Deps {
			if d.byAsset[dep] == nil {
				d.addError("asset %q depends on %q, which is not declared", a.Name, dep)
			}
		}
	}
	sorted, cycle := topological(assets)
	if cycle != nil {
		d.addError("assets depend on each other in a circle: %s", strings.Join(cycle, " -> "))
	}
	d.assets = sorted
	d.errs = append(d.errs, d.checkAssets(assets, d.named)...)
	return cycle == nil
}

// addJob adds a job. acyclic says that the assets are in dependency order, so that selections can be resolved.
func (d *definer) addJob(j *Job, acyclic bool) {
	d.named("job", j.Name, d.byJob[j.Name] != nil)
	d.byJob[j.Name] = j
	if j.Selection != "" && acyclic {
		var err error
		if j.Assets, err = d.Select(j.Selection); err != nil {
			d.addError("job %q: selection %q: %w", j.Name, j.Selection, err)
			return
		}
	}
	if err := checkTags(j.Tags); err != nil {
		d.addError("job %q: %w", j.Name, err)
	}
	if j.Priority != 0 && (j.Priority < PriorityFirst || j.Priority > PriorityLast) {
		d.addError("job %q: priority %d: want %d to %d", j.Name, j.Priority, PriorityFirst, PriorityLast)
	}
	if len(j.Assets) == 0 {
		d.addError("job %q has no assets", j.Name)
	}
	known := true
	for _, name := range j.Assets {
		if d.byAsset[name] == nil {
			d.addError("job %q: asset %q is not declared", j.Name, name)
			known = false
		}
	}
	if known && acyclic {
		d.errs = append(d.errs, d.checkJobConfig(j)...)
	}
}

func (d *definer) addSchedule(s *Schedule) {
	d.named("schedule", s.Name, d.bySched[s.Name] != nil)
	d.bySched[s.Name] = s
	if d.byJob[s.Job] == nil {
		d.addError("schedule %q: job %q is not declared", s.Name, s.Job)
	}
	if s.TimeZone == "" {
		s.TimeZone = DefaultTimeZone
	}
	var err error
	if s.times, err = cron.Parse(s.Cron, s.TimeZone); err != nil {
		d.addError("schedule %q: %w", s.Name, err)
	}
}

// checkAssets checks what assets declare beside their functions.
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
		for _, err := range a.checkLabels() {
			fault(err)
		}
		checks := map[string]bool{}
		for _, c := range a.Checks {
			named("check of "+a.Name, c.Name, checks[c.Name])
			checks[c.Name] = true
			if c.Severity == "" {
				c.Severity = SeverityWarn
			}
			if c.Run == nil || (c.Severity != SeverityWarn && c.Severity != SeverityError) ||
				(c.Blocking && c.Severity != SeverityError) {
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

var (
	validOwner = regexp.MustCompile(`^(team:[a-z0-9][a-z0-9_.-]{0,62}|[^\s@:]+@[^\s@:]+\.[^\s@:]+)$`)
	validKind  = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,31}$`)
)

// checkLabels checks the owners, tags and kinds of an asset.
func (a *Asset) checkLabels() []error {
	var errs []error
	each := func(what string, values []string, valid *regexp.Regexp, want string) {
		seen := map[string]bool{}
		for _, v := range values {
			switch {
			case !valid.MatchString(v):
				errs = append(errs, fmt.Errorf("%s %q: want %s", what, v, want))
			case seen[v]:
				errs = append(errs, fmt.Errorf("%s %q is there twice", what, v))
			}
			seen[v] = true
		}
	}
	each("owner", a.Owners, validOwner, `an email address, or "team:" and a name of lower-case letters and digits`)
	each("kind", a.Kinds, validKind, "at most 32 lower-case letters, digits, dots, dashes and underscores")
	if err := checkTags(a.Tags); err != nil {
		errs = append(errs, err)
	}
	for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
		if n := utf8.RuneCountInString(a.Tags[key]); n > maxTagValue {
			errs = append(errs, fmt.Errorf("tag %q: its value has %d characters: want %d at most", key, n, maxTagValue))
		}
	}
	return errs
}

// checkJobConfig checks what a job sets. A required field that it leaves for the run to set is no fault.
func (d *Definitions) checkJobConfig(j *Job) []error {
	var errs []error
	j.config = map[string]map[string]any{}
	for name, config := range j.Config {
		if !slices.Contains(j.Assets, name) {
			errs = append(errs, fmt.Errorf("job %q: config for asset %q, which the job does not have", j.Name, name))
			continue
		}
		var err error
		if j.config[name], err = runconfig.Normalize(config); err != nil {
			errs = append(errs, fmt.Errorf("job %q: config of %s: %w", j.Name, name, err))
			continue
		}
		_, faults := d.byAsset[name].config.Complete(j.config[name])
		for _, f := range faults {
			if !f.Missing {
				errs = append(errs, fmt.Errorf("job %q: config of %s%s: %s", j.Name, name, f.Pointer, f.Detail))
			}
		}
	}
	return errs
}

// topological sorts assets so that each comes after those that it depends on, and otherwise in the order of
// declaration. A cycle is returned as the names along it.
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
