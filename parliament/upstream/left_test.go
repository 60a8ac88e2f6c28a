package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// errGone is why a context ends, as the engine gives one: net/http gives it back, and it is no context.Canceled.
var errGone = errors.New("job cancelled remotely")

// TestLeftRequests says nothing of a service whose answers nobody waited for: not in the breaker, not in its state, not
// to whoever watches for tries, and not in the metrics of errors.
func TestLeftRequests(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var answer atomic.Bool
	asked := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer.Load() {
			fmt.Fprint(w, `{}`)
			return
		}
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	reg := prometheus.NewRegistry()
	c, err := New(Config{
		Source: "test", BaseURL: s.URL, UserAgent: "t", DB: d, Logger: slog.New(slog.DiscardHandler),
		RetryDelay: time.Millisecond, Metrics: reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	leave := func() {
		t.Helper()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		ctx = WithObserver(ctx, Observer{
			Retry: func(_ string, err error, _ int, _ time.Duration) { t.Errorf("tries again after %v", err) },
		})
		done := make(chan error, 1)
		go func() { done <- c.GetJSON(ctx, "/", new(any)) }()
		select {
		case <-asked:
		case err := <-done:
			t.Fatalf("not asked: %v", err)
		}
		cancel(errGone)
		if err := <-done; !errors.Is(err, errGone) {
			t.Errorf("%v", err)
		}
	}
	for range breakerThreshold + 2 {
		leave()
	}
	if !c.gate.IsClosed() || c.gate.Metrics().Failures() != 0 {
		t.Errorf("the breaker is %s after %d failures", c.gate.State(), c.gate.Metrics().Failures())
	}
	rows, err := sql.New(d.Pool).ListSources(t.Context())
	if err != nil || len(rows) != 1 || rows[0].LastFailureAt != nil || rows[0].LastError != nil || rows[0].BreakerOpen {
		t.Errorf("%+v, %v", rows, err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "explorer_upstream_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "status" {
					counted[l.GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
	}
	if len(counted) != 1 || counted["canceled"] != breakerThreshold+2 {
		t.Errorf("requests are counted as %v", counted)
	}

	// Nor does it acquit a service on trial, or use up its trial.
	c.gate.HalfOpen()
	leave()
	if !c.gate.IsHalfOpen() {
		t.Errorf("the breaker is %s", c.gate.State())
	}
	answer.Store(true)
	if err := c.GetJSON(t.Context(), "/", new(any)); err != nil || !c.gate.IsClosed() {
		t.Errorf("%v, the breaker is %s", err, c.gate.State())
	}
}
