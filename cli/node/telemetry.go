package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
)

// tracing sends spans over OTLP where OpenTelemetry's own environment variables say (OTEL_EXPORTER_OTLP_ENDPOINT,
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, ...); nil
// without an endpoint. stop sends what is left, within two seconds.
func tracing(ctx context.Context, cfg Config) (provider trace.TracerProvider, stop func(), err error) {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if endpoint == "" || os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return nil, func() {}, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		// The exporter would log the whole of an address that it cannot read.
		if u, err := url.Parse(os.Getenv(name)); os.Getenv(name) != "" && (err != nil || u.Host == "") {
			return nil, nil, configError("%s: want an http or https address", name)
		}
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithTimeout(5*time.Second))
	if err != nil {
		return nil, nil, configError("OTEL_EXPORTER_OTLP_ENDPOINT: %s", err)
	}
	service, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("explorer"),
		semconv.ServiceVersion(cfg.Version)), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, nil, fmt.Errorf("tracing: %w", err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(service),
		sdktrace.WithRawSpanLimits(spanLimits()))
	return p, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			cfg.Logger.Warn("the last spans could not be sent", "error", err)
		}
	}, nil
}

// maxAttribute is the longest attribute of a span in bytes, unless OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT says
// otherwise.
const maxAttribute = 1024

// spanLimits bounds the attributes of spans, which clients can make long: about 2,000 spans wait to be exported, each
// with a path and a User-Agent.
func spanLimits() sdktrace.SpanLimits {
	limits := sdktrace.NewSpanLimits()
	if limits.AttributeValueLengthLimit < 0 {
		limits.AttributeValueLengthLimit = maxAttribute
	}
	return limits
}

func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// health serves probes and metrics, for a process that has no server.
func health(l net.Listener, d *db.DB, reg *prometheus.Registry, log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	writes := &db.WriteProbe{DB: d, Every: 5 * time.Second}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		check := api.Check{Name: "database", Ok: true, Detail: "answers, and its migrations are applied"}
		answer := api.Readiness{Status: api.Ready}
		if err := d.CheckMigrated(ctx); errors.Is(err, db.ErrPendingMigrations) {
			check = api.Check{Name: "migrations", Detail: err.Error()}
		} else if err != nil {
			check = api.Check{Name: "database", Detail: "does not answer"}
		} else if err := writes.Check(ctx); err != nil {
			check = api.Check{Name: "database", Detail: err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		if answer.Checks = []api.Check{check}; !check.Ok {
			answer.Status = api.NotReady
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health", "error", err)
		}
	}()
	return s
}
