package jobs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

type politiciansConfig struct {
	Limit       int  `json:"limit" jsonschema:"minimum=1,maximum=5000,default=500" jsonschema_description:"Maximum number of politicians, in the order of the list." jsonschema_description_fr:"Nombre maximal de politiciens, dans l’ordre de la liste."`
	CurrentOnly bool `json:"current_only" jsonschema:"default=true" jsonschema_description:"Whether to fetch only current members of the House." jsonschema_description_fr:"Ne recueillir que les députés en fonction."`
}

// politicians declares the asset that keeps the members of the House up to date. Bills refer to them as sponsors by
// parl.ca's person id. It is long, because a declaration is one literal.
func politicians(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "fetch_politicians",
		Group:  "politicians",
		Owners: []string{dataTeam},
		Tags:   map[string]string{"audience": "readers"},
		Kinds:  []string{"fetch", "postgres"},
		Description: "Fetches the members of the House of Commons from openparliament.ca: the list of members, and the " +
			"record of each member that is new or changed in the list.",
		DescriptionFR: "Recueille les députés de la Chambre des communes auprès d’openparliament.ca : la liste des " +
			"députés, et la fiche de chaque député qui est nouveau ou qui a changé dans la liste.",
		Retry:   fetchRetry,
		Timeout: time.Hour,
		Pools:   []string{openparliament.Source},
		Checks: []*orchestrator.Check{
			{
				Name: "members_are_known",
				Description: "There are current members of the House, and nine in ten politicians have parl.ca's person id, by " +
					"which bills identify their sponsor.",
				DescriptionFR: "La Chambre a des députés en fonction, et neuf politiciens sur dix ont l’identifiant de personne " +
					"de parl.ca, par lequel les projets de loi désignent leur parrain.",
				Severity: orchestrator.SeverityWarn,
				Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
					c, err := d.Store.PoliticianCoverage(ctx)
					return orchestrator.CheckOutcome{
						Passed:  c.Members > 0 && 10*c.WithPersonID >= 9*c.People,
						Message: fmt.Sprintf("%d members now, %d people, %d with a person id", c.Members, c.People, c.WithPersonID),
						Metadata: orchestrator.Metadata{
							"members": c.Members, "people": c.People, "with_person_id": c.WithPersonID, "with_party": c.WithParty,
							"with_riding": c.WithRiding, "with_province": c.WithProvince,
						},
					}, err
				},
			},
		},
	}, func(ctx context.Context, step *orchestrator.Step, config politiciansConfig) (orchestrator.Metadata, error) {
		f := newFetch(d, step, openparliament.Source, map[string]any{
			"limit": config.Limit, "current_only": config.CurrentOnly,
		})
		err := f.politicians(f.observe(ctx), config)
		stored := f.counts.Created + f.counts.Updated + f.counts.Unchanged
		log, err := f.writeFetchLog(err, stored)
		if err != nil {
			return nil, err
		}
		return orchestrator.Metadata{
			"status": log.Status, "politicians_fetched": stored, "politicians_created": f.counts.Created,
			"politicians_updated": f.counts.Updated, "politicians_unchanged": f.counts.Unchanged,
			"error_count": f.failures, "duration_seconds": seconds(log.Duration),
			"fetch_timestamp":         f.started.UTC().Format(time.RFC3339),
			"requests_openparliament": f.requests[openparliament.Source],
		}, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{
			{
				Name: "fetch_politicians_job", Description: "Fetches the members of the House.",
				DescriptionFR: "Recueille les députés de la Chambre.",
				Assets:        []string{asset.Name},
				Timeout:       2 * time.Hour,
			},
		},
		Schedules: []*orchestrator.Schedule{
			{
				Name: "fetch_politicians_weekly", Description: "Every Sunday at four in the morning.",
				DescriptionFR: "Chaque dimanche à 4 h.",
				Job:           "fetch_politicians_job",
				Cron:          "0 4 * * 0",
			},
		},
	}
}

const (
	// maxRecordAge is the age at which a politician's record is requested again, even if the list shows no change.
	maxRecordAge = 90 * 24 * time.Hour
	// maxRenewals is how many such records one fetch requests again, the oldest first.
	maxRenewals = 50
)

