package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// statusEvery is the interval at which the status is read while a client follows it.
const statusEvery = time.Second

// statusReader reads the status once for all clients that follow it.
type statusReader struct {
	cfg   Config
	reads singleflight.Group // one read for all clients that wait
	last  atomic.Pointer[statusAt]
}

type statusAt struct {
	at     time.Time
	status *api.SystemStatus
}

// recent returns a status that is less than statusEvery old.
func (r *statusReader) recent(ctx context.Context) (*api.SystemStatus, error) {
	if l := r.last.Load(); l != nil && time.Since(l.at) < statusEvery*9/10 {
		return l.status, nil
	}
	// All waiting clients share the read, so it goes on when one of them leaves. Each client waits for as long as it
	// wants.
	read := r.reads.DoChan("", func() (any, error) {
		s, err := r.read(context.WithoutCancel(ctx))
		if err == nil {
			r.last.Store(&statusAt{at: time.Now(), status: s})
		}
		return s, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-read:
		s, _ := got.Val.(*api.SystemStatus)
		return s, got.Err
	}
}

func (r *statusReader) read(ctx context.Context) (*api.SystemStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	queues, err := r.cfg.Engine.Queues(ctx)
	if err != nil {
		return nil, err
	}
	workers, err := r.cfg.Engine.Workers(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := r.cfg.Store.Sources(ctx)
	if err != nil {
		return nil, err
	}
	schedules, err := r.cfg.Engine.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	sensors, err := r.cfg.Engine.Sensors(ctx)
	if err != nil {
		return nil, err
	}
	limits, err := r.cfg.Engine.Limits(ctx)
	if err != nil {
		return nil, err
	}
	backfills, err := r.cfg.Engine.OpenBackfills(ctx)
	if err != nil {
		return nil, err
	}
	alerts, err := r.cfg.Engine.Alerts().CountOpen(ctx)
	if err != nil {
		return nil, err
	}
	return &api.SystemStatus{
		Sensors: each(sensors, apiSensorSwitch), Limits: each(limits, apiLimit),
		Backfills: each(backfills, apiBackfill), OpenAlerts: alerts,
		Queues: each(queues, apiQueue), Workers: each(workers, apiWorker), Sources: each(sources, apiSource),
		Schedules:   each(schedules, apiSwitch),
		ReadReplica: apiReplica(r.cfg.DB.Replica()),
	}, nil
}

func (h *handlers) GetStatus(ctx context.Context, _ api.GetStatusRequestObject) (api.GetStatusResponseObject, error) {
	if wantsStream(ctx) {
		if _, err := h.status.recent(ctx); err != nil { // an error can still be answered here
			return nil, err
		}
		return statusStream{ctx: ctx, metrics: h.metrics, status: h.status, stopped: h.cfg.Engine.Stopping()}, nil
	}
	s, err := h.status.read(ctx)
	if err != nil {
		return nil, err
	}
	return api.GetStatus200JSONResponse(*s), nil
}

// statusStream sends the status, and sends it again whenever it changes.
type statusStream struct {
	ctx     context.Context
	metrics *metrics
	status  *statusReader
	stopped <-chan struct{}
}

// VisitGetStatusResponse implements the response of the operation.
func (s statusStream) VisitGetStatusResponse(w http.ResponseWriter) error {
	send, end := s.metrics.stream(s.ctx, w)
	defer end()
	if isHead(s.ctx) {
		return nil
	}
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	var last []byte
	quiet := time.Now()
	for {
		// While the database cannot be reached there is nothing to send.
		if st, err := s.status.recent(s.ctx); err == nil {
			data, err := json.Marshal(st)
			if err != nil {
				return err
			}
			if !bytes.Equal(data, last) {
				last, quiet = data, time.Now()
				if send(fmt.Appendf(nil, "event: status\ndata: %s\n\n", data)) != nil {
					return nil
				}
			}
		}
		if time.Since(quiet) > 15*time.Second {
			quiet = time.Now()
			if send([]byte(": keep-alive\n\n")) != nil {
				return nil
			}
		}
		select {
		case <-s.ctx.Done():
			return nil
		case <-s.stopped:
			return nil
		case <-ticker.C:
		}
	}
}

func apiQueue(q orchestrator.QueueState) api.Queue {
	return api.Queue{
		Name: q.Name, Available: q.Available, Running: q.Running, Retryable: q.Retryable, Scheduled: q.Scheduled,
		OldestAvailableAt: q.OldestAvailableAt,
	}
}

func apiWorker(w orchestrator.Worker) api.Worker {
	return api.Worker{ID: w.ID, Host: w.Host, Pid: w.PID, StartedAt: w.StartedAt, BeatAt: w.BeatAt, Alive: w.Alive}
}

func apiSource(s parliament.SourceState) api.Source {
	out := api.Source{
		Name: s.Name, URL: s.URL, RequestsPerSecond: s.RequestsPerSecond, MaxInFlight: s.MaxInFlight,
		InFlight: s.InFlight, HeldUntil: s.HeldUntil, Breaker: api.Closed,
		BreakerChangedAt: s.BreakerChangedAt, LastSuccessAt: s.LastSuccessAt, LastFailureAt: s.LastFailureAt,
		LastError: s.LastError, LastErrorI18N: bilingualOrNone(s.LastError),
	}
	if s.BreakerOpen {
		out.Breaker = api.Open
	}
	return out
}

func apiSwitch(s orchestrator.ScheduleState) api.ScheduleSwitch {
	out := api.ScheduleSwitch{Name: s.Name, Running: s.Running, ChangedAt: s.ChangedAt}
	if s.LastTick != nil {
		out.LastTickID = &s.LastTick.ID
	}
	return out
}

func apiSensorSwitch(s orchestrator.SensorState) api.SensorSwitch {
	out := api.SensorSwitch{Name: s.Name, Running: s.Running, ChangedAt: s.ChangedAt}
	if s.LastTick != nil {
		out.LastTickID = &s.LastTick.ID
	}
	return out
}

func apiLimit(l orchestrator.LimitState) api.LimitState {
	return api.LimitState{Key: l.Key, Max: l.Max, InUse: l.Used, Waiting: l.Waiting}
}
