package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// maxLag is how long a bill may lag behind LEGISinfo's list before a check fails.
const maxLag = 26 * time.Hour

// lagCheck declares the check that fails if a stored bill is out of date, or a listed one is not stored, for too long.
func lagCheck(d Deps) *orchestrator.Check {
	return &orchestrator.Check{
		Name: "no_bill_lags", Severity: orchestrator.SeverityError,
		Description: "Every stored bill matches LEGISinfo's newest lists, or has differed for at most 26 hours. Detects " +
			"outdated statuses.",
		DescriptionFR: "Chaque projet de loi enregistré correspond aux plus récentes listes de LEGISinfo, ou en diffère " +
			"depuis au plus 26 heures. Décèle les états périmés.",
		Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
			lags, err := d.Store.Lagging(ctx)
			if err != nil {
				return orchestrator.CheckOutcome{}, fmt.Errorf("list lagging bills: %w", err)
			}
			limit := now().Add(-maxLag)
			long := slices.DeleteFunc(slices.Clone(lags), func(l parliament.Lag) bool { return l.Since.After(limit) })
			message := fmt.Sprintf("%d bills lag, %d of them for more than %s", len(lags), len(long), maxLag)
			if len(long) > 0 {
				message += fmt.Sprintf("; %s since %s", long[0].Bill, long[0].Since.Format(time.RFC3339))
			}
			return orchestrator.CheckOutcome{
				Passed: len(long) == 0, Message: message,
				Metadata: orchestrator.Metadata{"bills_lagging": len(lags), "bills_lagging_long": len(long)},
			}, nil
		},
	}
}

// lagMetadata returns how many bills lag behind LEGISinfo's newest list, and for how long. It reads the list of the
// newest session itself, so that the report does not depend on what the fetches read.
func lagMetadata(ctx context.Context, d Deps, step *orchestrator.Step) (orchestrator.Metadata, error) {
	f := newFetch(d, step, legisinfo.Source, nil)
	defer f.logCauses()
	newest, err := d.Store.NewestSession(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up the newest session: %w", err)
	}
	var listError any
	if newest != "" {
		switch err := f.read(f.observe(ctx), newest); {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			listError = err.Error()
			step.Log(
				eventlog.LevelWarn,
				fmt.Sprintf(
					"the list of session %s could not be read; bills are compared with the one read before: %v", newest, err,
				),
				nil,
			)
		default:
			if err := f.recordLists(ctx); err != nil {
				return nil, err
			}
		}
	}
	lags, err := d.Store.Lagging(ctx)
	if err != nil {
		return nil, fmt.Errorf("list lagging bills: %w", err)
	}
	readAt, err := d.Store.ListsReadAt(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up when lists were read: %w", err)
	}
	reasons := map[string]int{parliament.LagMissing: 0, parliament.LagOutdated: 0, parliament.LagDetail: 0}
	longest := time.Duration(0)
	for _, l := range lags {
		reasons[l.Reason]++
		longest = max(longest, time.Since(l.Since))
	}
	return orchestrator.Metadata{
		"bills_lagging": len(lags), "bills_lagging_by_reason": reasons, "longest_lag_seconds": seconds(longest),
		"lagging":       lags[:min(50, len(lags))],
		"lists_read_at": readAt, "list_error": listError,
	}, nil
}

// qualityChecks declares the checks of the report.
func qualityChecks(d Deps) []*orchestrator.Check {
	return []*orchestrator.Check{
		lagCheck(d),
		{
			Name: "no_bill_disappeared",
			Description: "Each stored bill is listed by a source. Detects bills that a source removed, or whose number it " +
				"changed.",
			DescriptionFR: "Chaque projet de loi enregistré figure dans la liste d’une source. Décèle les projets de loi " +
				"qu’une source a retirés, ou dont elle a changé le numéro.",
			Severity: orchestrator.SeverityWarn,
			Run: func(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				n, _ := md["bills_missing"].(int)
				return orchestrator.CheckOutcome{Passed: n == 0, Message: fmt.Sprintf("%d bills are missing upstream", n)}, nil
			},
		},
		{
			Name: "sources_agree",
			Description: "The sources differ in at most one field in a hundred bills. Detects a source that confuses " +
				"the fields of bills.",
			DescriptionFR: "Les sources diffèrent sur au plus un champ par cent projets de loi. Décèle une source qui " +
				"confond les champs des projets de loi.",
			Severity: orchestrator.SeverityWarn,
			Run: func(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				n, _ := md["differences"].(int)
				bills, _ := md["bills_total"].(int)
				return orchestrator.CheckOutcome{
					Passed: 100*n <= bills, Message: fmt.Sprintf("%d differences in %d bills", n, bills),
				}, nil
			},
		},
	}
}

// quality declares the report on the data: its coverage, bills that lag behind the sources, differences of the sources,
// and bills that disappeared.
func quality(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "data_quality",
		Group:  "monitoring",
		Owners: []string{operationsTeam},
		Tags:   map[string]string{"audience": "operators"},
		Kinds:  []string{"report"},
		Description: "Reports how many bills have each field, by session; which bills lag behind LEGISinfo's " +
			"newest list, and for how long; where the two sources differ; which bills neither source lists any more; how many " +
			"sponsors are stored as politicians.",
		DescriptionFR: "Indique combien de projets de loi ont chaque champ, par session ; quels projets de loi sont en " +
			"retard sur la plus récente liste de LEGISinfo, et depuis quand ; où les deux sources diffèrent ; " +
			"quels projets de loi aucune source ne mentionne plus ; combien de parrains sont enregistrés " +
			"comme politiciens.",
		Deps:      publishDeps,
		Retry:     orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout:   10 * time.Minute,
		Pools:     []string{legisinfo.Source},
		Freshness: &orchestrator.Freshness{MaxAge: 26 * time.Hour},
		Checks:    qualityChecks(d),
	}, func(ctx context.Context, step *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
		lag, err := lagMetadata(ctx, d, step)
		if err != nil {
			return nil, err
		}
		q, err := d.Store.Quality(ctx)
		if err != nil {
			return nil, fmt.Errorf("check the stored bills: %w", err)
		}
		bills, linked, withID := 0, 0, 0
		for _, c := range q.Coverage {
			bills += c.Bills
		}
		for _, s := range q.Sponsors {
			linked, withID = linked+s.Linked, withID+s.WithID
		}
		fields := map[string]int{}
		for _, diff := range q.Differences {
			fields[diff.Field]++
		}
		md := orchestrator.Metadata{
			"bills_total": bills, "bills_missing": len(q.Missing), "differences": len(q.Differences),
			"differences_by_field": fields, "sponsors_with_person_id": withID, "sponsors_linked": linked,
			"coverage": q.Coverage, "sponsors": q.Sponsors, "first_differences": q.Differences[:min(50, len(q.Differences))],
			"missing": q.Missing[:min(50, len(q.Missing))],
		}
		maps.Copy(md, lag)
		return md, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{
			{
				Name: "data_quality_job", Description: "Creates the quality report.",
				DescriptionFR: "Produit le rapport de qualité.",
				Assets:        []string{asset.Name},
				Timeout:       time.Hour,
			},
		},
		Schedules: []*orchestrator.Schedule{
			{
				Name: "data_quality_daily", Description: "Every night at half past three.",
				DescriptionFR: "Chaque nuit à 3 h 30.",
				Job:           "data_quality_job",
				Cron:          "30 3 * * *",
			},
		},
	}
}