// listMembers returns the politicians to update: members, former members if the config includes them, and those who
// left the House since the last fetch. Current members come from their own list, because the list of all politicians
// has names only.
func (f *fetch) listMembers(
	ctx context.Context, current []openparliament.Member, complete bool, config politiciansConfig,
) ([]openparliament.Member, error) {
	all := current
	if !config.CurrentOnly {
		names, faults, err := f.OpenParliament.Politicians(ctx, true)
		if err != nil {
			return nil, err
		}
		f.recordListErrors(faults)
		members := map[string]openparliament.Member{}
		for _, m := range current {
			members[m.Slug] = m
		}
		all = slices.Clone(names)
		for i, m := range all {
			if member, ok := members[m.Slug]; ok {
				all[i] = member
			} else { // whatever else this list may come to say, so that a change of its form is none of everybody
				all[i] = openparliament.Member{Slug: m.Slug, Name: m.Name}
			}
			delete(members, m.Slug)
		}
		for _, m := range current { // who came between the two requests
			if _, missing := members[m.Slug]; missing {
				all = append(all, m)
			}
		}
	}
	all = all[:min(config.Limit, len(all))]
	if !complete {
		return all, nil
	}
	departed, err := f.Store.DepartedMembers(ctx, current, config.Limit)
	if err != nil {
		return nil, fmt.Errorf("list departed members: %w", err)
	}
	for _, m := range departed {
		if !slices.ContainsFunc(all, func(o openparliament.Member) bool { return o.Slug == m.Slug }) {
			all = append(all, m)
		}
	}
	return all, nil
}

// recordsDue returns the politicians whose records are missing or out of date.
func (f *fetch) recordsDue(ctx context.Context, all []openparliament.Member) ([]openparliament.Member, error) {
	stored, err := f.Store.StoredMembers(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("look up stored members: %w", err)
	}
	var ask, old []openparliament.Member
	for _, m := range all {
		switch known := stored[m.Slug]; {
		case !known.Unchanged:
			ask = append(ask, m)
		case known.AskedAt.Before(now().Add(-maxRecordAge)):
			old = append(old, m)
		}
	}
	slices.SortStableFunc(old, func(a, b openparliament.Member) int {
		return stored[a.Slug].AskedAt.Compare(stored[b.Slug].AskedAt)
	})
	return append(ask, old[:min(maxRenewals, len(old))]...), nil
}

// politicians reads the list, requests the records that are missing or out of date, and stores each as it comes. It is
// long, because the requests share its counts.
func (f *fetch) politicians(ctx context.Context, config politiciansConfig) error {
	current, faults, err := f.OpenParliament.Politicians(ctx, false)
	if err != nil {
		return err
	}
	f.recordListErrors(faults)
	complete := len(faults) == 0
	if len(current) == 0 && complete {
		return orchestrator.Permanent(fmt.Errorf("%s lists no politician", openparliament.Source))
	}
	members := map[string]bool{}
	slugs := make([]string, len(current))
	for i, m := range current {
		members[m.Slug], slugs[i] = true, m.Slug
	}
	all, err := f.listMembers(ctx, current, complete, config)
	if err != nil {
		return err
	}
	ask, err := f.recordsDue(ctx, all)
	if err != nil {
		return err
	}
	f.counts.Unchanged += len(all) - len(ask)
	f.step.Log(
		eventlog.LevelInfo, fmt.Sprintf("%d politicians in the list, %d records to fetch", len(all), len(ask)),
		map[string]int{"politicians": len(all), "records": len(ask)},
	)
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(4) // the client has no more in flight
	var mu sync.Mutex
	done := len(all) - len(ask)
	for _, m := range ask {
		group.Go(func() error {
			person, err := f.OpenParliament.Politician(asking, m.Slug)
			if asking.Err() != nil {
				return context.Cause(asking)
			}
			if err != nil {
				f.recordError(f.OpenParliament.PoliticianURL(m.Slug), fmt.Sprintf("%s could not be fetched: %v", m.Slug, err))
				mu.Lock()
				f.failed++
				mu.Unlock()
				return nil
			}
			counts, err := f.Store.SavePolitician(asking, f.step.RunID, m, parliament.PoliticianOf(m, person), members[m.Slug])
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			f.counts.Add(counts)
			done++
			f.step.Progress(done, len(all), fmt.Sprintf("%d of %d politicians stored", done, len(all)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if !complete { // who seems not to be a member any more may be one whose record could not be read
		return nil
	}
	_, err = f.Store.SetCurrentPoliticians(ctx, f.step.RunID, slugs)
	return err
}
