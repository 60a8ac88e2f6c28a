package upstream

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// meters are the metrics of one client.
type meters struct {
	requests *prometheus.CounterVec
	took     prometheus.Histogram
	waited   prometheus.Histogram
	breaker  prometheus.Gauge
}

func newMeters(reg prometheus.Registerer, source string) (*meters, error) {
	m := &meters{
		requests: prometheus.NewCounterVec(
			prometheus.CounterOpts{
				Name: "explorer_upstream_requests_total",
				Help: "Requests to a source, by status of the response; error: no response, canceled: the request was " +
					"canceled.",
			},
			[]string{"status"},
		),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "explorer_upstream_request_duration_seconds", Help: "Response time of a source.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "explorer_upstream_wait_seconds", Help: "Time that requests waited because of the source's limits.",
			Buckets: []float64{.01, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		breaker: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "explorer_upstream_breaker_open", Help: "1 while the circuit breaker of the source is open in this process.",
		}),
	}
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"source": source}, reg)
	for _, c := range []prometheus.Collector{m.requests, m.took, m.waited, m.breaker} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// answered counts the outcome of a request.
func (m *meters) answered(ctx context.Context, took time.Duration, err error) {
	if err != nil && ctx.Err() != nil {
		m.requests.WithLabelValues("canceled").Inc()
		return
	}
	m.took.Observe(took.Seconds())
	status := "200"
	var s *StatusError
	var network *networkError
	switch {
	case errors.As(err, &s):
		if status = "other"; http.StatusText(s.Status) != "" { // a source chooses it
			status = strconv.Itoa(s.Status)
		}
	case errors.As(err, &network):
		status = "error"
	}
	m.requests.WithLabelValues(status).Inc()
}
