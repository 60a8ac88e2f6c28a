package server

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func (h *handlers) ListAssets(
	ctx context.Context, req api.ListAssetsRequestObject,
) (api.ListAssetsResponseObject, error) {
	assets := h.cfg.Engine.Definitions().Assets()
	if req.Params.Selection != nil {
		names, err := h.selected("/query/selection", *req.Params.Selection)
		if err != nil {
			return nil, err
		}
		assets = slices.DeleteFunc(
			slices.Clone(assets), func(a *orchestrator.Asset) bool { return !slices.Contains(names, a.Name) },
		)
	}
	items, err := h.describe(ctx, assets)
	return api.ListAssets200JSONResponse{Items: items}, err
}

func (h *handlers) GetAsset(ctx context.Context, req api.GetAssetRequestObject) (api.GetAssetResponseObject, error) {
	defs := h.cfg.Engine.Definitions()
	a, err := defs.Asset(req.Asset)
	if err != nil {
		return nil, err
	}
	items, err := h.describe(ctx, []*orchestrator.Asset{a})
	if err != nil {
		return nil, err
	}
	return api.GetAsset200JSONResponse(items[0]), nil
}

// describe converts assets, with their current state.
func (h *handlers) describe(ctx context.Context, assets []*orchestrator.Asset) ([]api.Asset, error) {
	latest, err := h.latest(ctx, assets)
	if err != nil {
		return nil, err
	}
	checks, err := h.cfg.Engine.LatestChecks(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]api.Asset, len(assets))
	for i, a := range assets {
		out[i] = apiAsset(h.cfg.Engine.Definitions(), a, latest)
		for _, c := range a.Checks {
			check := api.AssetCheck{
				Name: c.Name, Description: c.Description, DescriptionI18N: described(c.Description, c.DescriptionFR),
				Severity: api.Severity(c.Severity), Blocking: c.Blocking,
			}
			if r, ok := checks[a.Name][c.Name]; ok {
				check.LastResult = ptr(api.LastCheckResult(apiCheckResult(r)))
			}
			out[i].Checks = append(out[i].Checks, check)
		}
		if f := h.cfg.Engine.FreshnessOf(a, latest); f != nil {
			out[i].Freshness = apiFreshness(f)
		}
		verdict, err := h.cfg.Engine.AutomationOf(ctx, a.Name)
		if err != nil {
			return nil, err
		}
		if verdict != nil {
			out[i].Automation = &api.AssetAutomation{
				Condition: verdict.Condition, WouldRun: verdict.WouldRun, Reason: verdict.Reason,
				ReasonI18N: bilingual(verdict.Reason),
				Sensor:     orchestrator.AutomationSensorName, SensorRunning: verdict.SensorRunning,
			}
		}
	}
	return out, nil
}

func apiFreshness(f *orchestrator.AssetFreshness) *api.AssetFreshness {
	out := &api.AssetFreshness{Policy: f.Policy.String(), State: api.FreshnessState(f.State), LateAt: f.LateSince}
	if f.Policy.MaxAge > 0 {
		out.MaxAgeSeconds = ptr(f.Policy.MaxAge.Seconds())
	} else {
		out.Cron, out.TimeZone = &f.Policy.By, &f.Policy.TimeZone
	}
	return out
}

func apiCheckResult(r orchestrator.CheckResult) api.CheckResult {
	return api.CheckResult{
		ID: r.ID, Asset: r.Asset, Check: r.Name, RunID: r.RunID, Partition: r.Partition, Passed: r.Passed,
		Severity: api.Severity(r.Severity), Blocking: r.Blocking, Message: r.Message, Metadata: r.Metadata,
		CreatedAt: r.CreatedAt, MessageI18N: bilingual(r.Message),
	}
}

func apiPartitionSet(a *orchestrator.Asset) *api.PartitionSet {
	if a.Partitions == nil {
		return nil
	}
	return &api.PartitionSet{
		Name: a.Partitions.Name, Kind: api.PartitionKind(a.Partitions.Kind), Required: a.PartitionRequired,
	}
}

func (h *handlers) ListAssetPartitions(
	ctx context.Context, req api.ListAssetPartitionsRequestObject,
) (api.ListAssetPartitionsResponseObject, error) {
	states, err := h.cfg.Engine.PartitionStates(ctx, req.Asset)
	if err != nil {
		return nil, err
	}
	a, err := h.cfg.Engine.Definitions().Asset(req.Asset)
	if err != nil {
		return nil, err
	}
	out := api.ListAssetPartitions200JSONResponse{
		Asset: a.Name, Set: apiPartitionSet(a), Items: make([]api.PartitionState, len(states)),
	}
	for i, s := range states {
		out.Items[i] = api.PartitionState{
			Key: s.Key, Status: api.AssetStatus(s.Status), RunID: s.RunID, MaterializedAt: s.MaterializedAt,
		}
		switch s.Status {
		case orchestrator.PartitionMaterialized:
			out.Counts.Materialized++
		case orchestrator.PartitionFailed:
			out.Counts.Failed++
		case orchestrator.PartitionRunning:
			out.Counts.Running++
		default:
			out.Counts.Missing++
		}
	}
	return out, nil
}

