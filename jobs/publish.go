package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// publishAssets are what readers get, made again whenever bills are new or changed.
var publishAssets = []string{"generate_rss_feeds", "update_embeddings", "data_quality"}

// publish starts publish_job when a fetch changed bills. When it brought new ones, new_bills_sensor makes all of that.
func publish() Part {
	const job = "publish_job"
	return Part{
		Jobs: []*orchestrator.Job{{Name: job, Description: "Makes the feeds, the embeddings and the report on quality.", Assets: publishAssets, Timeout: 2 * time.Hour}},
		Sensors: []*orchestrator.Sensor{orchestrator.NewAssetSensor(orchestrator.Sensor{
			Name:        "changed_bills_sensor",
			Description: "Starts publish_job when a fetch changed bills and brought no new ones; new_bills_sensor sees to those.",
			Interval:    30 * time.Second,
			Jobs:        []string{job},
			Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				changed, last := 0, ""
				for _, m := range ev.Materializations {
					var md struct {
						Created int `json:"bills_created"`
						Updated int `json:"bills_updated"`
					}
					if err := json.Unmarshal(m.Metadata, &md); err != nil {
						return nil, err
					}
					if md.Updated > 0 && md.Created == 0 {
						changed, last = changed+md.Updated, m.ID.String()
					}
				}
				if changed == 0 {
					return &orchestrator.SensorResult{Skip: "no bill changed"}, nil
				}
				return &orchestrator.SensorResult{Runs: []orchestrator.RunRequest{{Job: job, RunKey: last, Tags: map[string]string{"changed_bills": fmt.Sprint(changed)}}}}, nil
			},
		}, billAssets...)},
	}
}

type feedsConfig struct {
	MaxItems int `json:"max_items" jsonschema:"minimum=1,maximum=500,default=100" jsonschema_description:"A feed has at most so many items."`
}

// feeds keeps what feeds are made of: an item for each change of a bill.
func feeds(d Deps) Part {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:        "generate_rss_feeds",
		Group:       "feeds",
		Description: "The items of all feeds: one for each change of a bill. The server renders them as RSS, Atom and JSON Feed in both languages.",
		Deps:        billAssets,
		Retry:       orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout:     30 * time.Minute,
		Checks: []*orchestrator.Check{{
			Name: "feeds_have_items", Description: "If bills are held, the feed of all bills has items.", Severity: orchestrator.SeverityError,
			Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				all, err := d.Store.Feed(ctx, "bills", "", 1)
				if err != nil {
					return orchestrator.CheckOutcome{}, err
				}
				sessions, err := d.Store.Statistics(ctx)
				return orchestrator.CheckOutcome{Passed: len(all.Items) > 0 || len(sessions) == 0, Message: fmt.Sprintf("%d items at the top, %d sessions held", len(all.Items), len(sessions))}, err
			},
		}},
	}, func(ctx context.Context, step *orchestrator.Step, config feedsConfig) (orchestrator.Metadata, error) {
		counts, err := d.Store.UpdateFeeds(ctx, config.MaxItems, func(items int) { step.Log(orchestrator.LevelInfo, fmt.Sprintf("%d items written", items), nil) })
		if err != nil {
			return nil, err
		}
		return orchestrator.Metadata{"feeds_written": counts.Feeds, "items_written": counts.Items, "max_items": config.MaxItems}, nil
	})
	return Part{
		Assets: []*orchestrator.Asset{asset},
		Jobs:   []*orchestrator.Job{{Name: "feeds_job", Description: "Brings the feeds up to date.", Assets: []string{asset.Name}, Timeout: time.Hour}},
	}
}

type embeddingsConfig struct {
	BatchSize int `json:"batch_size" jsonschema:"minimum=1,maximum=2048,default=64" jsonschema_description:"So many documents are sent at once."`
}

// embeddings keeps the embeddings that search by meaning needs, where an endpoint is configured.
func embeddings(d Deps) Part {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:        "update_embeddings",
		Group:       "search",
		Description: "Embeddings of every bill in both languages, for search by meaning; only those are made whose text changed. Without an endpoint (EMBEDDINGS_URL) there are none, and search is by words.",
		Deps:        billAssets,
		Retry:       orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 30 * time.Second},
		Timeout:     2 * time.Hour,
		Checks: []*orchestrator.Check{{
			Name: "every_document_is_embedded", Description: "Nothing is left to be embedded, where an endpoint is configured.", Severity: orchestrator.SeverityWarn,
			Run: func(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				return orchestrator.CheckOutcome{Passed: md["status"] == "success" || md["status"] == "not_configured", Message: fmt.Sprint(md["status"])}, nil
			},
		}},
	}, func(ctx context.Context, step *orchestrator.Step, config embeddingsConfig) (orchestrator.Metadata, error) {
		if d.Meaning == nil {
			return orchestrator.Metadata{"status": "not_configured", "documents_embedded": 0, "documents_unchanged": 0, "model": nil}, nil
		}
		started := time.Now()
		counts, err := d.Meaning.Update(ctx, config.BatchSize, func(done int) { step.Log(orchestrator.LevelInfo, fmt.Sprintf("%d documents embedded", done), nil) })
		var status *embed.StatusError
		var answer *embed.AnswerError
		if errors.As(err, &answer) || errors.As(err, &status) && status.Status < 500 && status.Status != 429 {
			err = orchestrator.Permanent(err) // another attempt would find the same
		}
		if err != nil {
			return nil, fmt.Errorf("%d documents were embedded before: %w", counts.Embedded, err)
		}
		return orchestrator.Metadata{
			"status": "success", "documents_embedded": counts.Embedded, "documents_unchanged": counts.Unchanged, "documents_deleted": counts.Deleted, "model": d.Meaning.Model(), "dimensions": counts.Size,
			"requests": counts.Requests, "tokens": counts.Tokens, "duration_seconds": seconds(time.Since(started)),
		}, nil
	})
	return Part{
		Assets: []*orchestrator.Asset{asset},
		Jobs:   []*orchestrator.Job{{Name: "embeddings_job", Description: "Brings the embeddings up to date.", Assets: []string{asset.Name}, Timeout: 3 * time.Hour}},
	}
}
