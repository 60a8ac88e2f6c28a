package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// publishAssets are the assets for readers. They are materialized whenever bills are new or changed.
var publishAssets = []string{"generate_rss_feeds", "update_embeddings", "data_quality"}

// publishDeps are the dependencies of these assets: the bills, and the count whose check blocks them if bills are lost.
var publishDeps = append(slices.Clone(billAssets), statisticsName)

// guarded are the assets of the jobs that sensors start: those for readers, and the one that can block them.
var guarded = append([]string{statisticsName}, publishAssets...)

// publish declares publish_job and the sensor that starts it when a fetch changed bills. If the fetch brought new
// bills, new_bills_sensor starts its job instead.
func publish(d Deps) Contribution {
	const job = "publish_job"
	return Contribution{
		Jobs: []*orchestrator.Job{{
			Name: job,
			Description: "Counts the bills and, unless bills were lost, updates the feeds, the embeddings and the quality " +
				"report.",
			DescriptionFR: "Compte les projets de loi et, à moins que des projets de loi n’aient été perdus, met à jour les " +
				"fils, les plongements et le rapport de qualité.",
			Assets: guarded, Timeout: 2 * time.Hour,
		}},
		Sensors: []*orchestrator.Sensor{{
			Name: "changed_bills_sensor",
			Description: "Starts publish_job when a fetch changed bills and added none; new_bills_sensor handles new " +
				"bills. Failed and canceled fetches count too, with the bills that they stored.",
			DescriptionFR: "Lance publish_job lorsqu’une collecte a modifié des projets de loi sans en ajouter ; " +
				"new_bills_sensor s’occupe des nouveaux projets de loi. Les collectes échouées et annulées " +
				"comptent aussi, avec les projets de loi qu’elles ont enregistrés.",
			Interval: 5 * time.Second,
			Jobs:     []string{job},
			Begin:    d.Store.Now,
			Evaluate: func(ctx context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				fetching, err := ev.Running(ctx, billAssets...)
				if err != nil {
					return nil, err
				}
				found, err := d.Store.ChangedBillsSince(ctx, ev.Cursor)
				switch {
				case err != nil:
					return nil, err
				case found.Oldest.IsZero():
					return &orchestrator.SensorResult{Skip: "no bill changed"}, nil
				case (fetching || found.Unsettled) && time.Since(found.Oldest) < patience:
					return &orchestrator.SensorResult{Skip: "bills changed, and a running fetch may change more"}, nil
				case found.Bills == 0:
					return &orchestrator.SensorResult{
						Cursor: &found.Next, Skip: "the fetches that changed bills brought new ones too",
					}, nil
				}
				return &orchestrator.SensorResult{Cursor: &found.Next, Runs: []orchestrator.RunRequest{{
					Job: job, RunKey: "changes up to " + found.Next,
					Tags: map[string]string{"changed_bills": strconv.Itoa(found.Bills)},
				}}}, nil
			},
		}},
	}
}

type feedsConfig struct {
	MaxItems int `json:"max_items" jsonschema:"minimum=1,maximum=500,default=100" jsonschema_description:"Maximum number of items in a feed." jsonschema_description_fr:"Nombre maximal d’éléments dans un fil."`
}

