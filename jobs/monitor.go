package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

type monitorConfig struct {
	HoursBack int `json:"hours_back" jsonschema:"minimum=1,maximum=720,default=24" jsonschema_description:"Number of hours to summarize, up to now." jsonschema_description_fr:"Nombre d’heures à résumer, jusqu’à maintenant."`
}

// monitor declares the asset that summarizes the fetches of the last hours.
func monitor(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "monitor_fetch_operations",
		Group:  "monitoring",
		Owners: []string{operationsTeam},
		Tags:   map[string]string{"audience": "operators"},
		Kinds:  []string{"report"},
		Description: "Counts the fetches of the last hours, or of a day, by status, with their average duration and their " +
			"records.",
		DescriptionFR: "Compte les collectes des dernières heures, ou d’une journée, par état, avec leur durée moyenne " +
			"et leurs enregistrements.",
		Retry:      orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout:    time.Minute,
		Partitions: days,
		Freshness:  &orchestrator.Freshness{By: "30 3 * * *", TimeZone: d.TimeZone},
	}, func(ctx context.Context, step *orchestrator.Step, config monitorConfig) (orchestrator.Metadata, error) {
		now := time.Now().UTC()
		since, until, of := step.Window()
		if !of {
			since, until = now.Add(-time.Duration(config.HoursBack)*time.Hour), now
		}
		stats, err := d.Store.FetchStats(ctx, since, until)
		if err != nil {
			return nil, fmt.Errorf("count the fetches: %w", err)
		}
		md := orchestrator.Metadata{
			"hours_monitored": until.Sub(since).Hours(), "monitoring_timestamp": now.Format(time.RFC3339),
		}
		for _, s := range stats {
			md[s.Status+"_count"] = s.Count
			md[s.Status+"_avg_duration"] = seconds(s.AvgDuration)
			md[s.Status+"_total_succeeded"] = s.Succeeded
			md[s.Status+"_total_failed"] = s.Failed
		}
		if len(stats) == 0 {
			step.Log(eventlog.LevelWarn, "no fetch in the window: is a schedule running?", nil)
		}
		return md, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{
			{
				Name: "monitor_job", Description: "Summarizes the fetches of the last 24 hours.",
				DescriptionFR: "Résume les collectes des 24 dernières heures.",
				Assets:        []string{asset.Name},
				Config:        map[string]map[string]any{asset.Name: {"hours_back": 24}}, Timeout: 10 * time.Minute,
			},
		},
		Schedules: []*orchestrator.Schedule{
			{
				Name: "monitor_daily", Description: "Every night at three, after the daily fetch.",
				DescriptionFR: "Chaque nuit à 3 h, après la collecte quotidienne.",
				Job:           "monitor_job",
				Cron:          "0 3 * * *",
			},
		},
	}
}

// seconds rounds a duration to milliseconds, in seconds.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
