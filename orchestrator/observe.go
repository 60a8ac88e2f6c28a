package orchestrator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// instruments are the metrics of this process, and the traces that runs belong to.
type instruments struct {
	runs       *prometheus.CounterVec
	steps      *prometheus.CounterVec
	stepTime   *prometheus.HistogramVec
	queueTime  prometheus.Histogram
	tickDelay  *prometheus.HistogramVec
	lost       prometheus.Counter
	sensors    *prometheus.CounterVec
	swept      *prometheus.CounterVec
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

// newInstruments makes and registers the metrics. It is one list, and long because of that.
func newInstruments(reg prometheus.Registerer, provider trace.TracerProvider) *instruments {
	if reg == nil {
		reg = prometheus.NewRegistry() // nobody reads it
	}
	if provider == nil {
		provider = noop.NewTracerProvider()
	}
	seconds := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	i := &instruments{
		runs: prometheus.NewCounterVec(
			prometheus.CounterOpts{
				Name: "explorer_runs_ended_total",
				Help: "Ended runs, by job and status; runs of selected assets have no job.",
			},
			[]string{"job", "status"},
		),
		steps: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "explorer_step_attempts_total", Help: "Ended attempts of steps, by outcome."},
			[]string{"asset", "status"},
		),
		stepTime: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{
				Name:    "explorer_step_attempt_duration_seconds",
				Help:    "Duration of attempts.",
				Buckets: seconds,
			},
			[]string{"asset"},
		),
		queueTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "explorer_step_queue_seconds",
			Help:    "Time that steps waited for a worker after they were due.",
			Buckets: seconds,
		}),
		tickDelay: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{
				Name: "explorer_tick_delay_seconds", Help: "Delay of ticks after their due time.", Buckets: seconds,
			},
			[]string{"schedule"},
		),
		lost: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "explorer_jobs_requeued_total", Help: "Jobs that were lost and requeued."},
		),
		sensors: prometheus.NewCounterVec(
			prometheus.CounterOpts{
				Name: "explorer_sensor_evaluations_total",
				Help: "Evaluations of sensors that were not skipped, by status.",
			},
			[]string{"sensor", "status"},
		),
		swept: prometheus.NewCounterVec(
			prometheus.CounterOpts{
				Name: "explorer_swept_total",
				Help: "Rows deleted by retention, and partitions of the event log dropped, by kind.",
			},
			[]string{"kind"},
		),
		tracer:     provider.Tracer("github.com/parliament-explorer/parliament-explorer/orchestrator"),
		propagator: propagation.TraceContext{},
	}
	reg.MustRegister(i.runs, i.steps, i.stepTime, i.queueTime, i.tickDelay, i.lost, i.sensors, i.swept)
	return i
}

// jobMetadata returns the trace that a River job belongs to, as its metadata; nil if there is none.
func (i *instruments) jobMetadata(ctx context.Context) []byte {
	carrier := propagation.MapCarrier{}
	i.propagator.Inject(ctx, carrier)
	if len(carrier) == 0 {
		return nil
	}
	raw, err := json.Marshal(carrier)
	if err != nil { // cannot happen: it holds only strings
		return nil
	}
	return raw
}

// startStep begins the span of an attempt, as a child of the span in the job's metadata.
func (i *instruments) startStep(
	ctx context.Context,
	metadata []byte,
	args stepArgs,
	attempt int,
) (context.Context, trace.Span) {
	var all map[string]json.RawMessage // River's own entries are not strings
	carrier := propagation.MapCarrier{}
	if json.Unmarshal(metadata, &all) == nil {
		for _, key := range i.propagator.Fields() {
			var value string
			if json.Unmarshal(all[key], &value) == nil {
				carrier[key] = value
			}
		}
	}
	return i.tracer.Start(
		i.propagator.Extract(ctx, carrier),
		"step "+args.Asset,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("explorer.run_id", args.RunID.String()),
			attribute.String("explorer.asset", args.Asset),
			attribute.Int("explorer.attempt", attempt),
		),
	)
}

func (i *instruments) endStep(span trace.Span, asset string, o *outcome, took time.Duration) {
	i.steps.WithLabelValues(asset, o.status).Inc()
	i.stepTime.WithLabelValues(asset).Observe(took.Seconds())
	span.SetAttributes(attribute.String("explorer.status", o.status))
	if o.err != nil && o.err.Class != ClassCanceled { // a canceled or handed back step is no error
		span.SetStatus(codes.Error, o.err.Message)
	}
	span.End()
}

// startRun begins the span in which a run is recorded. The spans of its steps are its children.
func (i *instruments) startRun(ctx context.Context, p *plan) trace.Span {
	name := "run"
	if p.req.Job != "" {
		name += " " + p.req.Job
	}
	ctx, span := i.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("explorer.run_id", p.id.String()),
		attribute.StringSlice("explorer.assets", p.assets),
		attribute.String("explorer.trigger", p.req.Trigger.Kind),
	))
	p.trace = i.jobMetadata(ctx)
	return span
}

// markNotRecorded marks the span of a run that was not recorded.
func markNotRecorded(span trace.Span) { span.SetStatus(codes.Error, "the run was not recorded") }

// markReplayed marks the span of a request that an earlier run answers.
func markReplayed(span trace.Span, run uuid.UUID) {
	span.SetAttributes(attribute.String("explorer.run_id", run.String()), attribute.Bool("explorer.replayed", true))
}

func (i *instruments) runEnded(t *transition) {
	if !t.finished {
		return
	}
	job := ""
	if t.run.Job != nil {
		job = *t.run.Job
	}
	i.runs.WithLabelValues(job, t.run.Status).Inc()
}
