package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// metrics are what GET /metrics gives.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	streams  prometheus.Gauge
	queue    *prometheus.GaugeVec
	q        *db.Queries
}

func newMetrics(cfg Config) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "explorer_http_request_duration_seconds", Help: "Time to answer a request.", Buckets: []float64{.001, .005, .01, .025, .1, .5, 2, 10}}, []string{"route", "method", "status"}),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "explorer_event_streams", Help: "Server-sent event streams open now."}),
		queue:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "explorer_queue_jobs", Help: "River jobs that have not ended, by state."}, []string{"state"}),
		q:        db.New(cfg.DB.Pool),
	}
	pool := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.requests, m.streams, m.queue,
		pool("explorer_db_connections_in_use", "Database connections that something is using.", func() float64 { return float64(cfg.DB.Pool.Stat().AcquiredConns()) }),
		pool("explorer_db_connections_max", "Database connections there may be.", func() float64 { return float64(cfg.DB.Pool.Stat().MaxConns()) }),
	)
	return m
}

func (m *metrics) request(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}

type metricsAnswer struct {
	metrics *metrics
	ctx     context.Context
}

// VisitGetMetricsResponse implements the response of the operation.
func (a metricsAnswer) VisitGetMetricsResponse(w http.ResponseWriter) error {
	ctx, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	defer cancel()
	if d, err := a.metrics.q.QueueDepth(ctx); err == nil {
		a.metrics.queue.WithLabelValues("available").Set(float64(d.Available))
		a.metrics.queue.WithLabelValues("running").Set(float64(d.Running))
		a.metrics.queue.WithLabelValues("retryable").Set(float64(d.Retryable))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return err
	}
	promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
	return nil
}
