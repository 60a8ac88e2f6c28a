package orchestrator_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// fetches tells of which queue each fetch of jobs is.
type fetches chan string

// TraceQueryStart implements pgx.QueryTracer.
func (f fetches) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "JobGetAvailable") {
		for _, queue := range []string{"materialize", "ticks", "sensors", "backfills", "alerts", "maintenance"} {
			if slices.Contains(q.Args, any(queue)) {
				select {
				case f <- queue:
				default:
				}
			}
		}
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (fetches) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestFetchesOfSteps has a worker fetch jobs: the steps on the pool that does not wait for the disk, and the others on
// the one that does.
func TestFetchesOfSteps(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	traced := func() (*pgxpool.Pool, fetches) {
		cfg, err := pgxpool.ParseConfig(d.URL)
		if err != nil {
			t.Fatal(err)
		}
		f := make(fetches, 100)
		cfg.ConnConfig.Tracer = f
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool, f
	}
	relaxed, ofSteps := traced()
	direct, ofOthers := traced()
	on := &db.DB{Pool: d.Pool, Relaxed: relaxed, Direct: direct, URL: d.URL, DirectURL: d.DirectURL}
	e := startEngine(t, on, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
	if queue := <-ofSteps; queue != "materialize" {
		t.Errorf("jobs of %s are fetched without waiting for the disk", queue)
	}
	seen := map[string]bool{}
	for len(seen) < 5 {
		queue := <-ofOthers
		if seen[queue] = true; queue == "materialize" {
			t.Fatal("steps are fetched durably")
		}
	}
}
