package jobs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// TestDeclarationsAreInBothLanguages fails for a declaration, or a field of a config, that one language lacks.
func TestDeclarationsAreInBothLanguages(t *testing.T) {
	t.Parallel()
	forEachSource(t, lastDay, func(t *testing.T, r source) {
		defs := newPipeline(t, r, 0).engine.Definitions()
		check := func(what, english, french string) {
			t.Helper()
			if english == "" || french == "" {
				t.Errorf("%s: description %q, in French %q: want both", what, english, french)
			}
			if english == french || strings.Contains(french, "  ") {
				t.Errorf("%s: %q is not French", what, french)
			}
		}
		for _, a := range defs.Assets() {
			check("asset "+a.Name, a.Description, a.DescriptionFR)
			for _, c := range a.Checks {
				check("check "+c.Name, c.Description, c.DescriptionFR)
			}
			checkConfig(t, a, check)
		}
		for _, j := range defs.Jobs() {
			check("job "+j.Name, j.Description, j.DescriptionFR)
		}
		for _, s := range defs.Schedules() {
			check("schedule "+s.Name, s.Description, s.DescriptionFR)
		}
		for _, s := range defs.Sensors() {
			check("sensor "+s.Name, s.Description, s.DescriptionFR)
		}
	})
}

func checkConfig(t *testing.T, a *orchestrator.Asset, check func(what, english, french string)) {
	t.Helper()
	var schema struct {
		Properties map[string]struct {
			English string `json:"description"`
			French  string `json:"x-description-fr"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(a.ConfigSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	for name, p := range schema.Properties {
		check("config "+a.Name+"."+name, p.English, p.French)
	}
}
