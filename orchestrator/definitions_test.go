package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// TestDeclarationsAreNotChanged makes two definitions of the same declarations at the same time. What one of them
// completes must not be written where the other reads.
func TestDeclarationsAreNotChanged(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, nil)
	a.Freshness = &orchestrator.Freshness{By: "30 3 * * *"}
	a.Automation = orchestrator.OnCron("0 0 1 1 *", "")
	a.Checks = []*orchestrator.Check{{
		Name: "c",
		Run: func(context.Context, *orchestrator.Step, orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
			panic("not run")
		},
	}}
	job := &orchestrator.Job{Name: "j", Selection: "*"}
	schedule := &orchestrator.Schedule{Name: "s", Job: "j", Cron: "0 * * * *"}
	sensor := &orchestrator.Sensor{
		Name: "e", Jobs: []string{"j"},
		Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) { panic("not run") },
	}
	all := orchestrator.Declarations{
		Assets: []*orchestrator.Asset{a}, Jobs: []*orchestrator.Job{job},
		Schedules: []*orchestrator.Schedule{schedule}, Sensors: []*orchestrator.Sensor{sensor},
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			defs, err := orchestrator.NewDefinitions(all)
			if err != nil {
				t.Error(err)
				return
			}
			made, err := defs.Asset("a")
			if err != nil || made.Freshness.TimeZone == "" || made.Checks[0].Severity == "" || defs.Sensors()[0].Interval == 0 ||
				defs.Schedules()[0].TimeZone == "" || len(defs.Jobs()[0].Assets) != 1 {
				t.Errorf("not completed: %+v, %v", made, err)
			}
		})
	}
	both.Wait()
	if a.Freshness.TimeZone != "" || a.Checks[0].Severity != "" || sensor.Interval != 0 || schedule.TimeZone != "" ||
		job.Assets != nil || len(all.Sensors) != 1 {
		t.Errorf("changed: %+v, %+v, %+v, %+v", a, job, schedule, sensor)
	}
}

