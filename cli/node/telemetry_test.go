package node

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestSpansAreBounded checks that the span of a request with a long User-Agent keeps only a part of it.
func TestSpansAreBounded(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	p := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithRawSpanLimits(spanLimits()))
	_, span := p.Tracer("test").Start(t.Context(), "request",
		trace.WithAttributes(attribute.String("user_agent.original", strings.Repeat("a", 60_000))))
	span.End()
	if got := spans.Ended()[0].Attributes()[0].Value.AsString(); len(got) != maxAttribute {
		t.Errorf("%d bytes were kept, want %d", len(got), maxAttribute)
	}
}
