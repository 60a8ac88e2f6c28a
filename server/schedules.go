package server

import (
	"context"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func (h *handlers) ListSchedules(
	ctx context.Context, _ api.ListSchedulesRequestObject,
) (api.ListSchedulesResponseObject, error) {
	all, err := h.cfg.Engine.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListSchedules200JSONResponse{Items: each(all, apiSchedule)}, nil
}

func (h *handlers) GetSchedule(
	ctx context.Context, req api.GetScheduleRequestObject,
) (api.GetScheduleResponseObject, error) {
	s, err := h.cfg.Engine.Schedule(ctx, req.Schedule)
	if err != nil {
		return nil, err
	}
	return api.GetSchedule200JSONResponse{
		ScheduleStateJSONResponse: api.ScheduleStateJSONResponse(apiSchedule(*s)),
	}, nil
}

func (h *handlers) StartSchedule(
	ctx context.Context, req api.StartScheduleRequestObject,
) (api.StartScheduleResponseObject, error) {
	s, err := h.cfg.Engine.SetSchedule(ctx, req.Schedule, true)
	if err != nil {
		return nil, err
	}
	return api.StartSchedule200JSONResponse{
		ScheduleStateJSONResponse: api.ScheduleStateJSONResponse(apiSchedule(*s)),
	}, nil
}

func (h *handlers) StopSchedule(
	ctx context.Context, req api.StopScheduleRequestObject,
) (api.StopScheduleResponseObject, error) {
	s, err := h.cfg.Engine.SetSchedule(ctx, req.Schedule, false)
	if err != nil {
		return nil, err
	}
	return api.StopSchedule200JSONResponse{
		ScheduleStateJSONResponse: api.ScheduleStateJSONResponse(apiSchedule(*s)),
	}, nil
}

func (h *handlers) DryRunSchedule(
	ctx context.Context, req api.DryRunScheduleRequestObject,
) (api.DryRunScheduleResponseObject, error) {
	d, err := h.cfg.Engine.DryRunSchedule(ctx, req.Schedule)
	if err != nil {
		return nil, err
	}
	return api.DryRunSchedule200JSONResponse(apiDryRun(*d)), nil
}

func (h *handlers) RunSchedule(
	ctx context.Context, req api.RunScheduleRequestObject,
) (api.RunScheduleResponseObject, error) {
	accepted, err := h.accept(h.cfg.Engine.RunSchedule(ctx, req.Schedule, runRequest(ctx, req.Params.IdempotencyKey, nil)))
	return api.RunSchedule202JSONResponse{RunAcceptedJSONResponse: accepted}, err
}

func (h *handlers) ListScheduleTicks(
	ctx context.Context, req api.ListScheduleTicksRequestObject,
) (api.ListScheduleTicksResponseObject, error) {
	list, limit := "ticks of "+req.Schedule, limitOf(req.Params.Limit)
	before, err := decodeCursor[int64](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ticks, err := h.cfg.Engine.Ticks(ctx, req.Schedule, before, limit+1)
	if err != nil {
		return nil, err
	}
	ticks, next := page(list, ticks, limit, func(t orchestrator.Tick) int64 { return t.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]orchestrator.Tick, error) {
		return h.cfg.Engine.Ticks(ctx, req.Schedule, nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListScheduleTicks200JSONResponse{
		Items: each(ticks, apiTick), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func apiSchedule(s orchestrator.ScheduleState) api.Schedule {
	out := api.Schedule{
		Name: s.Name, Description: s.Description, DescriptionI18N: described(s.Description, s.DescriptionFR), Job: s.Job,
		Cron: s.Cron, TimeZone: s.TimeZone, CatchUp: !s.NoCatchUp,
		Running: s.Running, ChangedAt: s.ChangedAt,
		NextTicks: each(s.Next(time.Now(), 5), time.Time.UTC),
	}
	if s.LastTick != nil {
		out.LastTick = ptr(api.LastTick(apiTick(*s.LastTick)))
	}
	return out
}

func apiTick(t orchestrator.Tick) api.Tick {
	return api.Tick{
		ID: t.ID, Schedule: t.Schedule, Kind: api.TickKind(t.Kind), ScheduledFor: t.ScheduledFor.UTC(),
		Status: api.TickStatus(t.Status), RunID: t.RunID,
		Message: t.Message, MessageI18N: bilingualOrNone(t.Message), CreatedAt: t.CreatedAt,
	}
}
