package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/cron"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// FuzzRunConfig feeds anything to what reads run configs: what it takes satisfies the asset's schema and can be sent
// again in either shape, what it refuses it refuses by naming a place.
func FuzzRunConfig(f *testing.F) {
	configured := orchestrator.NewAsset(
		orchestrator.AssetOptions{Name: "a"},
		func(context.Context, *orchestrator.Step, struct {
			Limit int      `json:"limit" jsonschema:"minimum=1,maximum=500,default=50"`
			Names []string `json:"names,omitempty"`
			Ratio float64  `json:"ratio,omitempty"`
		},
		) (orchestrator.Metadata, error) {
			return nil, nil
		},
	)
	d := parts(f, orchestrator.Declarations{Assets: []*orchestrator.Asset{configured, asset("b", nil, nil)}})
	for _, s := range []string{
		``, `null`, `{}`, `{"limit": 5}`, `{"limit": 5.0}`, `{"limit": 1e2}`, `{"limit": 501}`, `{"limit": "5"}`,
		`{"ops": {"a": {"config": {"limit": 5, "names": ["x"]}}}}`, `{"ops": {"c": {}}}`,
		`{"ops": {"a": {"config": null}}}`, `{"ops": [], "x": 1}`, `[1]`, `{"a/b~": 1}`, `{"limit": 1, "limit": 2}`, `{"ratio": 1e400}`, `{"names": [null]}`,
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, both bool) {
		assets := []string{"a"}
		if both {
			assets = []string{"a", "b"}
		}
		full, err := orchestrator.ResolveConfig(d, assets, raw)
		var invalid *runconfig.InvalidError
		if errors.As(err, &invalid) {
			for _, field := range invalid.Fields {
				if field.Detail == "" || field.Pointer != "" && !strings.HasPrefix(field.Pointer, "/") {
					t.Errorf("%q: %+v", raw, field)
				}
			}
			if len(invalid.Fields) == 0 {
				t.Errorf("%q is refused for nothing", raw)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		var config struct{ Limit int }
		if err := json.Unmarshal(full["a"], &config); err != nil || config.Limit < 1 || config.Limit > 500 {
			t.Errorf("%q gives %s (%v)", raw, full["a"], err)
		}
		again, err := orchestrator.ResolveConfig(d, assets, runconfig.Present(assets, full))
		if err != nil || string(again["a"]) != string(full["a"]) {
			t.Errorf("%q gives %s, which gives %s (%v)", raw, full["a"], again["a"], err)
		}
	})
}

// FuzzCron feeds anything to what reads cron expressions: a schedule that is taken goes on, and its last time is over.
func FuzzCron(f *testing.F) {
	for _, s := range []string{
		"0 * * * *", "30 2 * * *", "0 0 29 2 *", "0 0 30 2 *", "*/7 1-5 * JAN-MAR MON", "@daily", "@every 1s",
		"TZ=UTC 0 0 * * *", "* * * * * *", "", "0 0 31 4 ?", "59 23 31 12 7",
	} {
		f.Add(s, "America/Toronto", int64(1_772_953_200)) // clocks go forward on that day
	}
	f.Add("15,45 1,2 * * *", "Europe/London", int64(1_793_000_000))
	f.Add("0 2 * * 0", "", int64(0))
	f.Add("0 2 * * 0", "Pacific/Apia", int64(1_325_200_000)) // a day that was left out
	f.Fuzz(func(t *testing.T, expression, zone string, at int64) {
		times, err := cron.Parse(expression, zone)
		if err != nil {
			return
		}
		next, last := times.Next, func(now time.Time) time.Time { return cron.Last(times, now) }
		now := time.Unix(at%4_000_000_000, 0).UTC()
		coming := next(now)
		if coming.IsZero() { // such as the 30th of February
			return
		}
		if !coming.After(now) {
			t.Errorf("%q in %s: next after %s is %s", expression, zone, now, coming)
		}
		if before := last(coming); !before.Equal(coming) {
			t.Errorf("%q in %s: %s is due, but the last one due then is %s", expression, zone, coming, before)
		}
		if before := last(now); before.After(now) || !before.IsZero() && next(before.Add(-time.Second)).After(before) {
			t.Errorf("%q in %s: last before %s is %s", expression, zone, now, before)
		}
	})
}
