package orchestrator_test

import (
	"context"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// An asset is a Go function with a config. The config is a struct: its tags give the JSON Schema, the defaults and the
// validation.
func ExampleNewAsset() {
	type config struct {
		Limit int `json:"limit" jsonschema:"minimum=1,maximum=500,default=50" jsonschema_description:"How many bills."`
	}
	bills := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:        "bills",
		Group:       "bills",
		Description: "The newest bills.",
		Retry:       orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 10 * time.Second},
	}, func(_ context.Context, step *orchestrator.Step, c config) (orchestrator.Metadata, error) {
		step.Progress(c.Limit, c.Limit, "fetched")
		return orchestrator.Metadata{"bills": c.Limit}, nil
	})
	fmt.Println(bills.Name, bills.DefaultConfig()["limit"])
	// Output: bills 50
}

// A schedule starts a job at the times of a cron expression. It is stopped until it is started.
func ExampleSchedule() {
	nightly := &orchestrator.Schedule{Name: "nightly", Description: "Every night.", Job: "fetch", Cron: "0 2 * * *"}
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{
		Assets:    []*orchestrator.Asset{exampleAsset("bills", orchestrator.AssetOptions{})},
		Jobs:      []*orchestrator.Job{{Name: "fetch", Description: "Fetches bills.", Assets: []string{"bills"}}},
		Schedules: []*orchestrator.Schedule{nightly},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	nightly, _ = defs.Schedule("nightly")
	// clocks go forward on the 8th
	for _, at := range nightly.Next(time.Date(2026, time.March, 7, 12, 0, 0, 0, time.UTC), 2) {
		fmt.Println(at)
	}
	// Output:
	// 2026-03-08 03:00:00 -0400 EDT
	// 2026-03-09 02:00:00 -0400 EDT
}

// A sensor is evaluated when what it waits for has happened, and may start runs. This one waits for materializations of
// an asset.
func ExampleNewAssetSensor() {
	sensor := orchestrator.NewAssetSensor(orchestrator.Sensor{
		Name: "new_bills", Description: "Makes feeds of new bills.", Jobs: []string{"feeds_job"},
		Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			result := &orchestrator.SensorResult{}
			for _, m := range ev.Materializations {
				result.Runs = append(result.Runs, orchestrator.RunRequest{Job: "feeds_job", RunKey: m.ID.String()})
			}
			return result, nil
		},
	}, "bills")
	d, err := orchestrator.NewDefinitions(orchestrator.Declarations{
		Assets: []*orchestrator.Asset{
			exampleAsset("bills", orchestrator.AssetOptions{}),
			exampleAsset("feeds", orchestrator.AssetOptions{Deps: []string{"bills"}}),
		},
		Jobs:    []*orchestrator.Job{{Name: "feeds_job", Description: "Makes feeds.", Selection: "feeds"}},
		Sensors: []*orchestrator.Sensor{sensor},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range d.Sensors() {
		fmt.Println(s.Name, s.Kind(), s.Interval)
	}
	// Output: new_bills asset 30s
}

// A partition set divides an asset into parts that are materialized one by one.
func ExampleTimePartitions() {
	days := orchestrator.TimePartitions("days", orchestrator.TimeWindows{Every: orchestrator.Daily, Start: "2026-01-01"})
	votes := exampleAsset("votes", orchestrator.AssetOptions{Partitions: days, PartitionRequired: true})
	if _, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{votes}}); err != nil {
		fmt.Println(err)
		return
	}
	start, end, ok := days.Window("2026-03-08")
	fmt.Println(ok, start.Format(time.DateOnly), end.Sub(start)) // the day on which clocks go forward
	// Output: true 2026-03-08 23h0m0s
}

// exampleAsset makes an asset without config that does nothing.
func exampleAsset(name string, options orchestrator.AssetOptions) *orchestrator.Asset {
	options.Name, options.Description = name, "An example."
	return orchestrator.NewAsset(options,
		func(context.Context, *orchestrator.Step, struct{}) (orchestrator.Metadata, error) {
			return orchestrator.Metadata{}, nil
		})
}
