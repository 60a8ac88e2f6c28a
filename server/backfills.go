package server

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func (h *handlers) StartBackfill(
	ctx context.Context, req api.StartBackfillRequestObject,
) (api.StartBackfillResponseObject, error) {
	b := req.JSONBody
	assets, err := h.chosen(deref(b.Assets), b.Selection)
	if err != nil {
		return nil, err
	}
	if b.Partitions != nil && b.Range != nil {
		return nil, invalidField("/range", "is given beside partitions: want one of them")
	}
	r := orchestrator.BackfillRequest{
		Assets: assets, Selection: deref(b.Selection), Keys: deref(b.Partitions), Concurrency: deref(b.Concurrency),
		Priority: deref(b.Priority), Config: b.Config, Tags: deref(b.Tags), By: actor(ctx),
	}
	if b.Range != nil {
		if r.From, r.To = deref(b.Range.From), deref(b.Range.To); r.From == "" && r.To == "" {
			return nil, invalidField(
				"/range", "is empty: want from, to or both; without a range, all partitions are meant",
			)
		}
	}
	if b.Only != nil {
		r.Only = string(*b.Only)
	}
	if deref(b.DryRun) {
		p, err := h.cfg.Engine.PlanBackfill(ctx, r)
		if err != nil {
			return nil, err
		}
		return api.StartBackfill200JSONResponse{
			Assets: p.Assets, PartitionSet: p.Set.Name, Partitions: orEmpty(p.Keys), Runs: len(p.Keys),
			Concurrency: p.Concurrency, Priority: p.Priority,
		}, nil
	}
	r.IdempotencyKey = deref(req.Params.IdempotencyKey)
	r.Fingerprint = fingerprint(ctx, req.Params.IdempotencyKey)
	started, replayed, err := h.cfg.Engine.StartBackfill(ctx, r)
	accepted, err := acceptBackfill(started, err)
	if replayed {
		accepted.Headers.IdempotencyReplayed = ptr(true)
	}
	return api.StartBackfill202JSONResponse{BackfillAcceptedJSONResponse: accepted}, err
}

// chosen returns the assets that a request names, one by one or by selection.
func (h *handlers) chosen(assets []string, selection *string) ([]string, error) {
	switch {
	case len(assets) > 0 && selection != nil:
		return nil, invalidField("/selection", "is given beside assets: want one of them")
	case selection != nil:
		return h.selected("/selection", *selection)
	case len(assets) == 0:
		return nil, invalidField("/assets", "is required, or a selection")
	}
	return assets, nil
}

func (h *handlers) selected(pointer, selection string) ([]string, error) {
	names, err := h.cfg.Engine.Definitions().Select(selection)
	if err != nil {
		return nil, invalidField(pointer, "%q: %s", selection, err)
	}
	return names, nil
}

