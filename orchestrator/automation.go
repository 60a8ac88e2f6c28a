package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/cron"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// AutomationSensorName is the sensor that materializes assets by their automation conditions. It exists if an
// asset has one, and is stopped until it is started, like every sensor.
const AutomationSensorName = "automation_sensor"

// Automation is the condition under which the automation sensor materializes an asset. Make one with OnCron, Eager or
// OnMissing.
type Automation struct {
	// Condition is the condition in words.
	Condition string

	kind  string // cron, eager or missing
	cron  string
	zone  string
	times cron.Schedule
}

// OnCron materializes an asset once after each time of a cron expression, when everything it depends on was
// materialized since that time too. zone is an IANA name; empty for America/Toronto.
func OnCron(expression, zone string) *Automation {
	if zone == "" {
		zone = DefaultTimeZone
	}
	return &Automation{
		kind:      "cron",
		cron:      expression,
		zone:      zone,
		Condition: fmt.Sprintf("on cron %s (%s)", expression, zone),
	}
}

// Eager materializes an asset whenever something it depends on is newer than it, and nothing of that is missing. Of a
// partitioned asset, the latest partition.
func Eager() *Automation { return &Automation{kind: "eager", Condition: "eager"} }

// OnMissing materializes an asset that was never materialized, once everything it depends on was. Of a partitioned
// asset it materializes the missing partitions: of time windows the latest, of other sets all, ten at a time.
func OnMissing() *Automation { return &Automation{kind: "missing", Condition: "on missing"} }

func (a *Automation) check() (err error) {
	if a.kind == "cron" {
		a.times, err = cron.Parse(a.cron, a.zone)
	}
	return err
}

// AutomationVerdict is whether an asset's condition holds now.
type AutomationVerdict struct {
	Condition string
	// WouldRun says whether the condition holds, and Reason why, or why not.
	WouldRun bool
	Reason   string
	// SensorRunning says whether the automation sensor is running.
	SensorRunning bool

	partitions []string
	since      time.Time // what the condition counts from, for the run key
}

// AutomationOf returns whether an asset's condition holds; nil if it has none.
func (e *Engine) AutomationOf(ctx context.Context, name string) (*AutomationVerdict, error) {
	a, err := e.defs.Asset(name)
	if err != nil || a.Automation == nil {
		return nil, err
	}
	state, err := e.Sensor(ctx, AutomationSensorName)
	if err != nil {
		return nil, err
	}
	graph, err := e.graph(ctx)
	if err != nil {
		return nil, err
	}
	v, err := e.judge(ctx, a, graph, e.now())
	if err != nil {
		return nil, err
	}
	v.SensorRunning = state.Running
	if v.WouldRun && !v.SensorRunning {
		v.Reason += "; " + AutomationSensorName + " is stopped, so nothing happens"
	}
	return v, nil
}

// missingAtOnce is how many missing partitions are materialized by one evaluation.
const missingAtOnce = 10

// judge returns whether the condition of an asset holds.
func (e *Engine) judge(
	ctx context.Context,
	a *Asset,
	graph map[string]*AssetNode,
	now time.Time,
) (*AutomationVerdict, error) {
	v := &AutomationVerdict{Condition: a.Automation.Condition}
	node := graph[a.Name]
	if node.Status == PartitionRunning {
		v.Reason = "it is being materialized"
		return v, nil
	}
	for _, dep := range a.Deps {
		if graph[dep].LastMaterializedAt == nil {
			v.Reason = dep + ", which it depends on, was never materialized"
			return v, nil
		}
		if graph[dep].Status == PartitionRunning {
			v.Reason = dep + ", which it depends on, is being materialized"
			return v, nil
		}
	}
	if held, err := e.heldBack(ctx, a); err != nil || held != "" {
		v.Reason = held
		return v, err
	}
	var latest []string
	if a.Partitions != nil {
		keys, err := e.Partitions(ctx, a.Partitions)
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 {
			v.Reason = "it has no partitions yet"
			return v, nil
		}
		latest = keys[len(keys)-1:]
	}
	var err error
	switch a.Automation.kind {
	case "cron":
		e.judgeCron(a, node, graph, now, v)
	case "eager":
		e.judgeEager(a, node, graph, v)
	default:
		err = e.judgeMissing(ctx, a, node, v)
	}
	if v.partitions == nil {
		v.partitions = latest
	}
	return v, err
}

