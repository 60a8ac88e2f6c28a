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

// metrics holds the metrics that GET /metrics serves.
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
				Name: "explorer_http_request_duration_seconds", Help: "Response time of a request.",
				Buckets: []float64{.001, .005, .01, .025, .1, .5, 2, 10},
			},
			[]string{"route", "method", "status"},
		),
		engine:  cfg.Engine,
		db:      cfg.DB,
		streams: gauge("explorer_event_streams", "Server-sent event streams open now."),
		queue:   gaugeBy("state", "explorer_queue_jobs", "River jobs that have not ended, by state."),
		size:    gaugeBy("table", "explorer_table_bytes", "Size of a table with its indexes and partitions."),
		workers: gauge("explorer_workers_alive", "Workers with a recent heartbeat."),
		open:    gaugeBy("status", "explorer_runs_open", "Runs that have not ended, by status."),
		oldest:  gauge("explorer_queue_oldest_seconds", "Time that the oldest available job has waited for a worker."),
		alerts:  gauge("explorer_alerts_open", "Alerts that have not recovered."),
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
			"explorer_db_connections_in_use", "Database connections in use.",
			func() float64 { return float64(cfg.DB.Pool.Stat().AcquiredConns()) },
		),
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{
				Name: "explorer_db_waits_total", Help: "Number of waits for a database connection.",
			},
			func() float64 { return float64(cfg.DB.Pool.Stat().EmptyAcquireCount()) },
		),
		pool(
			"explorer_db_connections_max", "Maximum number of database connections.",
			func() float64 { return float64(cfg.DB.Pool.Stat().MaxConns()) },
		),
	)
	m.registry.MustRegister(replicaMetrics(cfg.DB.Replica())...)
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func gaugeBy(label, name, help string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
}

// request counts a request. Its labels have a fixed number of values, so that clients cannot add series: the program's
// routes, and the methods and statuses that it answers.
func (m *metrics) request(route, method string, status int, took time.Duration) {
	code := other
	if http.StatusText(status) != "" {
		code = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(route, method, code).Observe(took.Seconds())
}

// other is the label of unknown routes, methods and statuses.
const other = "other"

// routeOf returns the route that answered a request; other if none did, for example because the route does not take the
// method.
func routeOf(c echo.Context) string {
	if _, refused := c.Get(echo.ContextKeyHeaderAllow).(string); refused &&
		c.Response().Status == http.StatusMethodNotAllowed || c.Path() == "" {
		return other
	}
	return c.Path()
}

// knownMethod returns the method that the client sent, or other if the program does not answer it.
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
	a.metrics.refresh(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return err
	}
	promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
	return nil
}

// refresh updates the gauges that come from the database. A gauge whose query fails keeps its value.
func (m *metrics) refresh(ctx context.Context) {
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
