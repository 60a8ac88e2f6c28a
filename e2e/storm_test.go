package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// How an asset of the storm ends.
const (
	endsWell     = "success"
	endsInError  = "failure"
	endsInPanic  = "panic"
	endsByChance = "chance" // fails every other time, and is tried again
	endsLate     = "late"   // goes on though it was told to stop, and succeeds
)

// What failures of the storm's assets say. There are no others, but those of lost workers and of timeouts.
const (
	stormError  = "the storm wants this to fail"
	stormChance = "the storm had this fail by chance"
	stormPanic  = "the storm wants this to panic"
)

// stormConfig is how an asset of the storm behaves.
type stormConfig struct {
	Millis int    `json:"millis" jsonschema:"minimum=0,maximum=60000,default=20"` // how long it works
	Lines  int    `json:"lines" jsonschema:"minimum=0,maximum=500,default=3"`     // how many it logs
	Ends   string `json:"ends" jsonschema:"default=success,enum=success,enum=failure,enum=panic,enum=chance,enum=late"`
	Blocks int    `json:"blocks" jsonschema:"minimum=0,maximum=100,default=50"` // percent of runs whose check does not pass
}

// stormLimits are the LIMITS that the storm runs under.
const stormLimits = "pool:storm=8,pool:legisinfo=2,asset:storm_b=2,asset:fetch_latest_bills=1,tag:team=ops=3"

// stormTable is where the storm's assets write with the end of their attempts.
const stormTable = `CREATE TABLE storm_ends (
    run_id uuid NOT NULL, asset text NOT NULL, attempt integer NOT NULL, status text NOT NULL
)`

// storm is a part of the pipeline that does nothing, in all the ways in which steps can be made, held back and ended.
func storm() jobs.Contribution {
	asset := func(o orchestrator.AssetOptions) *orchestrator.Asset {
		o.Group = "storm"
		return orchestrator.NewAsset(o, stormStep)
	}
	again := orchestrator.RetryPolicy{MaxAttempts: 4, Delay: 50 * time.Millisecond, MaxDelay: 200 * time.Millisecond}
	pool, parts := []string{"storm"}, orchestrator.StaticPartitions("storm_parts", stormParts...)
	return jobs.Contribution{
		Assets: []*orchestrator.Asset{
			// Limits that overlap: storm_a and storm_c are under one, storm_b is under two. A run may begin with two of
			// them, and the end of storm_d may let two of them begin.
			asset(orchestrator.AssetOptions{Name: "storm_a", Pools: pool, Retry: again}),
			asset(orchestrator.AssetOptions{Name: "storm_d", Retry: again}),
			asset(orchestrator.AssetOptions{Name: "storm_c", Pools: pool, Retry: again, Deps: []string{"storm_d"}}),
			asset(orchestrator.AssetOptions{Name: "storm_b", Pools: pool, Retry: again, Deps: []string{"storm_d"}}),
			// A blocking check, and what it holds back.
			asset(orchestrator.AssetOptions{Name: "storm_checked", Retry: again, Checks: []*orchestrator.Check{{
				Name: "storm_passes", Severity: orchestrator.SeverityError, Blocking: true, Run: stormCheck,
			}, {
				Name: "storm_warns", Severity: orchestrator.SeverityWarn, Run: stormCheck,
			}}}),
			asset(orchestrator.AssetOptions{Name: "storm_after", Deps: []string{"storm_checked"}, Retry: again}),
			asset(orchestrator.AssetOptions{Name: "storm_last", Deps: []string{"storm_after"}, Retry: again}),
			// Short timeouts, of runs and of attempts.
			asset(orchestrator.AssetOptions{Name: "storm_short"}),
			asset(orchestrator.AssetOptions{Name: "storm_short_too", Deps: []string{"storm_short"}}),
			asset(orchestrator.AssetOptions{Name: "storm_hasty", Timeout: 300 * time.Millisecond, Retry: again}),
			// Partitions, which runs of both lock in one order.
			asset(orchestrator.AssetOptions{Name: "storm_z_parted", Pools: pool, Partitions: parts, Retry: again}),
			asset(orchestrator.AssetOptions{Name: "storm_parted", Pools: pool, Partitions: parts, Retry: again}),
			// Nothing in its way.
			asset(orchestrator.AssetOptions{Name: "storm_one", Retry: again}),
		},
		Jobs: []*orchestrator.Job{
			{Name: "storm_short_job", Assets: []string{"storm_short", "storm_short_too"}, Timeout: time.Second},
			{
				Name: "storm_job", Assets: []string{"storm_a", "storm_b", "storm_c", "storm_d"},
				Priority: orchestrator.PriorityFirst,
			},
		},
	}
}

// stormStep works, logs and ends as its config says.
func stormStep(ctx context.Context, step *orchestrator.Step, c stormConfig) (orchestrator.Metadata, error) {
	step.InFinish(func(ctx context.Context, tx pgx.Tx) error {
		status, _ := step.Ending()
		_, err := tx.Exec(ctx, "INSERT INTO storm_ends (run_id, asset, attempt, status) VALUES ($1, $2, $3, $4)",
			step.RunID, step.Asset, step.Attempt, status)
		return err
	})
	pause := time.Duration(c.Millis) * time.Millisecond / time.Duration(max(1, c.Lines))
	for i := range max(1, c.Lines) {
		if i < c.Lines {
			// No two lines are the same, so one that is there twice was written twice.
			step.Log(eventlog.LevelInfo, fmt.Sprintf("line %d of %d: %016x", i+1, c.Lines, rand.Uint64()), nil)
			step.Progress(i+1, c.Lines, "storming")
		}
		select {
		case <-time.After(pause):
		case <-stopOf(ctx, c):
			return nil, ctx.Err()
		}
	}
	step.Log(eventlog.LevelInfo, fmt.Sprintf("last line: %016x", rand.Uint64()), nil)
	switch c.Ends {
	case endsInError:
		return nil, orchestrator.Permanent(errors.New(stormError))
	case endsInPanic:
		panic(stormPanic)
	case endsByChance:
		if rand.IntN(2) == 0 {
			return nil, errors.New(stormChance)
		}
	}
	return orchestrator.Metadata{"passes": stormPasses(step.RunID.String(), c.Blocks)}, nil
}

