package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// metrics are what GET /metrics gives.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	streams  prometheus.Gauge
	queue    *prometheus.GaugeVec
	size     *prometheus.GaugeVec
	workers  prometheus.Gauge
	open     *prometheus.GaugeVec
	oldest   prometheus.Gauge
	alerts   prometheus.Gauge
	engine   *orchestrator.Engine
	db       *db.DB
}

func newMetrics(cfg Config) *metrics {
	m := &metrics{
		registry: cfg.Metrics,
		requests: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{
				Name: "explorer_http_request_duration_seconds", Help: "Time to answer a request.",
				Buckets: []float64{.001, .005, .01, .025, .1, .5, 2, 10},
			},
			[]string{"route", "method", "status"},
		),
		streams: prometheus.NewGauge(
			prometheus.GaugeOpts{Name: "explorer_event_streams", Help: "Server-sent event streams open now."},
		),
		queue: prometheus.NewGaugeVec(
			prometheus.GaugeOpts{Name: "explorer_queue_jobs", Help: "River jobs that have not ended, by state."},
			[]string{"state"},
		),
		engine: cfg.Engine,
		db:     cfg.DB,
		size: prometheus.NewGaugeVec(
			prometheus.GaugeOpts{
				Name: "explorer_table_bytes", Help: "Space that a table takes with its indexes and partitions.",
			},
			[]string{"table"},
		),
		workers: prometheus.NewGauge(
			prometheus.GaugeOpts{Name: "explorer_workers_alive", Help: "Workers with a recent heartbeat."},
		),
		open: prometheus.NewGaugeVec(
			prometheus.GaugeOpts{Name: "explorer_runs_open", Help: "Runs that have not ended, by status."},
			[]string{"status"},
		),
		oldest: prometheus.NewGauge(
			prometheus.GaugeOpts{
				Name: "explorer_queue_oldest_seconds", Help: "How long the oldest job has waited for a worker.",
			},
		),
		alerts: prometheus.NewGauge(
			prometheus.GaugeOpts{Name: "explorer_alerts_open", Help: "Alerts that have not recovered."},
		),
	}
	if m.registry == nil {
		m.registry = prometheus.NewRegistry()
		m.registry.MustRegister(
			collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		)
	}
	pool := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(
		m.requests, m.streams, m.queue, m.size, m.workers, m.open, m.oldest, m.alerts,
		pool(
			"explorer_db_connections_in_use", "Database connections that something is using.",
			func() float64 { return float64(cfg.DB.Pool.Stat().AcquiredConns()) },
		),
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{
				Name: "explorer_db_waits_total", Help: "How often something waited for a database connection.",
			},
			func() float64 { return float64(cfg.DB.Pool.Stat().EmptyAcquireCount()) },
		),
		pool(
			"explorer_db_connections_max", "Database connections there may be.",
			func() float64 { return float64(cfg.DB.Pool.Stat().MaxConns()) },
		),
	)
	m.registry.MustRegister(replicaMetrics(cfg.DB.Replica())...)
	return m
}

// request counts a request. What the client chose is counted under one of a fixed number of labels, so that nobody can
// make more series: routes are those of the program, methods and statuses those that it answers.
func (m *metrics) request(route, method string, status int, took time.Duration) {
	code := other
	if http.StatusText(status) != "" {
		code = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(route, method, code).Observe(took.Seconds())
}

// other stands for what is none of ours.
const other = "other"

// routeOf is the route that answered a request; other if none did, such as for a method that the route does not take.
func routeOf(c echo.Context) string {
	if _, refused := c.Get(echo.ContextKeyHeaderAllow).(string); refused &&
		c.Response().Status == http.StatusMethodNotAllowed || c.Path() == "" {
		return other
	}
	return c.Path()
}

// knownMethod is the method that the client sent, if it is one that this program answers.
func knownMethod(r *http.Request) string {
	switch m := methodOf(r); m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
		return m
	}
	return other
}

type metricsAnswer struct {
	metrics *metrics
	ctx     context.Context
}

// VisitGetMetricsResponse implements the response of the operation.
func (a metricsAnswer) VisitGetMetricsResponse(w http.ResponseWriter) error {
	ctx, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	defer cancel()
	a.metrics.ask(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return err
	}
	promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
	return nil
}

// ask brings up to date what is known from the database; what it does not answer stays as it was.
func (m *metrics) ask(ctx context.Context) {
	if d, err := m.engine.JobCounts(ctx); err == nil {
		m.queue.WithLabelValues("available").Set(float64(d.Available))
		m.queue.WithLabelValues("running").Set(float64(d.Running))
		m.queue.WithLabelValues("retryable").Set(float64(d.Retryable))
	}
	if sizes, err := m.db.Storage(ctx); err == nil {
		m.size.Reset()
		for _, s := range sizes {
			m.size.WithLabelValues(s.Name).Set(float64(s.Bytes))
		}
	}
	if d, err := m.engine.Deployment(ctx); err == nil {
		m.workers.Set(float64(d.WorkersAlive))
		m.oldest.Set(d.OldestJob.Seconds())
		m.alerts.Set(float64(d.OpenAlerts))
		for status, n := range d.OpenRuns {
			m.open.WithLabelValues(status).Set(float64(n))
		}
	}
}