func (h *handlers) ListAssetCheckResults(
	ctx context.Context, req api.ListAssetCheckResultsRequestObject,
) (api.ListAssetCheckResultsResponseObject, error) {
	check := deref(req.Params.Check)
	list, limit := "check results of "+req.Asset+" "+check, limitOf(req.Params.Limit)
	before, err := decodeCursor[uuid.UUID](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := h.cfg.Engine.CheckResults(ctx, req.Asset, check, before, limit+1)
	if err != nil {
		return nil, err
	}
	all, next := page(list, all, limit, func(r orchestrator.CheckResult) uuid.UUID { return r.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]orchestrator.CheckResult, error) {
		return h.cfg.Engine.CheckResults(ctx, req.Asset, check, nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListAssetCheckResults200JSONResponse{
		Items: each(all, apiCheckResult), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func (h *handlers) latest(
	ctx context.Context, assets []*orchestrator.Asset,
) (map[string]orchestrator.Materialization, error) {
	return h.cfg.Engine.LatestMaterializations(ctx, each(assets, func(a *orchestrator.Asset) string { return a.Name }))
}

func (h *handlers) GetAssetGraph(
	ctx context.Context, req api.GetAssetGraphRequestObject,
) (api.GetAssetGraphResponseObject, error) {
	var names []string
	if req.Params.Selection != nil {
		var err error
		if names, err = h.selected("/query/selection", *req.Params.Selection); err != nil {
			return nil, err
		}
	}
	nodes, err := h.cfg.Engine.Graph(ctx, names)
	if err != nil {
		return nil, err
	}
	g := api.GetAssetGraph200JSONResponse{Nodes: []api.AssetNode{}, Edges: []api.AssetEdge{}}
	shown := map[string]bool{}
	for _, n := range nodes { // in dependency order
		g.Nodes = append(g.Nodes, api.AssetNode{
			Name: n.Name, Group: n.Group, LastMaterializedAt: n.LastMaterializedAt, Status: api.AssetStatus(n.Status),
			LastRunID: n.LastRun, Stale: n.Stale, StaleCauses: orEmpty(n.StaleCauses),
		})
		shown[n.Name] = true
		for _, dep := range n.Deps {
			if shown[dep] {
				g.Edges = append(g.Edges, api.AssetEdge{From: dep, To: n.Name})
			}
		}
	}
	return g, nil
}

func (h *handlers) ListAssetMaterializations(
	ctx context.Context, req api.ListAssetMaterializationsRequestObject,
) (api.ListAssetMaterializationsResponseObject, error) {
	list, limit := "materializations of "+req.Asset, limitOf(req.Params.Limit)
	before, err := decodeCursor[uuid.UUID](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ms, err := h.cfg.Engine.Materializations(ctx, req.Asset, deref(req.Params.Partition), before, limit+1)
	if err != nil {
		return nil, err
	}
	ms, next := page(list, ms, limit, func(m orchestrator.Materialization) uuid.UUID { return m.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) (
		[]orchestrator.Materialization, error,
	) {
		return h.cfg.Engine.Materializations(ctx, req.Asset, deref(req.Params.Partition), nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListAssetMaterializations200JSONResponse{
		Items: each(ms, apiMaterialization), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func apiAsset(
	defs *orchestrator.Definitions, a *orchestrator.Asset, latest map[string]orchestrator.Materialization,
) api.Asset {
	out := api.Asset{
		Name: a.Name, Group: a.Group, Description: a.Description,
		DescriptionI18N: described(a.Description, a.DescriptionFR), Dependencies: orEmpty(a.Deps),
		Dependents: defs.Downstream(a.Name), ConfigSchema: a.ConfigSchema(),
		Retry: api.RetryPolicy{
			MaxAttempts: max(a.Retry.MaxAttempts, 1), DelaySeconds: a.Retry.Delay.Seconds(),
		},
		TimeoutSeconds: a.Timeout.Seconds(), Jobs: []string{},
		Partitions: apiPartitionSet(a), Checks: []api.AssetCheck{}, Pools: orEmpty(a.Pools),
		Owners: orEmpty(a.Owners), Tags: orEmptyTags(a.Tags), Kinds: orEmpty(a.Kinds),
	}
	out.DefaultConfig = mustJSON(a.DefaultConfig())
	for _, j := range defs.Jobs() {
		if slices.Contains(j.Assets, a.Name) {
			out.Jobs = append(out.Jobs, j.Name)
		}
	}
	if m, ok := latest[a.Name]; ok {
		out.LastMaterialization = ptr(api.LastMaterialization(apiMaterialization(m)))
	}
	return out
}

func apiMaterialization(m orchestrator.Materialization) api.Materialization {
	return api.Materialization{
		ID: m.ID, Asset: m.Asset, Partition: m.Partition, RunID: m.RunID, Metadata: m.Metadata, CreatedAt: m.CreatedAt,
	}
}

// mustJSON encodes a value that was decoded from JSON, which cannot fail.
func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}
