package orchestrator

import (
	"encoding/json"
	"slices"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/selection"
)

// Definitions are all assets, jobs, schedules and sensors of a deployment, checked by NewDefinitions. They do not
// change afterwards, so that any goroutine may read them.
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

// Declarations are what NewDefinitions checks. It completes copies of them and does not change them, so they may be
// shared.
type Declarations struct {
	Assets    []*Asset
	Jobs      []*Job
	Schedules []*Schedule
	Sensors   []*Sensor
}

// clone copies declarations as far as NewDefinitions completes them.
func (all Declarations) clone() Declarations {
	assets := copies(all.Assets)
	for _, a := range assets {
		a.Checks = copies(a.Checks)
		a.Freshness, a.Automation = copied(a.Freshness), copied(a.Automation)
	}
	return Declarations{
		Assets: assets, Jobs: copies(all.Jobs), Schedules: copies(all.Schedules), Sensors: copies(all.Sensors),
	}
}

func copies[T any](all []*T) []*T {
	all = slices.Clone(all)
	for i, v := range all {
		all[i] = copied(v)
	}
	return all
}

func copied[T any](v *T) *T {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}

// Assets returns all assets in dependency order.
func (d *Definitions) Assets() []*Asset { return d.assets }

// Jobs returns all jobs in the order of declaration.
func (d *Definitions) Jobs() []*Job { return d.jobs }

// Schedules returns all schedules in the order of declaration.
func (d *Definitions) Schedules() []*Schedule { return d.schedules }

// Sensors returns all sensors in the order of declaration.
func (d *Definitions) Sensors() []*Sensor { return d.sensors }

// Sensor finds a sensor by name; ErrNotFound if there is none.
func (d *Definitions) Sensor(name string) (*Sensor, error) { return find(d.bySensor, "sensor", name) }

// partitionSet returns the set that all partitioned assets of a run share; nil if none is partitioned.
func (d *Definitions) partitionSet(at string, assets []string) (*PartitionSet, error) {
	var of string
	var set *PartitionSet
	for _, name := range assets {
		switch s := d.byAsset[name].Partitions; {
		case s == nil:
		case set == nil:
			of, set = name, s
		case s != set:
			return nil, invalidRequest(
				at, "%s is partitioned by %s and %s by %s: they cannot be in one run with a partition", of, set.Name,
				name, s.Name,
			)
		}
	}
	return set, nil
}

// Select returns the assets that a selection chooses, in dependency order; see package selection for its syntax. An
// error says where the selection cannot be read, or which name selects nothing.
func (d *Definitions) Select(expression string) ([]string, error) {
	return selection.Resolve(expression, each(d.assets, func(a *Asset) selection.Asset {
		return selection.Asset{
			Name: a.Name, Group: a.Group, Deps: a.Deps, Owners: a.Owners, Kinds: a.Kinds, Tags: a.Tags,
		}
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

// Downstream returns the assets that depend directly on one.
func (d *Definitions) Downstream(name string) []string {
	down := []string{}
	for _, a := range d.assets {
		if slices.Contains(a.Deps, name) {
			down = append(down, a.Name)
		}
	}
	return down
}
