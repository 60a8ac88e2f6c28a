package orchestrator_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestPanicTogether has what is done together panic: each run is done by itself, and the process lives.
func TestPanicTogether(t *testing.T) {
	t.Parallel()
	for _, afterwards := range []bool{false, true} {
		t.Run(fmt.Sprintf("afterwards %t", afterwards), func(t *testing.T) {
			t.Parallel()
			var log lockedBuffer
			e := startEngine(t, dbtest.New(t), define(t, []*orchestrator.Asset{
				asset("a", nil, nil), asset("b", []string{"a"}, nil),
			}, nil), func(c *orchestrator.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			orchestrator.PanicTogether(e, afterwards)
			for range 3 {
				run := start(t, e, orchestrator.RunRequest{Assets: []string{"a", "b"}})
				got, events := wait(t, e, run.ID)
				if n := strings.Count(strings.Join(types(events), " "), eventlog.Materialization); n != 2 ||
					got.Status != orchestrator.StatusSuccess {
					t.Errorf("%s with %d materializations, want success with 2: %v", got.Status, n, types(events))
				}
			}
			if !strings.Contains(log.String(), "panic=together") {
				t.Errorf("the log does not tell of the panic:\n%s", log.String())
			}
		})
	}
}

// TestCommitThatIsNotAnswered has ends be recorded without the worker learning of it: it finds out, tells of the run's
// end once, and does not take the step for lost.
func TestCommitThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	metrics := prometheus.NewRegistry()
	e := startEngine(t, dbtest.New(t), define(t, []*orchestrator.Asset{
		asset("a", nil, nil), asset("b", []string{"a"}, nil),
	}, nil), func(c *orchestrator.Config) {
		c.Logger, c.Metrics = slog.New(slog.NewTextHandler(&log, nil)), metrics
	})
	orchestrator.LoseAnswers(e)
	run := start(t, e, orchestrator.RunRequest{Assets: []string{"a", "b"}})
	if got, events := wait(t, e, run.ID); got.Status != orchestrator.StatusSuccess {
		t.Fatalf("%s: %v", got.Status, types(events))
	}
	if err := e.Stop(t.Context()); err != nil { // all ends have returned
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "another worker") {
		t.Errorf("the step was taken for lost:\n%s", log.String())
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ended := 0.0
	for _, f := range families {
		if f.GetName() == "explorer_runs_ended_total" {
			for _, m := range f.GetMetric() {
				ended += m.GetCounter().GetValue()
			}
		}
	}
	if ended != 1 {
		t.Errorf("the metrics count %v ended runs, want 1", ended)
	}
}

// TestOneTraceOfARun has steps follow each other, and their ends be recorded together with others or by themselves: the
// spans of all of them are in the trace of the run.
func TestOneTraceOfARun(t *testing.T) {
	t.Parallel()
	alone := func(_ context.Context, s *orchestrator.Step) error {
		s.InFinish(func(context.Context, pgx.Tx) error { return nil })
		return nil
	}
	for name, f := range map[string]func(context.Context, *orchestrator.Step) error{"together": nil, "by itself": alone} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewSpanRecorder()
			e := startEngine(t, dbtest.New(t), define(t, []*orchestrator.Asset{
				asset("a", nil, f), asset("b", []string{"a"}, f), asset("c", []string{"b"}, f),
			}, nil), func(c *orchestrator.Config) {
				c.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
				c.Logger = slog.New(slog.DiscardHandler)
			})
			run := start(t, e, orchestrator.RunRequest{Assets: []string{"a", "b", "c"}})
			wait(t, e, run.ID)
			if err := e.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			traces := map[string][]string{}
			for _, s := range spans.Ended() {
				id := s.SpanContext().TraceID().String()
				traces[id] = append(traces[id], s.Name())
			}
			if len(traces) != 1 || len(spans.Ended()) != 4 {
				t.Errorf("spans by trace: %v, want one trace of the run and three steps", traces)
			}
		})
	}
}