// heldBack returns why an asset is held back: a blocking check of an asset that it depends on does not pass; empty if
// none. In a run with both assets that check would hold it back too.
func (e *Engine) heldBack(ctx context.Context, a *Asset) (string, error) {
	var assets, names []string
	for _, dep := range a.Deps {
		for _, c := range e.defs.byAsset[dep].Checks {
			if c.Blocking && c.Severity == SeverityError {
				assets, names = append(assets, dep), append(names, c.Name)
			}
		}
	}
	if len(assets) == 0 {
		return "", nil
	}
	rows, err := e.q.LatestCheckResults(ctx, sql.LatestCheckResultsParams{Assets: assets, Names: names})
	for _, r := range rows {
		if !r.Passed {
			return fmt.Sprintf("check %s of %s, which it depends on, does not pass", r.Name, r.Asset), err
		}
	}
	return "", err
}

func (e *Engine) judgeCron(
	a *Asset,
	node *AssetNode,
	graph map[string]*AssetNode,
	now time.Time,
	v *AutomationVerdict,
) {
	v.since = cron.Last(a.Automation.times, now)
	next := a.Automation.times.Next(now)
	if v.since.IsZero() || (node.LastMaterializedAt != nil && !node.LastMaterializedAt.Before(v.since)) {
		v.Reason = "it was materialized since the last time; the next is " + next.UTC().Format(time.RFC3339)
		return
	}
	for _, dep := range a.Deps {
		if graph[dep].LastMaterializedAt.Before(v.since) {
			v.Reason = fmt.Sprintf(
				"%s, which it depends on, was not materialized since %s", dep, v.since.UTC().Format(time.RFC3339),
			)
			return
		}
	}
	v.WouldRun, v.Reason = true, "it was not materialized since "+v.since.UTC().Format(time.RFC3339)
}

func (e *Engine) judgeEager(a *Asset, node *AssetNode, graph map[string]*AssetNode, v *AutomationVerdict) {
	var newer []string
	for _, dep := range a.Deps {
		at := *graph[dep].LastMaterializedAt
		if node.LastMaterializedAt == nil || at.After(*node.LastMaterializedAt) {
			newer = append(newer, dep)
			if at.After(v.since) {
				v.since = at
			}
		}
	}
	switch {
	case len(newer) == 0:
		v.Reason = "nothing it depends on is newer"
	case node.LastMaterializedAt == nil:
		v.WouldRun, v.Reason = true, "it was never materialized"
	default:
		v.WouldRun, v.Reason = true, "newer than it: "+strings.Join(newer, ", ")
	}
}

func (e *Engine) judgeMissing(ctx context.Context, a *Asset, node *AssetNode, v *AutomationVerdict) error {
	if a.Partitions == nil {
		if v.WouldRun = node.LastMaterializedAt == nil; v.WouldRun {
			v.Reason = "it was never materialized"
		} else {
			v.Reason = "it is there"
		}
		return nil
	}
	states, err := e.PartitionStates(ctx, a.Name)
	if err != nil {
		return err
	}
	if a.Partitions.Kind == PartitionsTime {
		states = states[len(states)-1:]
	}
	for _, s := range states {
		if s.Status == PartitionMissing && len(v.partitions) < missingAtOnce {
			v.partitions = append(v.partitions, s.Key)
		}
	}
	if v.WouldRun = len(v.partitions) > 0; v.WouldRun {
		v.Reason = "missing: " + strings.Join(v.partitions, ", ")
	} else {
		v.Reason = "no partition is missing that it looks after"
	}
	return nil
}