// feeds declares the asset that writes the items of the feeds: one for each change of a bill.
func feeds(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "generate_rss_feeds",
		Group:  "feeds",
		Owners: []string{dataTeam},
		Tags:   map[string]string{"audience": "readers"},
		Kinds:  []string{"rss"},
		Description: "The items of all feeds: one for each change of a bill. The server renders them as RSS, Atom and JSON " +
			"Feed in both languages.",
		DescriptionFR: "Les éléments de tous les fils : un pour chaque modification d’un projet de loi. Le serveur les " +
			"présente en RSS, en Atom et en JSON Feed dans les deux langues.",
		Deps:    publishDeps,
		Retry:   orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout: 30 * time.Minute,
		Checks:  []*orchestrator.Check{feedsHaveItems(d)},
	}, func(ctx context.Context, step *orchestrator.Step, config feedsConfig) (orchestrator.Metadata, error) {
		place, err := d.Store.Now(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the place in the history: %w", err)
		}
		counts, err := d.Store.UpdateFeeds(ctx, config.MaxItems, func(items int) {
			step.Log(eventlog.LevelInfo, fmt.Sprintf("%d items written", items), nil)
		})
		if err != nil {
			return nil, fmt.Errorf("update the feeds: %w", err)
		}
		return orchestrator.Metadata{
			"feeds_written": counts.Feeds, "items_written": counts.Items, "max_items": config.MaxItems, billsUpTo: place,
		}, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{
			{Name: "feeds_job", Description: "Updates the feeds.",
				DescriptionFR: "Met à jour les fils.",
				Assets:        []string{asset.Name}, Timeout: time.Hour},
		},
	}
}

// billsUpTo is the metadata key for the place in the history of bills at which an asset began to read. All earlier
// changes are in the asset. Later ones may be.
const billsUpTo = "bills_up_to"

// feedsHaveItems checks that the feeds have every change of every bill that was stored before they were written.
func feedsHaveItems(d Deps) *orchestrator.Check {
	return &orchestrator.Check{
		Name: "feeds_have_items", Severity: orchestrator.SeverityError,
		Description: "The feeds have the latest change of every bill that was stored before they were generated. Detects " +
			"changes that are missing in the feeds.",
		DescriptionFR: "Les fils contiennent la dernière modification de chaque projet de loi enregistré avant leur " +
			"production. Décèle les modifications qui manquent dans les fils.",
		Run: func(ctx context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
			place, _ := md[billsUpTo].(string)
			n, first, err := d.Store.NotInFeeds(ctx, place)
			if err != nil {
				return orchestrator.CheckOutcome{}, fmt.Errorf("count bills without feed items: %w", err)
			}
			if n > 0 {
				return orchestrator.CheckOutcome{
					Message:  fmt.Sprintf("the latest change of %d bills is not in feeds, such as %s", n, strings.Join(first, ", ")),
					Metadata: orchestrator.Metadata{"bills": n, "first": first},
				}, nil
			}
			all, err := d.Store.Feed(ctx, "bills", "", 1)
			if err != nil {
				return orchestrator.CheckOutcome{}, err
			}
			sessions, err := d.Store.Statistics(ctx)
			if err != nil || len(all.Items) == 0 && len(sessions) > 0 {
				return orchestrator.CheckOutcome{Message: "there are stored bills, but the feed of all bills is empty"}, err
			}
			return orchestrator.CheckOutcome{Passed: true, Message: "feeds have the latest change of every bill"}, nil
		},
	}
}

type embeddingsConfig struct {
	BatchSize int `json:"batch_size" jsonschema:"minimum=1,maximum=2048,default=64" jsonschema_description:"Maximum number of documents in a request. Requests have fewer if the response would be too long." jsonschema_description_fr:"Nombre maximal de documents dans une demande. Les demandes en ont moins si la réponse risque d’être trop longue."`
}

