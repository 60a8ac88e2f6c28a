package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// TestKeysOfTags gives tags with keys by which they could not be found wherever tags are given.
func TestKeysOfTags(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", " ", "a:b", ":", "a\n", "a ", strings.Repeat("k", 101)} {
		bad := map[string]string{key: "x"}
		_, err := orchestrator.NewDefinitions(orchestrator.Declarations{
			Assets: []*orchestrator.Asset{asset("a", nil, nil)},
			Jobs:   []*orchestrator.Job{{Name: "j", Assets: []string{"a"}, Tags: bad}},
		})
		if err == nil || !strings.Contains(err.Error(), `job "j"`) {
			t.Errorf("a job with the key %q: %v", key, err)
		}
	}
	var checked error
	asking := &orchestrator.Sensor{
		Name: "asking",
		Jobs: []string{"a_job"},
		Evaluate: func(ctx context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			req := orchestrator.RunRequest{Job: "a_job", RunKey: "1", Tags: map[string]string{"a:b": "x"}}
			checked = ev.Check(ctx, req)
			return &orchestrator.SensorResult{Runs: []orchestrator.RunRequest{req}}, nil
		},
	}
	d := dbtest.NewWatched(t)
	e := startEngine(t, d, parts(t, one(asking)))
	var request *orchestrator.RequestError
	tick := evaluate(t, e, "asking")
	if tick.Status != "failure" || len(tick.RunIDs) != 0 || !strings.Contains(*tick.Message, `"a:b"`) ||
		!errors.As(checked, &request) {
		t.Errorf("tick %+v, check %v", tick, checked)
	}
	_, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{Job: "a_job", Tags: map[string]string{"": "x"}})
	if !errors.As(err, &request) || request.Fields[0].Pointer != "/tags/" {
		t.Errorf("a run: %v", err)
	}

	// A run from before the rule can be retried.
	run, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{Job: "a_job"})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, e, run.ID)
	old, err := json.Marshal(map[string]string{"a:b": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), "UPDATE runs SET tags = $1 WHERE id = $2", old, run.ID); err != nil {
		t.Fatal(err)
	}
	again, _, err := e.RetryRun(t.Context(), run.ID, false, orchestrator.RunRequest{})
	if err != nil || again.Tags["a:b"] != "x" {
		t.Errorf("a retry: %+v, %v", again, err)
	}
}
