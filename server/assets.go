package server

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func (h *handlers) ListAssets(ctx context.Context, _ api.ListAssetsRequestObject) (api.ListAssetsResponseObject, error) {
	defs := h.cfg.Engine.Definitions()
	latest, err := h.latest(ctx, defs.Assets())
	if err != nil {
		return nil, err
	}
	return api.ListAssets200JSONResponse{Items: each(defs.Assets(), func(a *orchestrator.Asset) api.Asset { return apiAsset(defs, a, latest) })}, nil
}

func (h *handlers) GetAsset(ctx context.Context, req api.GetAssetRequestObject) (api.GetAssetResponseObject, error) {
	defs := h.cfg.Engine.Definitions()
	a, err := defs.Asset(req.Asset)
	if err != nil {
		return nil, err
	}
	latest, err := h.latest(ctx, []*orchestrator.Asset{a})
	if err != nil {
		return nil, err
	}
	return api.GetAsset200JSONResponse(apiAsset(defs, a, latest)), nil
}

func (h *handlers) latest(ctx context.Context, assets []*orchestrator.Asset) (map[string]orchestrator.Materialization, error) {
	return h.cfg.Engine.LatestMaterializations(ctx, each(assets, func(a *orchestrator.Asset) string { return a.Name }))
}

func (h *handlers) GetAssetGraph(ctx context.Context, _ api.GetAssetGraphRequestObject) (api.GetAssetGraphResponseObject, error) {
	assets := h.cfg.Engine.Definitions().Assets()
	latest, err := h.latest(ctx, assets)
	if err != nil {
		return nil, err
	}
	g := api.GetAssetGraph200JSONResponse{Nodes: []api.AssetNode{}, Edges: []api.AssetEdge{}}
	for _, a := range assets {
		n := api.AssetNode{Name: a.Name, Group: a.Group}
		if m, ok := latest[a.Name]; ok {
			n.LastMaterializedAt = &m.CreatedAt
		}
		g.Nodes = append(g.Nodes, n)
		for _, dep := range a.Deps {
			g.Edges = append(g.Edges, api.AssetEdge{From: dep, To: a.Name})
		}
	}
	return g, nil
}

func (h *handlers) ListAssetMaterializations(ctx context.Context, req api.ListAssetMaterializationsRequestObject) (api.ListAssetMaterializationsResponseObject, error) {
	list, limit := "materializations of "+req.Asset, limitOf(req.Params.Limit)
	before, err := after[uuid.UUID](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ms, err := h.cfg.Engine.Materializations(ctx, req.Asset, deref(req.Params.Partition), before, limit+1)
	if err != nil {
		return nil, err
	}
	ms, next := page(list, ms, limit, func(m orchestrator.Materialization) uuid.UUID { return m.ID })
	return api.ListAssetMaterializations200JSONResponse{Items: each(ms, apiMaterialization), NextCursor: next}, nil
}

func apiAsset(defs *orchestrator.Definitions, a *orchestrator.Asset, latest map[string]orchestrator.Materialization) api.Asset {
	out := api.Asset{
		Name: a.Name, Group: a.Group, Description: a.Description, Dependencies: orEmpty(a.Deps), Dependents: defs.Downstream(a.Name), ConfigSchema: a.ConfigSchema(),
		Retry: api.RetryPolicy{MaxAttempts: max(a.Retry.MaxAttempts, 1), DelaySeconds: a.Retry.Delay.Seconds()}, TimeoutSeconds: a.Timeout.Seconds(), Jobs: []string{},
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
	return api.Materialization{ID: m.ID, Asset: m.Asset, Partition: m.Partition, RunID: m.RunID, Metadata: m.Metadata, CreatedAt: m.CreatedAt}
}

// mustJSON encodes what was decoded from JSON.
func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}
