package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

func (h *handlers) ListAlerts(
	ctx context.Context, req api.ListAlertsRequestObject,
) (api.ListAlertsResponseObject, error) {
	limit := limitOf(req.Params.Limit)
	before, err := decodeCursor[uuid.UUID]("alerts", req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := h.cfg.Engine.Alerts().List(ctx, deref(req.Params.Open), before, limit+1)
	if err != nil {
		return nil, err
	}
	all, next := page("alerts", all, limit, func(a alerts.State) uuid.UUID { return a.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]alerts.State, error) {
		return h.cfg.Engine.Alerts().List(ctx, deref(req.Params.Open), nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListAlerts200JSONResponse{Items: each(all, func(a alerts.State) api.Alert {
		return api.Alert{
			ID: a.ID, Cause: a.Alert.Cause, Severity: api.Severity(a.Alert.Severity), Title: a.Alert.Title,
			TitleI18N: bilingual(a.Alert.Title),
			Detail:    a.Alert.Detail, DetailI18N: bilingual(a.Alert.Detail), Data: mustJSON(a.Alert.Data),
			Occurrences: a.Occurrences, OpenedAt: a.OpenedAt, LastAt: a.LastAt, RecoveredAt: a.RecoveredAt,
			ToldAt: a.NotifiedAt, Deliveries: each(a.Deliveries, apiDelivery),
		}
	}), NextCursor: next, Total: n.total, TotalCapped: n.capped}, nil
}

func (h *handlers) ListAlertChannels(
	_ context.Context, _ api.ListAlertChannelsRequestObject,
) (api.ListAlertChannelsResponseObject, error) {
	channels := each(h.cfg.Engine.Alerts().Channels(), func(c *notify.Channel) api.AlertChannel {
		return api.AlertChannel{Name: c.Name, Kind: api.AlertChannelKind(c.Kind), Target: c.Target}
	})
	return api.ListAlertChannels200JSONResponse{Items: channels}, nil
}

func (h *handlers) TestAlertChannel(
	ctx context.Context, req api.TestAlertChannelRequestObject,
) (api.TestAlertChannelResponseObject, error) {
	d, err := h.cfg.Engine.TestAlertChannel(ctx, req.Channel)
	if err != nil {
		return nil, err
	}
	return api.TestAlertChannel202JSONResponse(apiDelivery(*d)), nil
}

func (h *handlers) ListAlertDeliveries(
	ctx context.Context, req api.ListAlertDeliveriesRequestObject,
) (api.ListAlertDeliveriesResponseObject, error) {
	channel, limit := deref(req.Params.Channel), limitOf(req.Params.Limit)
	list := "deliveries to " + channel
	before, err := decodeCursor[uuid.UUID](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := h.cfg.Engine.Alerts().Deliveries(ctx, channel, before, limit+1)
	if err != nil {
		return nil, err
	}
	all, next := page(list, all, limit, func(d alerts.Delivery) uuid.UUID { return d.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]alerts.Delivery, error) {
		return h.cfg.Engine.Alerts().Deliveries(ctx, channel, nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListAlertDeliveries200JSONResponse{
		Items: each(all, apiDelivery), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func apiDelivery(d alerts.Delivery) api.Delivery {
	return api.Delivery{
		ID: d.ID, AlertID: d.AlertID, Channel: d.Channel, Kind: api.DeliveryKind(d.Kind),
		Status: api.DeliveryStatus(d.Status), Attempts: d.Attempts, Message: d.Message,
		MessageI18N: bilingualOrNone(d.Message),
		CreatedAt:   d.CreatedAt, AttemptedAt: d.AttemptedAt, DeliveredAt: d.DeliveredAt,
	}
}
