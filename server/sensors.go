package server

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func (h *handlers) ListSensors(
	ctx context.Context, _ api.ListSensorsRequestObject,
) (api.ListSensorsResponseObject, error) {
	all, err := h.cfg.Engine.Sensors(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListSensors200JSONResponse{Items: each(all, apiSensor)}, nil
}

func (h *handlers) GetSensor(ctx context.Context, req api.GetSensorRequestObject) (api.GetSensorResponseObject, error) {
	s, err := sensorState(h.cfg.Engine.Sensor(ctx, req.Sensor))
	return api.GetSensor200JSONResponse{SensorStateJSONResponse: s}, err
}

func (h *handlers) StartSensor(
	ctx context.Context, req api.StartSensorRequestObject,
) (api.StartSensorResponseObject, error) {
	s, err := sensorState(h.cfg.Engine.SetSensor(ctx, req.Sensor, true))
	return api.StartSensor200JSONResponse{SensorStateJSONResponse: s}, err
}

func (h *handlers) StopSensor(
	ctx context.Context, req api.StopSensorRequestObject,
) (api.StopSensorResponseObject, error) {
	s, err := sensorState(h.cfg.Engine.SetSensor(ctx, req.Sensor, false))
	return api.StopSensor200JSONResponse{SensorStateJSONResponse: s}, err
}

func (h *handlers) EvaluateSensor(
	ctx context.Context, req api.EvaluateSensorRequestObject,
) (api.EvaluateSensorResponseObject, error) {
	t, err := h.cfg.Engine.EvaluateSensor(ctx, req.Sensor)
	if err != nil {
		return nil, err
	}
	return api.EvaluateSensor200JSONResponse(apiSensorTick(*t)), nil
}

func (h *handlers) DryRunSensor(
	ctx context.Context, req api.DryRunSensorRequestObject,
) (api.DryRunSensorResponseObject, error) {
	d, err := h.cfg.Engine.DryRunSensor(ctx, req.Sensor)
	if err != nil {
		return nil, err
	}
	return api.DryRunSensor200JSONResponse(apiDryRun(*d)), nil
}

func (h *handlers) GetSensorCursor(
	ctx context.Context, req api.GetSensorCursorRequestObject,
) (api.GetSensorCursorResponseObject, error) {
	s, err := h.cfg.Engine.Sensor(ctx, req.Sensor)
	if err != nil {
		return nil, err
	}
	return api.GetSensorCursor200JSONResponse{Cursor: s.Cursor}, nil
}

func (h *handlers) SetSensorCursor(
	ctx context.Context, req api.SetSensorCursorRequestObject,
) (api.SetSensorCursorResponseObject, error) {
	s, err := sensorState(h.cfg.Engine.SetSensorCursor(ctx, req.Sensor, req.Body.Cursor))
	return api.SetSensorCursor200JSONResponse{SensorStateJSONResponse: s}, err
}

func (h *handlers) ListSensorTicks(
	ctx context.Context, req api.ListSensorTicksRequestObject,
) (api.ListSensorTicksResponseObject, error) {
	list, limit := "ticks of sensor "+req.Sensor, limitOf(req.Params.Limit)
	before, err := decodeCursor[int64](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ticks, err := h.cfg.Engine.SensorTicks(ctx, req.Sensor, before, limit+1)
	if err != nil {
		return nil, err
	}
	ticks, next := page(list, ticks, limit, func(t orchestrator.SensorTick) int64 { return t.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]orchestrator.SensorTick, error) {
		return h.cfg.Engine.SensorTicks(ctx, req.Sensor, nil, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListSensorTicks200JSONResponse{
		Items: each(ticks, apiSensorTick), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

// runKeyPlace is the position of a run key in its list.
type runKeyPlace struct {
	At  time.Time `json:"a"`
	Key string    `json:"k"`
}

func (h *handlers) ListSensorRunKeys(
	ctx context.Context, req api.ListSensorRunKeysRequestObject,
) (api.ListSensorRunKeysResponseObject, error) {
	list, limit := "run keys of sensor "+req.Sensor, limitOf(req.Params.Limit)
	place, err := decodeCursor[runKeyPlace](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	f := orchestrator.RunKeyFilter{Key: deref(req.Params.Key), Prefix: deref(req.Params.Prefix), Limit: limit + 1}
	if place != nil {
		f.Before = &orchestrator.RunKey{CreatedAt: place.At, Key: place.Key}
	}
	keys, err := h.cfg.Engine.RunKeys(ctx, req.Sensor, f)
	if err != nil {
		return nil, err
	}
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]orchestrator.RunKey, error) {
		f.Before, f.Limit = nil, limit
		return h.cfg.Engine.RunKeys(ctx, req.Sensor, f)
	})
	if err != nil {
		return nil, err
	}
	keys, next := page(
		list, keys, limit, func(k orchestrator.RunKey) runKeyPlace { return runKeyPlace{At: k.CreatedAt, Key: k.Key} },
	)
	return api.ListSensorRunKeys200JSONResponse{
		Items: each(keys, apiRunKey), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func (h *handlers) ForgetSensorRunKey(
	ctx context.Context, req api.ForgetSensorRunKeyRequestObject,
) (api.ForgetSensorRunKeyResponseObject, error) {
	k, err := h.cfg.Engine.ForgetRunKey(ctx, req.Sensor, req.Params.Key)
	if err != nil {
		return nil, err
	}
	return api.ForgetSensorRunKey200JSONResponse(apiRunKey(*k)), nil
}

func apiRunKey(k orchestrator.RunKey) api.RunKey {
	return api.RunKey{Key: k.Key, RunID: k.RunID, CreatedAt: k.CreatedAt}
}

// ReceiveWebhook verifies the signature before it reads anything else of the event.
func (h *handlers) ReceiveWebhook(
	ctx context.Context, req api.ReceiveWebhookRequestObject,
) (api.ReceiveWebhookResponseObject, error) {
	s, err := h.cfg.Engine.Definitions().Sensor(req.Sensor)
	if err != nil {
		return nil, err
	}
	if s.Kind() != orchestrator.SensorWebhook {
		return nil, &orchestrator.NotFoundError{Kind: "webhook sensor", Name: req.Sensor}
	}
	info := infoOf(ctx)
	p := req.Params
	header := http.Header{}
	for name, value := range map[string]*string{
		"webhook-id": p.WebhookID, "webhook-timestamp": p.WebhookTimestamp, "webhook-signature": p.WebhookSignature,
	} {
		if value == nil {
			return nil, &problem{
				status: http.StatusUnauthorized, kind: "unauthorized",
				detail: "header " + name + " is missing: want a request signed as Standard Webhooks have it",
			}
		}
		header.Set(name, *value)
	}
	verifiers := h.cfg.WebhookSecrets[req.Sensor]
	if len(verifiers) == 0 {
		return nil, &problem{
			status: http.StatusUnauthorized, kind: "unauthorized",
			detail: "no secret is configured for " + req.Sensor + " (WEBHOOK_SECRETS): its events cannot be verified",
		}
	}
	for _, v := range verifiers {
		if err = v.Verify(info.rawBody, header); err == nil {
			break
		}
	}
	if err != nil {
		return nil, &problem{status: http.StatusUnauthorized, kind: "unauthorized", detail: err.Error()}
	}
	repeated, err := h.cfg.Engine.ReceiveWebhook(
		ctx, req.Sensor, orchestrator.WebhookEvent{ID: *p.WebhookID, ContentType: "application/json", Body: info.body},
	)
	if err != nil {
		return nil, err
	}
	return api.ReceiveWebhook202JSONResponse{WebhookID: *p.WebhookID, Repeated: repeated}, nil
}

func sensorState(s *orchestrator.SensorState, err error) (api.SensorStateJSONResponse, error) {
	if err != nil {
		return api.SensorStateJSONResponse{}, err
	}
	return api.SensorStateJSONResponse(apiSensor(*s)), nil
}

func apiSensor(s orchestrator.SensorState) api.Sensor {
	out := api.Sensor{
		Name: s.Name, Description: s.Description, DescriptionI18N: described(s.Description, s.DescriptionFR),
		Kind: api.SensorKind(s.Kind()), IntervalSeconds: s.Interval.Seconds(),
		TimeoutSeconds: s.Timeout.Seconds(),
		Jobs:           orEmpty(s.Jobs), Running: s.Running, ChangedAt: s.ChangedAt, Cursor: s.Cursor, NextAt: s.NextAt,
	}
	if s.LastTick != nil {
		out.LastTick = ptr(api.LastSensorTick(apiSensorTick(*s.LastTick)))
	}
	return out
}

func apiSensorTick(t orchestrator.SensorTick) api.SensorTick {
	return api.SensorTick{
		ID: t.ID, Sensor: t.Sensor, Kind: api.SensorTickKind(t.Kind), Status: api.TickStatus(t.Status),
		RunIds: orEmpty[uuid.UUID](t.RunIDs), RepeatedKeys: orEmpty(t.RepeatedKeys),
		Message: t.Message, MessageI18N: bilingualOrNone(t.Message), Cursor: t.Cursor,
		DurationSeconds: t.Duration.Seconds(), Evaluations: t.Evaluations,
		CreatedAt: t.CreatedAt, LastAt: t.LastAt,
	}
}

func apiDryRun(d orchestrator.DryRun) api.DryRun {
	return api.DryRun{
		Status: api.TickStatus(d.Status), Message: d.Message, MessageI18N: bilingualOrNone(d.Message),
		Runs: each(d.Runs, apiDryRunRun),
		Alerts: each(d.Alerts, func(a orchestrator.Alert) api.DryRunAlert {
			severity := api.SeverityError
			if a.Severity != "" {
				severity = api.Severity(a.Severity)
			}
			return api.DryRunAlert{
				Cause: a.Cause, Severity: severity, Title: a.Title, TitleI18N: bilingual(a.Title),
				Detail: a.Detail, DetailI18N: bilingual(a.Detail),
			}
		}),
		Recovered: orEmpty(d.Recovered), CursorBefore: d.CursorBefore, CursorAfter: d.CursorAfter,
		DurationSeconds: d.Duration.Seconds(),
	}
}

func apiDryRunRun(r orchestrator.DryRunRun) api.DryRunRun {
	return api.DryRunRun{
		Job: r.Job, Assets: r.Assets, Partition: r.Partition, Config: r.Config, Tags: orEmptyTags(r.Tags),
		Priority: r.Priority, RunKey: r.RunKey, Repeated: r.Repeated,
	}
}

func orEmptyTags(tags map[string]string) api.Tags {
	if tags == nil {
		return api.Tags{}
	}
	return tags
}
