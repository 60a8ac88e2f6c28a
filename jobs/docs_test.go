package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// TestPipelineIsDocumented compares the documents with the definitions: docs/pipeline.md has every asset, job and
// schedule, and docs/automation.md every sensor and check.
func TestPipelineIsDocumented(t *testing.T) {
	t.Parallel()
	defs, err := jobs.All(jobs.Deps{Store: &parliament.Store{}})
	if err != nil {
		t.Fatal(err)
	}
	document := func(name string) string {
		raw, err := os.ReadFile(filepath.Join("..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	pipeline, automation := document("pipeline.md"), document("automation.md")
	for _, a := range defs.Assets() {
		if !strings.Contains(pipeline, "\n| `"+a.Name+"` |") {
			t.Errorf("docs/pipeline.md has no line for the asset %s", a.Name)
		}
		for _, c := range a.Checks {
			if !strings.Contains(automation, "`"+c.Name+"`") {
				t.Errorf("docs/automation.md does not name the check %s of %s", c.Name, a.Name)
			}
		}
	}
	for _, j := range defs.Jobs() {
		if !strings.Contains(pipeline, "`"+j.Name+"`") {
			t.Errorf("docs/pipeline.md does not name the job %s", j.Name)
		}
	}
	for _, s := range defs.Schedules() {
		if !strings.Contains(pipeline, "\n| `"+s.Name+"` | `"+s.Cron+"` |") {
			t.Errorf("docs/pipeline.md has no line for the schedule %s with the cron expression %s", s.Name, s.Cron)
		}
	}
	for _, s := range defs.Sensors() {
		if !strings.Contains(automation, "\n| `"+s.Name+"` |") {
			t.Errorf("docs/automation.md has no line for the sensor %s", s.Name)
		}
	}
}
