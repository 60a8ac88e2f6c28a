//go:build unix

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server"
)

const benchSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"

// automation measures sensors, webhooks, backfills, partitions and alerts. It is long, because it declares all of them.
func (b *bench) automation() {
	d := b.postgres()
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%05d", i)
	}
	noop := func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil }
	parts := orchestrator.Declarations{
		Assets: []*orchestrator.Asset{
			orchestrator.NewAsset(orchestrator.AssetOptions{Name: "noop"}, noop),
			orchestrator.NewAsset(orchestrator.AssetOptions{Name: "parted",
				Partitions: orchestrator.StaticPartitions("key", keys...)}, noop),
			orchestrator.NewAsset(orchestrator.AssetOptions{Name: "bad"},
				func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) {
					return nil, orchestrator.Permanent(errors.New("bad"))
				}),
		},
		Sensors: []*orchestrator.Sensor{
			orchestrator.NewWebhookSensor(orchestrator.Sensor{Name: "hook",
				Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
					r := &orchestrator.SensorResult{}
					for _, w := range ev.Webhooks {
						r.Runs = append(r.Runs, orchestrator.RunRequest{Assets: []string{"noop"}, RunKey: w.ID,
							Tags: map[string]string{"id": w.ID}})
					}
					return r, nil
				}}),
			orchestrator.NewRunStatusSensor(orchestrator.Sensor{Name: "failures",
				Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
					r := &orchestrator.SensorResult{}
					for _, run := range ev.Runs {
						r.Alerts = append(r.Alerts, orchestrator.Alert{Cause: run.ID.String(), Title: "it failed"})
					}
					return r, nil
				}}, orchestrator.StatusFailure),
		},
	}
	for i := range 100 {
		parts.Sensors = append(parts.Sensors, &orchestrator.Sensor{Name: fmt.Sprintf("poll_%d", i), Interval: time.Second,
			Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				return &orchestrator.SensorResult{Skip: "nothing to do"}, nil
			}})
	}
	defs, err := orchestrator.NewDefinitions(parts)
	b.must(err)
	received := make(chan time.Time, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received <- time.Now() }))
	defer receiver.Close()
	channel, err := notify.Parse("ops="+receiver.URL+"#"+benchSecret,
		notify.NewGuard(netip.MustParsePrefix("127.0.0.0/8")))
	b.must(err)
	log := slog.New(slog.DiscardHandler)
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: log, Work: true,
		Channels: []*notify.Channel{channel}})
	b.must(err)
	b.must(e.Start(context.Background()))
	verifier, err := standardwebhooks.NewWebhook(benchSecret)
	b.must(err)
	s, err := server.New(server.Config{DB: d, Engine: e, Store: parliament.NewStore(d), Logger: log,
		WebhookSecrets: map[string][]*standardwebhooks.Webhook{"hook": {verifier}}})
	b.must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	go s.Serve(context.Background(), l)
	url := "http://" + l.Addr().String()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.Stop(ctx)
		_ = s.Shutdown(ctx)
	}()

	b.sensorCost(d, e)
	b.webhooks(d, e, url, verifier)
	b.partitions(d, url, keys)
	b.alertLatency(e, received)
}

