package orchestrator_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// TestAdmitted has runs asked for that are not admitted yet: none is committed until it is, one that is refused is
// never recorded, and the runs that would be recorded together with one that is refused, or whose request ends, are.
func TestAdmitted(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, what := range map[string]struct {
		req  orchestrator.RunRequest
		want error // of the run; nil: it is admitted
	}{
		"together":                     {orchestrator.RunRequest{}, nil},
		"together, refused":            {orchestrator.RunRequest{}, refused},
		"together, the request ends":   {orchestrator.RunRequest{}, context.Canceled},
		"with a key":                   {keyed("key", "x"), nil},
		"with a key, refused":          {keyed("key", "x"), refused},
		"by itself":                    {orchestrator.RunRequest{Tags: map[string]string{"limited": "yes"}}, nil},
		"by itself, refused":           {orchestrator.RunRequest{Tags: map[string]string{"limited": "yes"}}, refused},
		"by itself, the request ends":  {orchestrator.RunRequest{Tags: map[string]string{"limited": "yes"}}, context.Canceled},
		"with a key, the request ends": {keyed("key", "x"), context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			e := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil), func(c *orchestrator.Config) {
				c.Limits = []orchestrator.Limit{{Key: "tag:limited=yes", Max: 5}}
			})
			const others = 3
			holds := orchestrator.HoldRecords(e, others)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked, admit := make(chan struct{}, 10), make(chan struct{})
			req := what.req
			req.Assets, req.Trigger = []string{"a"}, orchestrator.Trigger{Kind: "api"}
			req.Admitted = func(ctx context.Context) error {
				asked <- struct{}{}
				select {
				case <-admit:
				case <-ctx.Done():
					return ctx.Err()
				}
				if errors.Is(what.want, refused) {
					return refused
				}
				return nil
			}
			var all sync.WaitGroup
			ask := func(ctx context.Context, req orchestrator.RunRequest, want error) {
				all.Go(func() {
					if _, _, err := e.StartRun(ctx, req); !errors.Is(err, want) {
						t.Errorf("%v, want %v", err, want)
					}
				})
			}
			if what.req.Tags == nil { // it is in the second batch, with two others
				ask(t.Context(), keyed("", ""), nil)
				<-holds
				ask(t.Context(), keyed("", ""), nil)
				ask(t.Context(), keyed("other", "x"), nil)
			}
			ask(ctx, req, what.want)
			<-asked
			var runs int
			if err := d.Pool.QueryRow(t.Context(), "SELECT count(*) FROM runs WHERE trigger_kind = 'api'").
				Scan(&runs); err != nil || what.req.Tags != nil && runs != 0 || runs > 1 {
				t.Errorf("%d runs are recorded while one is not admitted, %v", runs, err)
			}
			if errors.Is(what.want, context.Canceled) {
				cancel()
			} else {
				close(admit)
			}
			all.Wait()
			want := others
			if what.req.Tags != nil {
				want = 0
			}
			if what.want == nil {
				want++
			}
			if err := d.Pool.QueryRow(t.Context(), "SELECT count(*) FROM runs").Scan(&runs); err != nil || runs != want {
				t.Errorf("%d runs, %v; want %d", runs, err, want)
			}
		})
	}
}
