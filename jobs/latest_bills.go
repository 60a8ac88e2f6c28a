package jobs

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

type latestBillsConfig struct {
	Limit int `json:"limit" jsonschema:"minimum=1,maximum=500,default=50" jsonschema_description:"Number of the most recently introduced bills to request from openparliament.ca. Bills that are new or changed in LEGISinfo's list are fetched in addition." jsonschema_description_fr:"Nombre de projets de loi déposés le plus récemment à demander à openparliament.ca. Les projets de loi nouveaux ou modifiés dans la liste de LEGISinfo sont recueillis en plus."`
}

// latestBills declares the asset that keeps the most recently introduced bills up to date.
func latestBills(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "fetch_latest_bills",
		Group:  "bills",
		Owners: []string{dataTeam},
		Tags:   map[string]string{"audience": "readers"},
		Kinds:  []string{"fetch", "postgres"},
		Description: "Fetches the most recently introduced bills, and every other bill that is new or changed in " +
			"LEGISinfo's list of their sessions. The bills are fetched from openparliament.ca, enriched from LEGISinfo, " +
			"and stored with their versions. Each stored session is checked as a whole once a week.",
		DescriptionFR: "Recueille les projets de loi déposés le plus récemment, et tout autre projet de loi qui est " +
			"nouveau ou modifié dans la liste de LEGISinfo pour leurs sessions. Les projets de loi " +
			"proviennent d’openparliament.ca, sont complétés par LEGISinfo et sont enregistrés avec leurs " +
			"versions. Chaque session enregistrée est vérifiée en entier une fois par semaine.",
		Retry:     fetchRetry,
		Timeout:   30 * time.Minute,
		Pools:     sourcePools,
		Freshness: &orchestrator.Freshness{MaxAge: 26 * time.Hour},
		Checks:    append(billChecks(d), lagCheck(d)),
	}, func(ctx context.Context, step *orchestrator.Step, config latestBillsConfig) (orchestrator.Metadata, error) {
		f := newFetch(d, step, openparliament.Source+"+"+legisinfo.Source, map[string]any{"limit": config.Limit})
		err := f.latest(f.observe(ctx), config.Limit)
		return f.finishBills(err, orchestrator.Metadata{
			"bills_refreshed": f.refreshed, "bills_completed": f.completed, "sessions_looked_at": f.sessionsRead,
		})
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{
			{
				Name: "fetch_bills_job", Description: "Fetches the 50 latest bills.",
				DescriptionFR: "Recueille les 50 projets de loi les plus récents.",
				Assets:        []string{asset.Name},
				Config:        map[string]map[string]any{asset.Name: {"limit": 50}}, Timeout: time.Hour,
			},
		},
		Schedules: []*orchestrator.Schedule{
			{Name: "fetch_bills_hourly", Description: "Every hour on the hour.",
				DescriptionFR: "Toutes les heures, à l’heure juste.",
				Job:           "fetch_bills_job", Cron: "0 * * * *"},
			{Name: "fetch_bills_daily", Description: "Every night at two.",
				DescriptionFR: "Chaque nuit à 2 h.",
				Job:           "fetch_bills_job", Cron: "0 2 * * *"},
		},
	}
}

// latest fetches the latest bills, and refreshes every other bill that a list shows to be new or changed. LEGISinfo's
// list of the newest session determines how far back the date range on openparliament.ca begins, so that one request is
// enough.
func (f *fetch) latest(ctx context.Context, limit int) error {
	f.completions = maxCompletions
	current, err := f.currentLists(ctx)
	if err != nil {
		return err
	}
	chosen, err := f.window(ctx, current, limit)
	if err != nil {
		return err
	}
	for i := range chosen {
		c := &chosen[i]
		code := c.id.SessionCode()
		list, err := f.list(ctx, code)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			if c.item = list.Items[c.id]; c.item == nil {
				f.recordError(
					f.Legisinfo.DetailURL(code, c.id.Number()), c.id.String()+" is not in LEGISinfo's list of its session",
				)
			}
			c.at = list.ReadAt
		}
		if c.item == nil {
			f.noteNotEnriched(c.id)
		}
	}
	further, err := f.refresh(ctx, chosen)
	if err != nil {
		return err
	}
	if err := f.store(ctx, chosen); err != nil {
		return err
	}
	if f.refreshed = len(further); f.refreshed > 0 {
		if err := f.store(ctx, further); err != nil {
			return err
		}
	}
	return f.complete(ctx)
}