// sensorCost is what a hundred sensors add to the work of the program and of Postgres.
func (b *bench) sensorCost(d *db.DB, e *orchestrator.Engine) {
	const span = 10 * time.Second
	cost := func() (ours, theirs float64) {
		o, p := ownCPU(), b.postgresCPU(d)
		time.Sleep(span)
		return (ownCPU() - o).Seconds() / span.Seconds(), (b.postgresCPU(d) - p).Seconds() / span.Seconds()
	}
	time.Sleep(2 * time.Second)
	idle, idlePG := cost()
	for i := range 100 {
		_, err := e.SetSensor(context.Background(), fmt.Sprintf("poll_%d", i), true)
		b.must(err)
	}
	time.Sleep(2 * time.Second)
	evaluations := func() (n int) {
		b.must(d.Pool.QueryRow(context.Background(), `SELECT coalesce(sum(evaluations), 0) FROM sensor_ticks`).Scan(&n))
		return n
	}
	before := evaluations()
	busy, busyPG := cost()
	done := evaluations() - before
	for i := range 100 {
		_, err := e.SetSensor(context.Background(), fmt.Sprintf("poll_%d", i), false)
		b.must(err)
	}
	b.line("100 sensors at 1 s: share of a core", fmt.Sprintf("%.1f %%", 100*(busy-idle)), "< 10 %",
		fmt.Sprintf("%d evaluations in 10 s; Postgres %.1f %% more; idle %.1f %% and %.1f %%", done,
			100*(busyPG-idlePG), 100*idle, 100*idlePG))
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// postgresCPU is what the server and all its processes have used since they began; those that ended do not count.
func (b *bench) postgresCPU(d *db.DB) time.Duration {
	var backend int
	b.must(d.Pool.QueryRow(context.Background(), `SELECT pg_backend_pid()`).Scan(&backend))
	stat := func(pid string) []string {
		raw, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil {
			return nil
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		return strings.Fields(rest)
	}
	mine := stat(strconv.Itoa(backend))
	if len(mine) < 13 {
		return 0
	}
	postmaster, ticks := mine[1], 0
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if f := stat(entry.Name()); len(f) > 12 && (f[1] == postmaster || entry.Name() == postmaster) {
			u, _ := strconv.Atoi(f[11])
			s, _ := strconv.Atoi(f[12])
			ticks += u + s
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func (b *bench) webhooks(d *db.DB, e *orchestrator.Engine, url string, signer *standardwebhooks.Webhook) {
	ctx := context.Background()
	_, err := e.SetSensor(ctx, "hook", true)
	b.must(err)
	const n, body = 300, `{"type":"x"}`
	answers, sent := make([]time.Duration, n), make([]time.Time, n)
	for i := range n {
		id, at := fmt.Sprintf("m%d", i), time.Now()
		signature, err := signer.Sign(id, at, []byte(body))
		b.must(err)
		req, err := http.NewRequest(http.MethodPost, url+"/webhooks/hook", strings.NewReader(body))
		b.must(err)
		for k, v := range map[string]string{"Content-Type": "application/json", "webhook-id": id,
			"webhook-timestamp": strconv.FormatInt(at.Unix(), 10), "webhook-signature": signature} {
			req.Header.Set(k, v)
		}
		resp, err := client.Do(req)
		b.must(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			b.Fatalf("webhook: %s", resp.Status)
		}
		answers[i], sent[i] = time.Since(at), time.Now()
		time.Sleep(20 * time.Millisecond)
	}
	started := make([]time.Duration, 0, n)
	for i := range n {
		for len(started) == i {
			var at *time.Time
			_ = d.Pool.QueryRow(ctx, `SELECT started_at FROM runs
				WHERE tags @> jsonb_build_object('id', $1::text)`, fmt.Sprintf("m%d", i)).Scan(&at)
			if at != nil {
				started = append(started, at.Sub(sent[i]))
			}
		}
	}
	p50, p99 := quantiles(answers)
	b.line("webhook answered, p50 / p99", ms(p50)+" / "+ms(p99), "p99 <= 20 ms", "a signed event, kept and queued")
	p50, p99 = quantiles(started)
	b.line("its run started after the answer, p50 / p99", ms(p50)+" / "+ms(p99), "<= 100 ms", "")
}

func (b *bench) partitions(d *db.DB, url string, keys []string) {
	ctx := context.Background()
	_, err := d.Pool.Exec(ctx, `INSERT INTO asset_partitions (asset, partition, status, run_id, materialized_at)
		SELECT 'parted', k, 'materialized', gen_random_uuid(), now() FROM unnest($1::text[]) AS k`, keys[1000:])
	b.must(err)
	_, err = d.Pool.Exec(ctx, `ANALYZE asset_partitions`)
	b.must(err)
	var took []time.Duration
	for range 30 {
		at := time.Now()
		b.get(url + "/assets/parted/partitions")
		took = append(took, time.Since(at))
	}
	p50, p99 := quantiles(took)
	b.line("status of 10,000 partitions, p50 / p99", ms(p50)+" / "+ms(p99), "<= 50 ms", "over HTTP, as JSON")
	at := time.Now()
	resp, err := client.Post(url+"/backfills", "application/json",
		strings.NewReader(`{"assets": ["parted"], "only": "missing", "concurrency": 20}`))
	b.must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		b.Fatalf("backfill: %s", resp.Status)
	}
	b.line("a backfill of 1,000 partitions started", ms(time.Since(at)), "<= 2 s", "over HTTP")
	for n := 0; n < 1000; {
		b.must(d.Pool.QueryRow(ctx, `SELECT count(*) FROM backfill_partitions WHERE status = 'success'`).Scan(&n))
		time.Sleep(20 * time.Millisecond)
	}
	b.line("and all its runs ended, 20 at a time", ms(time.Since(at)), "", rate(1000, time.Since(at)))
}

func (b *bench) get(url string) {
	resp, err := client.Get(url)
	b.must(err)
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s", url, resp.Status)
	}
	buf := make([]byte, 64<<10)
	for {
		if _, err := resp.Body.Read(buf); err != nil {
			return
		}
	}
}

func (b *bench) alertLatency(e *orchestrator.Engine, received <-chan time.Time) {
	ctx := context.Background()
	_, err := e.SetSensor(ctx, "failures", true)
	b.must(err)
	var took []time.Duration
	for range 30 {
		run, _, err := e.StartRun(ctx, orchestrator.RunRequest{Assets: []string{"bad"},
			Trigger: orchestrator.Trigger{Kind: "api"}})
		b.must(err)
		at := <-received
		events, err := e.Events().OfRun(ctx, run.ID, 0, 100)
		b.must(err)
		took = append(took, at.Sub(events[len(events)-1].At))
	}
	p50, p99 := quantiles(took)
	b.line("a run's failure to the outgoing webhook, p50 / p99", ms(p50)+" / "+ms(p99), "<= 500 ms",
		"event, sensor, alert, delivery")
}