func TestNewDefinitions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		assets    []*orchestrator.Asset
		jobs      []*orchestrator.Job
		schedules []*orchestrator.Schedule
		want      string
	}{
		"unknown dependency": {assets: []*orchestrator.Asset{asset("a", []string{"b"}, nil)}, want: `asset "a" depends on "b", which is not declared`},
		"cycle":              {assets: []*orchestrator.Asset{asset("a", []string{"b"}, nil), asset("b", []string{"c"}, nil), asset("c", []string{"a"}, nil)}, want: "a -> b -> c -> a"},
		"asset twice":        {assets: []*orchestrator.Asset{asset("a", nil, nil), asset("a", nil, nil)}, want: `asset "a" is declared twice`},
		"bad name":           {assets: []*orchestrator.Asset{asset("A b", nil, nil)}, want: `asset "A b": a name has lower-case letters`},
		"job without assets": {jobs: []*orchestrator.Job{{Name: "j"}}, want: `job "j" has no assets`},
		"unknown asset":      {jobs: []*orchestrator.Job{{Name: "j", Assets: []string{"x"}}}, want: `job "j": asset "x" is not declared`},
		"wrong job config": {assets: []*orchestrator.Asset{asset("a", nil, nil)}, jobs: []*orchestrator.Job{{Name: "j", Assets: []string{"a"}, Config: map[string]map[string]any{"a": {"nope": 1}}}},
			want: `job "j": config of a/nope: is not a config field`},
		"unknown job":   {schedules: []*orchestrator.Schedule{{Name: "s", Job: "j", Cron: "0 * * * *"}}, want: `schedule "s": job "j" is not declared`},
		"bad cron":      {schedules: []*orchestrator.Schedule{{Name: "s", Job: "j", Cron: "61 * * * *"}}, want: `schedule "s": cron "61 * * * *"`},
		"every":         {schedules: []*orchestrator.Schedule{{Name: "s", Job: "j", Cron: "@every 5m"}}, want: `cron "@every 5m": want five fields`},
		"bad time zone": {schedules: []*orchestrator.Schedule{{Name: "s", Job: "j", Cron: "0 * * * *", TimeZone: "Mars/Olympus"}}, want: `time zone "Mars/Olympus" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := orchestrator.NewDefinitions(
				orchestrator.Declarations{Assets: c.assets, Jobs: c.jobs, Schedules: c.schedules},
			)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestRunConfig(t *testing.T) {
	t.Parallel()
	type config struct {
		Limit   int    `json:"limit" jsonschema:"minimum=1,maximum=500,default=50"`
		Session string `json:"session,omitempty" jsonschema:"pattern=^[0-9]+$"`
	}
	f := func(context.Context, *orchestrator.Step, config) (orchestrator.Metadata, error) { return nil, nil }
	a := orchestrator.NewAsset(orchestrator.AssetOptions{Name: "a"}, f)
	b := orchestrator.NewAsset(orchestrator.AssetOptions{Name: "b"}, f)
	defs := define(t, []*orchestrator.Asset{a, b}, []*orchestrator.Job{
		{
			Name:   "one",
			Assets: []string{"a"},
			Config: map[string]map[string]any{"a": {"limit": 20}},
		}, {Name: "two", Assets: []string{"a", "b"}},
	})
	e := setup(t, defs, func(c *orchestrator.Config) { c.Work = false })
	for name, c := range map[string]struct {
		job, config, want string
		faults            []string // pointers
	}{
		"defaults":            {job: "one", config: ``, want: `{"limit":20}`},
		"null":                {job: "one", config: `null`, want: `{"limit":20}`},
		"flat":                {job: "one", config: `{"limit": 3}`, want: `{"limit":3}`},
		"ops":                 {job: "one", config: `{"ops": {"a": {"config": {"limit": 3}}}}`, want: `{"limit":3}`},
		"two assets":          {job: "two", config: `{"ops": {"b": {"config": {"limit": 3}}}}`, want: `{"ops":{"a":{"config":{"limit":50}},"b":{"config":{"limit":3}}}}`},
		"zero":                {job: "one", config: `{"limit": 0}`, faults: []string{"/limit"}},
		"too much":            {job: "one", config: `{"limit": 501}`, faults: []string{"/limit"}},
		"text":                {job: "one", config: `{"limit": "x"}`, faults: []string{"/limit"}},
		"fraction":            {job: "one", config: `{"limit": 1.5}`, faults: []string{"/limit"}},
		"whole, but a float":  {job: "one", config: `{"limit": 5.0}`, faults: []string{"/limit"}},
		"unknown key":         {job: "one", config: `{"limits": 1, "a/b": 2}`, faults: []string{"/a~1b", "/limits"}},
		"two faults":          {job: "one", config: `{"limit": 0, "session": "x"}`, faults: []string{"/limit", "/session"}},
		"no object":           {job: "one", config: `[1]`, faults: []string{""}},
		"ops no object":       {job: "one", config: `{"ops": 1}`, faults: []string{"/ops"}},
		"op without config":   {job: "one", config: `{"ops": {"a": {"limit": 3}}}`, faults: []string{"/ops/a/config", "/ops/a/limit"}},
		"op null":             {job: "one", config: `{"ops": {"a": null}}`, faults: []string{"/ops/a"}},
		"unknown op":          {job: "one", config: `{"ops": {"z": {"config": {}}}}`, faults: []string{"/ops/z"}},
		"beside ops":          {job: "one", config: `{"ops": {}, "limit": 1}`, faults: []string{"/limit"}},
		"wrong inside ops":    {job: "two", config: `{"ops": {"b": {"config": {"limit": -1}}}}`, faults: []string{"/ops/b/config/limit"}},
		"flat for two assets": {job: "two", config: `{"limit": 1}`, faults: []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, _, err := e.StartRun(
				t.Context(),
				orchestrator.RunRequest{Job: c.job, Config: json.RawMessage(c.config), Trigger: orchestrator.Trigger{Kind: "api"}},
			)
			if c.faults == nil {
				if err != nil || string(run.Config) != c.want {
					t.Errorf("run %+v, %v; want config %s", run, err, c.want)
				}
				return
			}
			var invalid *runconfig.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("err = %v", err)
			}
			var got []string
			for _, f := range invalid.Fields {
				got = append(got, f.Pointer)
			}
			if strings.Join(got, " ") != strings.Join(c.faults, " ") {
				t.Errorf("faults %v (%v), want %v", got, err, c.faults)
			}
		})
	}
}

func TestAssetLabels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		owners, kinds []string
		tags          map[string]string
		want          string // in the error; empty: none
	}{
		"valid":       {owners: []string{"team:data", "ada@example.org"}, kinds: []string{"rss"}, tags: map[string]string{"a": "b"}},
		"owner":       {owners: []string{"Ada"}, want: `asset "a": owner "Ada": want an email address, or "team:" and a name`},
		"empty team":  {owners: []string{"team:"}, want: `owner "team:"`},
		"owner twice": {owners: []string{"team:x", "team:x"}, want: `owner "team:x" is there twice`},
		"kind":        {kinds: []string{"A Table"}, want: `kind "A Table": want at most 32 lower-case letters`},
		"tag key":     {tags: map[string]string{"a:b": "c"}, want: `the key "a:b" cannot be that of a tag`},
		"tag value":   {tags: map[string]string{"a": strings.Repeat("é", 201)}, want: `tag "a": its value has 201 characters`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := asset("a", nil, nil)
			a.Owners, a.Kinds, a.Tags = c.owners, c.kinds, c.tags
			_, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{a}})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
		})
	}
}