// windowAnswer is openparliament.ca's list of bills introduced since a day.
type windowAnswer struct {
	since  time.Time
	at     time.Time // when it was asked for
	bills  []openparliament.Bill
	faults []*upstream.RecordError
}

// earliest is before the first bill of openparliament.ca.
var earliest = time.Date(1994, 1, 1, 0, 0, 0, 0, time.UTC)

// window requests bills introduced since a day from openparliament.ca, and goes further back until there are enough.
func (f *fetch) window(ctx context.Context, items []*legisinfo.Item, limit int) ([]candidate, error) {
	if f.newestSession != "" { // nothing is held, and so the whole session will be needed anyway
		all, err := f.openParliamentSession(ctx, f.newestSession)
		if err != nil {
			return nil, err
		}
		dated := slices.DeleteFunc(slices.Collect(maps.Values(all)), func(c candidate) bool { return c.introduced() == "" })
		if len(dated) >= limit {
			return newestFirst(dated, limit), nil
		}
	}
	since, err := f.since(ctx, items, limit)
	if err != nil {
		return nil, err
	}
	w, err := f.atLeast(ctx, since, limit)
	if err != nil {
		return nil, err
	}
	return newestFirst(slices.Collect(maps.Values(f.openParliamentBills(w.bills, w.faults, w.at))), limit), nil
}

// atLeast requests at least limit bills, unless an earlier answer of this fetch has them.
func (f *fetch) atLeast(ctx context.Context, since time.Time, limit int) (*windowAnswer, error) {
	for back := 2; ; back *= 5 {
		w := f.latestOf
		if w == nil || since.Before(w.since) {
			w = &windowAnswer{since: since, at: now()}
			var err error
			if w.bills, w.faults, err = f.OpenParliament.BillsSince(ctx, since); err != nil {
				return nil, err
			}
			f.latestOf = w
		}
		if len(w.bills) >= limit || !since.After(earliest) {
			return w, nil
		}
		if since = since.AddDate(-back, 0, 0); back > 2 || since.Before(earliest) {
			since = earliest
		}
	}
}

// nameSession returns the newest session with a bill at openparliament.ca; "" if it has none.
func (f *fetch) nameSession(ctx context.Context) (string, error) {
	w, err := f.atLeast(ctx, f.recently(), 1)
	if err != nil {
		return "", err
	}
	newest := ""
	for _, b := range w.bills {
		if id, err := parliament.ParseBillID(b.Session, b.Number); err == nil &&
			(newest == "" || compareSessions(id.SessionCode(), newest) > 0) {
			newest = id.SessionCode()
		}
	}
	f.newestSession = newest
	return newest, nil
}

// recently returns a day since which a bill was introduced, unless Parliament has not sat since.
func (f *fetch) recently() time.Time { return f.now().UTC().AddDate(0, -6, 0) }

// since returns the day on which the limit-th latest bill was introduced, as far as it is known, or else an estimate.
func (f *fetch) since(ctx context.Context, items []*legisinfo.Item, limit int) (time.Time, error) {
	var days []string
	for _, item := range items {
		if d := item.Introduced(); d != "" {
			days = append(days, d)
		}
	}
	slices.Sort(days)
	if len(days) > 0 {
		// If the session has fewer bills than limit, the session before it is needed: go two years back.
		at := days[max(len(days)-limit, 0)]
		day, err := time.Parse(time.DateOnly, at)
		if err != nil {
			return day, err
		}
		if len(days) < limit {
			day = day.AddDate(-2, 0, 0)
		}
		return day, nil
	}
	if day, ok, err := f.Store.IntroductionOfLatest(ctx, limit); err != nil || ok {
		return day, err
	}
	return f.recently(), nil
}