// embeddings declares the asset that makes the embeddings for search by meaning, if an endpoint is configured.
func embeddings(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "update_embeddings",
		Group:  "search",
		Owners: []string{dataTeam},
		Tags:   map[string]string{"audience": "readers"},
		Kinds:  []string{"embeddings", "postgres"},
		Description: "Embeddings of every bill in both languages, for search by meaning. Only changed texts are embedded " +
			"again. Without an endpoint (EMBEDDINGS_URL) there are no embeddings, and search matches only words.",
		DescriptionFR: "Plongements de chaque projet de loi dans les deux langues, pour la recherche par le sens. Seuls " +
			"les textes modifiés sont calculés de nouveau. Sans point d’accès (EMBEDDINGS_URL), il n’y a pas " +
			"de plongements, et la recherche ne porte que sur les mots.",
		Deps:    publishDeps,
		Retry:   orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 30 * time.Second},
		Timeout: 2 * time.Hour,
		Checks:  []*orchestrator.Check{everyDocumentIsEmbedded(d)},
	}, func(ctx context.Context, step *orchestrator.Step, config embeddingsConfig) (orchestrator.Metadata, error) {
		if d.Embedder == nil {
			return orchestrator.Metadata{
				"status": "not_configured", "documents_embedded": 0, "documents_unchanged": 0, "model": nil,
			}, nil
		}
		started := time.Now()
		place, err := d.Store.Now(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the place in the history: %w", err)
		}
		counts, err := d.Embedder.Update(ctx, config.BatchSize, func(done int) {
			step.Log(eventlog.LevelInfo, fmt.Sprintf("%d documents embedded", done), nil)
		})
		var status *embed.StatusError
		var answer *embed.AnswerError
		if errors.As(err, &answer) || errors.As(err, &status) && status.Status < 500 && status.Status != 429 {
			err = orchestrator.Permanent(err) // another attempt would get the same answer
		}
		if err != nil {
			return nil, fmt.Errorf("%d documents were embedded before: %w", counts.Embedded, err)
		}
		index, err := updateVectorIndex(ctx, d, step)
		if err != nil {
			return nil, err
		}
		return orchestrator.Metadata{
			"status": "success", "documents_embedded": counts.Embedded, "documents_unchanged": counts.Unchanged,
			"documents_deleted": counts.Deleted, "model": d.Embedder.Model(), "dimensions": counts.Size,
			"requests": counts.Requests, "tokens": counts.Tokens, "duration_seconds": seconds(time.Since(started)),
			billsUpTo: place, "index": index,
		}, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{
			{
				Name: "embeddings_job", Description: "Updates the embeddings.",
				DescriptionFR: "Met à jour les plongements.",
				Assets:        []string{asset.Name},
				Timeout:       3 * time.Hour,
			},
		},
	}
}

// updateVectorIndex updates the pgvector index, and returns whether searches have one. They find the same bills without
// it.
func updateVectorIndex(ctx context.Context, d Deps, step *orchestrator.Step) (string, error) {
	index, err := d.Embedder.Index(ctx)
	switch {
	case err != nil:
		return "", err
	case index.Remedy != "":
		step.Log(
			eventlog.LevelWarn, "search by meaning is exact, without an index: "+index.Reason,
			map[string]any{"remedy": index.Remedy},
		)
	case index.Made:
		step.Log(eventlog.LevelInfo, "built the pgvector index", nil)
	}
	if index.Used {
		return "pgvector", nil
	}
	return "none", nil
}

// everyDocumentIsEmbedded checks for documents whose current text has no embedding.
func everyDocumentIsEmbedded(d Deps) *orchestrator.Check {
	return &orchestrator.Check{
		Name: "every_document_is_embedded", Severity: orchestrator.SeverityWarn,
		Description: "If an endpoint is configured, every bill that was stored before the update began has an embedding " +
			"of its current text in each of its languages. Detects bills that search by meaning cannot find.",
		DescriptionFR: "Si un point d’accès est configuré, chaque projet de loi enregistré avant le début de la mise à " +
			"jour a un plongement de son texte actuel dans chacune de ses langues. Décèle les projets de loi " +
			"que la recherche par le sens ne peut pas trouver.",
		Run: func(ctx context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
			if d.Embedder == nil {
				return orchestrator.CheckOutcome{Passed: true, Message: "no endpoint is configured"}, nil
			}
			place, _ := md[billsUpTo].(string)
			n, first, err := d.Embedder.CountNotEmbedded(ctx, place)
			if err != nil || n == 0 {
				return orchestrator.CheckOutcome{Passed: true, Message: "every document is embedded"}, err
			}
			return orchestrator.CheckOutcome{
				Message:  fmt.Sprintf("%d documents have no embedding of their text, such as %s", n, strings.Join(first, ", ")),
				Metadata: orchestrator.Metadata{"documents": n, "first": first},
			}, nil
		},
	}
}