// automationSensor makes the sensor that materializes assets whose conditions hold. A run key keeps one cause from
// starting two runs. A run that failed is not repeated until there is a new cause.
func automationSensor() *Sensor {
	return &Sensor{
		Name: AutomationSensorName, Description: "Materializes assets by their automation conditions.",
		DescriptionFR: "Matérialise les actifs selon leurs conditions d’automatisation.",
		Interval:      5 * time.Second, kind: SensorAutomation,
		Evaluate: func(context.Context, *Evaluation) (*SensorResult, error) {
			return nil, errors.New("evaluated by the engine")
		},
	}
}

func (e *Engine) evaluateAutomation(ctx context.Context) (*SensorResult, error) {
	graph, err := e.graph(ctx)
	if err != nil {
		return nil, err
	}
	result := &SensorResult{}
	now := e.now()
	for _, a := range e.defs.assets {
		if a.Automation == nil {
			continue
		}
		v, err := e.judge(ctx, a, graph, now)
		if err != nil {
			return nil, err
		}
		if !v.WouldRun {
			continue
		}
		parts := v.partitions
		if a.Partitions == nil {
			parts = []string{""}
		}
		for _, key := range parts {
			result.Runs = append(result.Runs, RunRequest{
				Assets: []string{a.Name}, Partition: key, Tags: map[string]string{"automation": a.Automation.kind},
				RunKey: strings.Join([]string{a.Name, key, a.Automation.kind, v.since.UTC().Format(time.RFC3339Nano)}, " "),
			})
		}
	}
	if len(result.Runs) == 0 {
		result.Skip = "no condition holds"
	}
	return result, nil
}

// AssetNode is an asset in the graph, with its state.
type AssetNode struct {
	Name  string
	Group string
	// Status is PartitionMissing, PartitionMaterialized, PartitionFailed or PartitionRunning, of the latest run that had
	// it.
	Status             string
	LastRun            *uuid.UUID
	LastMaterializedAt *time.Time
	// Stale says that something upstream is newer; StaleCauses which, the nearest.
	Stale       bool
	StaleCauses []string
	Deps        []string
}

// Graph returns the named assets, or all, with their state, in dependency order.
func (e *Engine) Graph(ctx context.Context, names []string) ([]AssetNode, error) {
	nodes, err := e.graph(ctx)
	if err != nil {
		return nil, err
	}
	var out []AssetNode
	for _, a := range e.defs.assets {
		if names == nil || slices.Contains(names, a.Name) {
			out = append(out, *nodes[a.Name])
		}
	}
	return out, nil
}

func (e *Engine) graph(ctx context.Context) (map[string]*AssetNode, error) {
	names := each(e.defs.assets, func(a *Asset) string { return a.Name })
	latest, err := e.LatestMaterializations(ctx, names)
	if err != nil {
		return nil, err
	}
	steps, err := e.q.LatestSteps(ctx, names)
	if err != nil {
		return nil, err
	}
	nodes := map[string]*AssetNode{}
	for _, a := range e.defs.assets {
		n := &AssetNode{Name: a.Name, Group: a.Group, Status: PartitionMissing, StaleCauses: []string{}, Deps: a.Deps}
		if m, ok := latest[a.Name]; ok {
			n.Status, n.LastMaterializedAt = PartitionMaterialized, &m.CreatedAt
		}
		nodes[a.Name] = n
		if n.LastMaterializedAt == nil {
			continue
		}
		for _, dep := range a.Deps { // dependency order: upstream assets were judged before
			up := nodes[dep]
			if up.Stale || (up.LastMaterializedAt != nil && up.LastMaterializedAt.After(*n.LastMaterializedAt)) {
				n.Stale = true
				n.StaleCauses = append(n.StaleCauses, dep)
			}
		}
	}
	for _, s := range steps {
		n := nodes[s.Asset]
		n.LastRun = &s.RunID
		switch {
		case !terminal(s.Status) && s.Status != StatusWaiting:
			n.Status = PartitionRunning
		case s.Status == StatusFailure:
			n.Status = PartitionFailed
		}
	}
	return nodes, nil
}
