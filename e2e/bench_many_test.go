//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// many measures what there is much of: runs that wait under a limit, steps of a run, and assets. BENCH_TIMES, such as
// 10, is how many times as many runs wait, and schedules and sensors there are.
func (b *bench) many() {
	times := b.count(os.Getenv("BENCH_TIMES"), 1)
	b.waiting(1_000 * times)
	b.waiting(10_000 * times)
	b.thousands(times)
}

// waiting has n runs wait for four places under a limit: how fast they are accepted and done. Neither may depend on how
// many wait.
func (b *bench) waiting(n int) {
	d := b.postgres()
	ctx := context.Background()
	noop := orchestrator.NewAsset(orchestrator.AssetOptions{Name: "noop"},
		func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil })
	engine := func(work bool) *orchestrator.Engine {
		defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{noop}})
		b.must(err)
		e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
			Work: work, Limits: []orchestrator.Limit{{Key: "asset:noop", Max: 4}}})
		b.must(err)
		b.must(e.Start(ctx))
		return e
	}
	front := engine(false)
	began := time.Now()
	b.startMany(front, 16, n)
	took := time.Since(began)
	b.line(fmt.Sprintf("%d runs accepted under a limit, 16 clients", n), rate(n, took), "", "")
	worker := engine(true)
	began = time.Now()
	const first = 500
	b.ends(d, first)
	b.line(fmt.Sprintf("runs under a limit of 4 while %d wait", n), rate(first, time.Since(began)), "", "")
	b.must(worker.Stop(ctx))
	b.must(front.Stop(ctx))
}

// startMany has clients start n runs of noop.
func (b *bench) startMany(e *orchestrator.Engine, clients, n int) {
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for range (n + clients - 1 - i) / clients {
				_, _, err := e.StartRun(context.Background(), orchestrator.RunRequest{Assets: []string{"noop"},
					Trigger: orchestrator.Trigger{Kind: "api"}})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// ends waits until n steps have succeeded.
func (b *bench) ends(d *db.DB, n int) {
	for done := 0; done < n && !b.Failed(); time.Sleep(20 * time.Millisecond) {
		b.must(d.Pool.QueryRow(context.Background(), "SELECT count(*) FROM materializations").Scan(&done))
	}
}

// thousands has a thousand assets, and times a thousand schedules and sensors: what an idle minute costs with them, how
// fast pages are, and a thousand runs of 50 steps at once. It is long, because all of it is of one deployment.
func (b *bench) thousands(times int) {
	n := 1000 * times
	d := b.postgres()
	ctx := context.Background()
	noop := func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil }
	var parts orchestrator.Declarations
	for i := range 20 {
		job := &orchestrator.Job{Name: fmt.Sprintf("job_%d", i)}
		for j := range 50 {
			a := orchestrator.AssetOptions{Name: fmt.Sprintf("a_%d_%d", i, j)}
			if j > 0 { // ten in each row of the graph
				a.Deps = []string{fmt.Sprintf("a_%d_%d", i, max(0, j-10))}
			}
			parts.Assets = append(parts.Assets, orchestrator.NewAsset(a, noop))
			job.Assets = append(job.Assets, a.Name)
		}
		parts.Jobs = append(parts.Jobs, job)
	}
	for i := range n {
		parts.Schedules = append(parts.Schedules, &orchestrator.Schedule{Name: fmt.Sprintf("schedule_%d", i), Job: "job_0",
			Cron: fmt.Sprintf("%d 3 1 1 *", i%60)})
		parts.Sensors = append(parts.Sensors, &orchestrator.Sensor{Name: fmt.Sprintf("sensor_%d", i), Interval: time.Hour,
			Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				return &orchestrator.SensorResult{Skip: "nothing to do"}, nil
			}})
	}
	defs, err := orchestrator.NewDefinitions(parts)
	b.must(err)
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
		Work: true})
	b.must(err)
	b.must(e.Start(ctx))
	url, stop := b.serve(d, e)
	defer stop()
	for i := range n {
		_, err := e.SetSensor(ctx, fmt.Sprintf("sensor_%d", i), true)
		b.must(err)
		_, err = e.SetSchedule(ctx, fmt.Sprintf("schedule_%d", i), true)
		b.must(err)
	}
	time.Sleep(5 * time.Second) // their first evaluations
	commits, cpu, began := b.commits(d), b.cpu(os.Getpid()), time.Now()
	time.Sleep(20 * time.Second)
	b.line(fmt.Sprintf("transactions a minute with %d schedules and %d sensors, in the first minute", n, n),
		fmt.Sprintf("%.0f", float64(b.commits(d)-commits)/time.Since(began).Minutes()), "",
		fmt.Sprintf("CPU of the program: %.1f s a minute", (b.cpu(os.Getpid())-cpu).Seconds()/time.Since(began).Minutes()))

	for _, path := range []string{"/assets", "/assets/graph", "/schedules", "/sensors"} {
		var took []time.Duration
		size := 0
		for range 20 {
			began := time.Now()
			resp, err := client.Get(url + path)
			b.must(err)
			body, err := io.ReadAll(resp.Body)
			b.must(err)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Fatalf("%s: %s", path, body)
			}
			size = len(body)
			took = append(took, time.Since(began))
		}
		p50, _ := quantiles(took)
		of := 1000
		if path == "/schedules" || path == "/sensors" {
			of = n
		}
		b.line(fmt.Sprintf("GET %s of %d", path, of), ms(p50), "<= 100 ms", fmt.Sprintf("%d kB", size/1000))
	}

	var took []time.Duration
	began = time.Now()
	for i := range 1000 {
		began := time.Now()
		b.post(fmt.Sprintf("%s/jobs/job_%d/runs", url, i%20))
		took = append(took, time.Since(began))
	}
	p50, p99 := quantiles(took)
	b.line("a run of 50 steps is started, while others run, p50", ms(p50), "<= 50 ms", "")
	b.line("the same, p99", ms(p99), "", "")
	b.ends(d, 50_000)
	b.line("steps of 1000 runs of 50 steps", rate(50_000, time.Since(began)), "", "")
}
