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
)

type latestBillsConfig struct {
	Limit int `json:"limit" jsonschema:"minimum=1,maximum=500,default=50" jsonschema_description:"How many of the most recently introduced bills to fetch."`
}

// latestBills keeps the most recently introduced bills up to date.
func latestBills(d Deps) Part {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:        "fetch_latest_bills",
		Group:       "bills",
		Description: "The most recently introduced bills: from openparliament.ca, enriched from LEGISinfo where something changed, stored with their versions.",
		Retry:       fetchRetry,
		Timeout:     30 * time.Minute,
		Pools:       sourcePools,
		Freshness:   &orchestrator.Freshness{MaxAge: 26 * time.Hour},
		Checks:      billChecks(d),
	}, func(ctx context.Context, step *orchestrator.Step, config latestBillsConfig) (orchestrator.Metadata, error) {
		f := newFetch(d, step, openparliament.Source+"+"+legisinfo.Source, map[string]any{"limit": config.Limit})
		return f.end(f.latest(f.observe(ctx), config.Limit), nil)
	})
	return Part{
		Assets: []*orchestrator.Asset{asset},
		Jobs:   []*orchestrator.Job{{Name: "fetch_bills_job", Description: "Fetches the 50 latest bills.", Assets: []string{asset.Name}, Config: map[string]map[string]any{asset.Name: {"limit": 50}}, Timeout: time.Hour}},
		Schedules: []*orchestrator.Schedule{
			{Name: "fetch_bills_hourly", Description: "Every hour on the hour.", Job: "fetch_bills_job", Cron: "0 * * * *"},
			{Name: "fetch_bills_daily", Description: "Every night at two.", Job: "fetch_bills_job", Cron: "0 2 * * *"},
		},
	}
}

// latest fetches the latest bills. LEGISinfo's list of the current session tells how far back the window on
// openparliament.ca must reach, so that one request is enough.
func (f *fetch) latest(ctx context.Context, limit int) error {
	lists := map[string]map[parliament.BillID]*legisinfo.Item{}
	legisinfoDown := false
	items, faults, err := f.Legisinfo.List(ctx, "")
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		legisinfoDown = true
		f.without("", err)
	default:
		byID := f.legisinfoItems(items, faults)
		for id, item := range byID {
			code := id.SessionCode()
			if lists[code] == nil {
				lists[code] = map[parliament.BillID]*legisinfo.Item{}
			}
			lists[code][id] = item
		}
	}
	chosen, err := f.window(ctx, items, limit)
	if err != nil {
		return err
	}
	for i := range chosen {
		code := chosen[i].id.SessionCode()
		list, asked := lists[code]
		if !asked && !legisinfoDown {
			more, faults, err := f.Legisinfo.List(ctx, code)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				legisinfoDown = true
				f.without(code, err)
			default:
				list = f.legisinfoItems(more, faults)
			}
			lists[code] = list
		}
		if chosen[i].item = list[chosen[i].id]; chosen[i].item == nil {
			f.lacks(chosen[i].id)
			if !legisinfoDown {
				f.fault(f.Legisinfo.DetailURL(code, chosen[i].id.Number()), chosen[i].id.String()+" is not in LEGISinfo's list of its session")
			}
		}
	}
	return f.store(ctx, chosen)
}

// window asks openparliament.ca for bills introduced since a day, further back until there are enough.
func (f *fetch) window(ctx context.Context, items []legisinfo.Item, limit int) ([]candidate, error) {
	earliest := time.Date(1994, 1, 1, 0, 0, 0, 0, time.UTC) // before anything it has
	since, err := f.since(ctx, items, limit)
	if err != nil {
		return nil, err
	}
	for back := 2; ; back *= 5 {
		bills, faults, err := f.OpenParliament.BillsSince(ctx, since)
		if err != nil {
			return nil, err
		}
		if len(bills) >= limit || !since.After(earliest) {
			return latestFirst(slices.Collect(maps.Values(f.openParliamentBills(bills, faults))), limit), nil
		}
		if since = since.AddDate(-back, 0, 0); back > 2 || since.Before(earliest) {
			since = earliest
		}
	}
}

// since is the day on which the limit-th latest bill was introduced, as far as that is known; at worst a guess.
func (f *fetch) since(ctx context.Context, items []legisinfo.Item, limit int) (time.Time, error) {
	var days []string
	for i := range items {
		if d := items[i].Introduced(); d != "" {
			days = append(days, d)
		}
	}
	slices.Sort(days)
	if len(days) > 0 {
		// With fewer bills in the session than asked for, the one before it will be needed: two years back.
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
	return time.Now().UTC().AddDate(0, -6, 0), nil
}
