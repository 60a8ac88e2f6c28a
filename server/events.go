package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

func (h *handlers) ListRunEvents(
	ctx context.Context, req api.ListRunEventsRequestObject,
) (api.ListRunEventsResponseObject, error) {
	id, err := runID(req.RunID)
	if err != nil {
		return nil, err
	}
	run, err := h.cfg.Engine.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	from := deref(req.Params.After)
	if wantsStream(ctx) {
		if last := req.Params.LastEventID; last != nil {
			if from, err = strconv.ParseInt(*last, 10, 64); err != nil || from < 0 {
				return nil, invalidField("/header/Last-Event-ID", "%q is not the id of an event", *last)
			}
		}
		return h.streamRun(ctx, run, from)
	}
	list, limit := "events of "+id.String(), limitOf(req.Params.Limit)
	cursor, err := decodeCursor[int64](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	if cursor != nil {
		from = *cursor
	}
	events, err := h.cfg.Engine.Events().OfRun(ctx, id, from, limit+1)
	if err != nil {
		return nil, err
	}
	events, next := page(list, events, limit, func(e eventlog.Event) int64 { return e.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]eventlog.Event, error) {
		return h.cfg.Engine.Events().OfRun(ctx, id, deref(req.Params.After), limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListRunEvents200JSONResponse{
		Items: each(events, apiEvent), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func (h *handlers) streamRun(
	ctx context.Context, run *orchestrator.Run, from int64,
) (api.ListRunEventsResponseObject, error) {
	if run.EndedAt != nil {
		rest, err := h.cfg.Engine.Events().OfRun(ctx, run.ID, from, 1)
		if err != nil {
			return nil, err
		}
		if len(rest) == 0 {
			return api.ListRunEvents204Response{}, nil
		}
	}
	return eventStream{ctx: ctx, metrics: h.metrics, follow: func(emit func([]eventlog.Event) error) error {
		return h.cfg.Engine.FollowRun(ctx, run.ID, from, emit)
	}, id: func(e eventlog.Event) string { return strconv.FormatInt(e.ID, 10) }}, nil
}

func (h *handlers) StreamEvents(
	ctx context.Context, req api.StreamEventsRequestObject,
) (api.StreamEventsResponseObject, error) {
	var from *eventlog.Cursor
	if last := req.Params.LastEventID; last != nil {
		c, err := eventlog.ParseCursor(*last)
		if err != nil {
			return nil, invalidField("/header/Last-Event-ID", "%q is not the id of an event of this stream", *last)
		}
		from = &c
	}
	wanted := deref(req.Params.Type)
	return eventStream{ctx: ctx, metrics: h.metrics, follow: func(emit func([]eventlog.Event) error) error {
		return h.cfg.Engine.Events().FollowAll(ctx, from, func(events []eventlog.Event) error {
			if len(wanted) == 0 || len(events) == 0 {
				return emit(events)
			}
			events = slices.DeleteFunc(
				slices.Clone(events), func(e eventlog.Event) bool { return !slices.Contains(wanted, e.Type) },
			)
			if len(events) == 0 {
				return nil
			}
			return emit(events)
		})
	}, id: func(e eventlog.Event) string { return e.Cursor().String() }}, nil
}

// wantsStream reports whether the client prefers server-sent events to JSON.
func wantsStream(ctx context.Context) bool { return prefersStream(infoOf(ctx).accept) }

// eventStream is an answer of server-sent events. It ends when the client leaves or the source of the events ends.
type eventStream struct {
	ctx     context.Context
	metrics *metrics
	follow  func(emit func([]eventlog.Event) error) error
	id      func(eventlog.Event) string
}

// VisitListRunEventsResponse implements the response of the operation.
func (s eventStream) VisitListRunEventsResponse(w http.ResponseWriter) error { return s.write(w) }

// VisitStreamEventsResponse implements the response of the operation.
func (s eventStream) VisitStreamEventsResponse(w http.ResponseWriter) error { return s.write(w) }

// stream begins an answer of server-sent events. send writes to it; the caller calls end when it is done.
func (m *metrics) stream(ctx context.Context, w http.ResponseWriter) (send func([]byte) error, end func()) {
	m.streams.Inc()
	streams(ctx)
	header := w.Header()
	header.Set(echo.HeaderContentType, eventStreamType)
	header.Set(echo.HeaderCacheControl, "no-cache")
	header.Set("X-Accel-Buffering", "no") // proxies must not buffer the stream
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	return func(b []byte) error {
		_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // where the connection has deadlines
		if _, err := w.Write(b); err != nil {
			return err
		}
		return control.Flush()
	}, m.streams.Dec
}

func (s eventStream) write(w http.ResponseWriter) error {
	send, end := s.metrics.stream(s.ctx, w)
	defer end()
	if isHead(s.ctx) {
		return nil
	}
	if err := send([]byte(": stream begins\n\n")); err != nil {
		return nil
	}
	// The client notices the end of the stream by the closed connection; no error can be answered.
	_ = s.follow(func(events []eventlog.Event) error {
		if len(events) == 0 {
			return send([]byte(": keep-alive\n\n"))
		}
		var b []byte
		for _, ev := range events {
			data, err := json.Marshal(apiEvent(ev))
			if err != nil {
				return err
			}
			b = fmt.Appendf(b, "id: %s\nevent: %s\ndata: %s\n\n", s.id(ev), ev.Type, data)
		}
		return send(b)
	})
	return nil
}

func apiEvent(e eventlog.Event) api.Event {
	out := api.Event{
		ID: e.ID, RunID: e.RunID, At: e.At, Type: e.Type, Level: api.EventLevel(e.Level), Asset: e.Asset,
		Message: e.Message, Data: e.Data,
	}
	if e.Attempt != nil {
		n := int(*e.Attempt)
		out.Attempt = &n
	}
	return out
}