// stopOf is what tells the function to stop; what ends late does not listen.
func stopOf(ctx context.Context, c stormConfig) <-chan struct{} {
	if c.Ends == endsLate {
		return nil
	}
	return ctx.Done()
}

// stormPasses decides by the run alone, so that a retry may pass where the first run did not.
func stormPasses(run string, blocks int) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(run))
	return int(h.Sum32()%100) >= blocks
}

func stormCheck(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
	passes, _ := md["passes"].(bool)
	return orchestrator.CheckOutcome{Passed: passes, Message: "as the storm wants it"}, nil
}

// stormParted draws a request for a run of one partition, or for a backfill.
func stormParted(rng *rand.Rand) (path, body string) {
	config := map[string]any{}
	assets := [][]string{{"storm_parted"}, {"storm_z_parted"}, {"storm_parted", "storm_z_parted"}}[rng.IntN(3)]
	for _, a := range assets {
		ends := []string{endsWell, endsWell, endsByChance, endsInError}[rng.IntN(4)]
		config[a] = map[string]any{"config": stormConfig{Millis: rng.IntN(100), Lines: rng.IntN(4), Ends: ends}}
	}
	request := map[string]any{"assets": assets, "config": map[string]any{"ops": config}}
	if path = "/runs"; rng.IntN(3) == 0 {
		path, request["concurrency"] = "/backfills", 1+rng.IntN(4)
		request["partitions"] = stormParts[rng.IntN(3):]
	} else {
		request["partition"] = stormParts[rng.IntN(len(stormParts))]
	}
	raw, _ := json.Marshal(request)
	return path, string(raw)
}

// stormRequest is the path and the body that ask for a run of one job or of some assets of the storm.
func stormRequest(
	job string, assets []string, config map[string]stormConfig, tags map[string]string, priority int,
) (path, body string) {
	ops := map[string]any{}
	for asset, c := range config {
		ops[asset] = map[string]any{"config": c}
	}
	request := map[string]any{"config": map[string]any{"ops": ops}}
	if priority > 0 {
		request["priority"] = priority
	}
	if len(tags) > 0 {
		request["tags"] = tags
	}
	path = "/jobs/" + job + "/runs"
	if job == "" {
		path, request["assets"] = "/runs", assets
	}
	raw, _ := json.Marshal(request)
	return path, string(raw)
}

// stormParts are few, so that runs meet.
var stormParts = []string{"p1", "p2", "p3", "p4", "p5", "p6"}

// stormSelections are those of the storm that overlap each other.
var stormSelections = [][]string{
	{"storm_a", "storm_b"}, {"storm_b"}, {"storm_b", "storm_c"}, {"storm_a", "storm_c"}, {"storm_c"},
	{"storm_b", "storm_c", "storm_d"}, {"storm_a", "storm_b", "storm_c", "storm_d"},
}

// stormDraw draws a request of the storm.
func stormDraw(rng *rand.Rand) (path, body string) {
	config := map[string]stormConfig{}
	draw := func(assets []string, longest int, ends ...string) {
		for _, a := range assets {
			config[a] = stormConfig{Millis: rng.IntN(longest), Lines: rng.IntN(8), Ends: ends[rng.IntN(len(ends))], Blocks: 60}
		}
	}
	var tags map[string]string
	priority := rng.IntN(5) // 0: the default
	if rng.IntN(8) == 0 {
		tags = map[string]string{"team": "ops"}
	}
	switch k := rng.IntN(100); {
	case k < 50:
		assets := stormSelections[rng.IntN(len(stormSelections))]
		draw(assets, 150, endsWell, endsWell, endsWell, endsWell, endsByChance, endsByChance, endsInError)
		return stormRequest("", assets, config, tags, priority)
	case k < 55:
		draw([]string{"storm_a", "storm_b", "storm_c", "storm_d"}, 60, endsWell)
		return stormRequest("storm_job", nil, config, tags, priority)
	case k < 75:
		assets := []string{"storm_checked", "storm_after", "storm_last"}
		draw(assets, 100, endsWell, endsWell, endsWell, endsByChance, endsInPanic)
		return stormRequest("", assets, config, tags, priority)
	case k < 85:
		draw([]string{"storm_short", "storm_short_too"}, 1600, endsWell, endsWell, endsLate)
		return stormRequest("storm_short_job", nil, config, tags, priority)
	case k < 90:
		draw([]string{"storm_hasty"}, 600, endsWell, endsLate)
		return stormRequest("", []string{"storm_hasty"}, config, tags, priority)
	default: // lines faster than they are flushed, until the very end
		config["storm_one"] = stormConfig{Millis: 100 + rng.IntN(500), Lines: 100 + rng.IntN(200), Ends: endsWell}
		return stormRequest("", []string{"storm_one"}, config, tags, priority)
	}
}
