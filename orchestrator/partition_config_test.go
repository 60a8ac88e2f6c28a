package orchestrator_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

type sessionConfig struct {
	Parliament int    `json:"parliament" jsonschema:"required"`
	Session    int    `json:"session" jsonschema:"default=1"`
	Limit      int    `json:"limit" jsonschema:"default=10"`
	Fail       bool   `json:"fail" jsonschema:"default=false"`
	Note       string `json:"note" jsonschema:"default=x"`
}

// bySession is an asset whose partitions decide two fields of its config.
func bySession(name string, set *orchestrator.PartitionSet) *orchestrator.Asset {
	return orchestrator.NewAsset(
		orchestrator.AssetOptions{Name: name, Partitions: set, PartitionConfig: func(key string) (map[string]any, error) {
			return map[string]any{"parliament": int(key[0]-'0')*10 + int(key[1]-'0'), "session": int(key[3] - '0')}, nil
		}},
		func(_ context.Context, _ *orchestrator.Step, c sessionConfig) (orchestrator.Metadata, error) {
			if c.Fail {
				return nil, orchestrator.Permanent(context.DeadlineExceeded)
			}
			return nil, nil
		},
	)
}

// TestPartitionByConfig has partitions filled by runs that name none, and whose config says which they are of.
func TestPartitionByConfig(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	set := orchestrator.DynamicPartitions("sessions")
	whole := orchestrator.NewAsset(
		orchestrator.AssetOptions{Name: "whole", Partitions: set},
		func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil },
	)
	e := startEngine(
		t,
		d,
		define(
			t,
			[]*orchestrator.Asset{bySession("a", set), bySession("b", set), whole, asset("plain", nil, nil)},
			[]*orchestrator.Job{
				{Name: "job", Assets: []string{"a"}, Config: map[string]map[string]any{"a": {"parliament": 44, "session": 1}}},
			},
		),
	)
	if _, err := e.AddPartitions(t.Context(), "sessions", "43-1", "43-2", "44-1", "45-1"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		req  orchestrator.RunRequest
		want string
	}{
		"its config":             {orchestrator.RunRequest{Assets: []string{"a"}, Config: json.RawMessage(`{"parliament": 43, "session": 2, "limit": 3}`)}, "43-2"},
		"with a default":         {orchestrator.RunRequest{Assets: []string{"a"}, Config: json.RawMessage(`{"parliament": 43}`)}, "43-1"},
		"a job's config":         {orchestrator.RunRequest{Job: "job"}, "44-1"},
		"beside others":          {orchestrator.RunRequest{Assets: []string{"a", "plain"}, Config: json.RawMessage(`{"ops": {"a": {"config": {"parliament": 43, "session": 2}}}}`)}, "43-2"},
		"two that agree":         {orchestrator.RunRequest{Assets: []string{"a", "b"}, Config: json.RawMessage(`{"ops": {"a": {"config": {"parliament": 43}}, "b": {"config": {"parliament": 43}}}}`)}, "43-1"},
		"two that differ":        {orchestrator.RunRequest{Assets: []string{"a", "b"}, Config: json.RawMessage(`{"ops": {"a": {"config": {"parliament": 43}}, "b": {"config": {"parliament": 44}}}}`)}, ""},
		"beside one as a whole":  {orchestrator.RunRequest{Assets: []string{"a", "whole"}, Config: json.RawMessage(`{"ops": {"a": {"config": {"parliament": 43}}}}`)}, ""},
		"no partition yet":       {orchestrator.RunRequest{Assets: []string{"a"}, Config: json.RawMessage(`{"parliament": 42}`)}, ""},
		"one that fails":         {orchestrator.RunRequest{Assets: []string{"b"}, Config: json.RawMessage(`{"parliament": 45, "fail": true}`)}, "45-1"},
		"the partition, as ever": {orchestrator.RunRequest{Assets: []string{"a"}, Partition: "43-1"}, "43-1"},
	} {
		run, _ := wait(t, e, start(t, e, c.req).ID)
		got := ""
		if run.Partition != nil {
			got = *run.Partition
		}
		if got != c.want {
			t.Errorf("%s: partition %q, want %q", name, got, c.want)
		}
	}
	states := func(asset string) map[string]string {
		t.Helper()
		all, err := e.PartitionStates(t.Context(), asset)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, s := range all {
			out[s.Key] = s.Status
			if s.Status == orchestrator.PartitionMaterialized &&
				(s.RunID == nil || s.MaterializedAt == nil || time.Since(*s.MaterializedAt) > time.Hour) {
				t.Errorf("%s of %s: %+v", s.Key, asset, s)
			}
		}
		return out
	}
	// the first was filled before it was known
	if _, err := e.AddPartitions(t.Context(), "sessions", "42-1", "41-1"); err != nil {
		t.Fatal(err)
	}
	for asset, want := range map[string]map[string]string{
		"a":     {"41-1": "missing", "42-1": "materialized", "43-1": "materialized", "43-2": "materialized", "44-1": "materialized", "45-1": "missing"},
		"b":     {"42-1": "missing", "43-1": "materialized", "44-1": "materialized", "45-1": "failed"},
		"whole": {"43-1": "missing", "44-1": "missing"},
	} {
		got := states(asset)
		for key, status := range want {
			if got[key] != status {
				t.Errorf("%s of %s is %s, want %s", key, asset, got[key], status)
			}
		}
	}
	plan, err := e.PlanBackfill(
		t.Context(), orchestrator.BackfillRequest{Assets: []string{"a"}, Only: orchestrator.PartitionMissing},
	)
	if err != nil || len(plan.Keys) != 2 || plan.Keys[0] != "41-1" || plan.Keys[1] != "45-1" {
		t.Errorf("a backfill of what is missing: %+v, %v", plan, err)
	}
}

// TestCanceledBackfillCounts cancels a backfill of which one partition is done, one runs, and three never began.
func TestCanceledBackfillCounts(t *testing.T) {
	t.Parallel()
	started := make(chan string, 10)
	a := asset("a", nil, func(ctx context.Context, s *orchestrator.Step) error {
		started <- s.Partition
		if s.Partition == "1" {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	a.Partitions = orchestrator.StaticPartitions("p", "1", "2", "3", "4", "5")
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}}))
	b, _, err := e.StartBackfill(t.Context(), orchestrator.BackfillRequest{Assets: []string{"a"}, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, "the first partition starts", started)
	receive(t, "the second partition starts", started)
	if b, err = e.CancelBackfill(t.Context(), b.ID, "me"); err != nil {
		t.Fatal(err)
	}
	until(t, e, "it ends", func() bool {
		b, err = e.Backfill(t.Context(), b.ID)
		return err == nil && b.EndedAt != nil
	})
	if b.Status != "canceled" || b.Total != 5 || b.Counts["success"] != 1 || b.Counts["canceled"] != 4 ||
		b.NotStarted != 3 {
		t.Errorf("%+v", b)
	}
}