func (h *handlers) ListBackfills(
	ctx context.Context, req api.ListBackfillsRequestObject,
) (api.ListBackfillsResponseObject, error) {
	limit := limitOf(req.Params.Limit)
	before, err := decodeCursor[uuid.UUID]("backfills", req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := h.cfg.Engine.Backfills(ctx, string(deref(req.Params.Status)), before, limit+1)
	if err != nil {
		return nil, err
	}
	all, next := page("backfills", all, limit, func(b orchestrator.Backfill) uuid.UUID { return b.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]orchestrator.Backfill, error) {
		return h.cfg.Engine.Backfills(ctx, string(deref(req.Params.Status)), nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListBackfills200JSONResponse{
		Items: each(all, apiBackfill), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func (h *handlers) GetBackfill(
	ctx context.Context, req api.GetBackfillRequestObject,
) (api.GetBackfillResponseObject, error) {
	id, err := idOf("backfill", req.BackfillID)
	if err != nil {
		return nil, err
	}
	b, err := h.cfg.Engine.Backfill(ctx, id)
	if err != nil {
		return nil, err
	}
	return api.GetBackfill200JSONResponse{
		BackfillStateJSONResponse: api.BackfillStateJSONResponse(apiBackfill(*b)),
	}, nil
}

func (h *handlers) ListBackfillPartitions(
	ctx context.Context, req api.ListBackfillPartitionsRequestObject,
) (api.ListBackfillPartitionsResponseObject, error) {
	id, err := idOf("backfill", req.BackfillID)
	if err != nil {
		return nil, err
	}
	list, limit := "partitions of backfill "+id.String(), limitOf(req.Params.Limit)
	from, err := decodeCursor[int32](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := h.cfg.Engine.BackfillPartitions(ctx, id, string(deref(req.Params.Status)), from, limit+1)
	if err != nil {
		return nil, err
	}
	all, next := page(list, all, limit, func(p orchestrator.BackfillPartition) int { return p.Ordinal })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) (
		[]orchestrator.BackfillPartition, error,
	) {
		return h.cfg.Engine.BackfillPartitions(ctx, id, string(deref(req.Params.Status)), nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListBackfillPartitions200JSONResponse{
		Items: each(all, apiBackfillPartition), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func apiBackfillPartition(p orchestrator.BackfillPartition) api.BackfillPartition {
	return api.BackfillPartition{
		Key: p.Key, Status: api.BackfillPartitionStatus(p.Status), RunID: p.RunID, Error: p.Error,
		ErrorI18N: bilingualOrNone(p.Error),
	}
}

func (h *handlers) PauseBackfill(
	ctx context.Context, req api.PauseBackfillRequestObject,
) (api.PauseBackfillResponseObject, error) {
	accepted, err := changeBackfill(ctx, req.BackfillID, h.cfg.Engine.PauseBackfill)
	return api.PauseBackfill202JSONResponse{BackfillAcceptedJSONResponse: accepted}, err
}

func (h *handlers) ResumeBackfill(
	ctx context.Context, req api.ResumeBackfillRequestObject,
) (api.ResumeBackfillResponseObject, error) {
	accepted, err := changeBackfill(ctx, req.BackfillID, h.cfg.Engine.ResumeBackfill)
	return api.ResumeBackfill202JSONResponse{BackfillAcceptedJSONResponse: accepted}, err
}

func (h *handlers) RetryBackfill(
	ctx context.Context, req api.RetryBackfillRequestObject,
) (api.RetryBackfillResponseObject, error) {
	accepted, err := changeBackfill(ctx, req.BackfillID, h.cfg.Engine.RetryBackfill)
	return api.RetryBackfill202JSONResponse{BackfillAcceptedJSONResponse: accepted}, err
}

func (h *handlers) CancelBackfill(
	ctx context.Context, req api.CancelBackfillRequestObject,
) (api.CancelBackfillResponseObject, error) {
	cancel := func(ctx context.Context, id uuid.UUID) (*orchestrator.Backfill, error) {
		return h.cfg.Engine.CancelBackfill(ctx, id, actor(ctx))
	}
	accepted, err := changeBackfill(ctx, req.BackfillID, cancel)
	return api.CancelBackfill202JSONResponse{BackfillAcceptedJSONResponse: accepted}, err
}

func changeBackfill(
	ctx context.Context, given string, change func(context.Context, uuid.UUID) (*orchestrator.Backfill, error),
) (api.BackfillAcceptedJSONResponse, error) {
	id, err := idOf("backfill", given)
	if err != nil {
		return api.BackfillAcceptedJSONResponse{}, err
	}
	return acceptBackfill(change(ctx, id))
}

func acceptBackfill(b *orchestrator.Backfill, err error) (api.BackfillAcceptedJSONResponse, error) {
	if err != nil {
		return api.BackfillAcceptedJSONResponse{}, err
	}
	return api.BackfillAcceptedJSONResponse{
		Body:    apiBackfill(*b),
		Headers: api.BackfillAcceptedResponseHeaders{Location: ptr("/backfills/" + b.ID.String())},
	}, nil
}

// idOf parses an id of the path. A text that is not an id names nothing, so the error is not found.
func idOf(kind, s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 {
		return id, &orchestrator.NotFoundError{Kind: kind, Name: s}
	}
	return id, nil
}

func apiBackfill(b orchestrator.Backfill) api.Backfill {
	c := b.Counts
	return api.Backfill{
		ID: b.ID, Assets: b.Assets, Status: api.BackfillStatus(b.Status), Concurrency: b.Concurrency,
		Priority: b.Priority, Config: b.Config, Tags: b.Tags, CreatedBy: strings.TrimSpace(b.CreatedBy),
		CreatedAt: b.CreatedAt, EndedAt: b.EndedAt, Total: b.Total,
		Counts: api.BackfillCounts{
			Pending: c[orchestrator.StatusPending], Running: c[orchestrator.StatusRunning],
			Success: c[orchestrator.StatusSuccess], Failure: c[orchestrator.StatusFailure],
			Canceled: c[orchestrator.StatusCanceled], NotStarted: b.NotStarted,
		},
	}
}
