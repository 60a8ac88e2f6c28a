//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/server"
)

// TestBench is `make bench`: it measures the program, and in the same minute what the machine itself can do, because
// only the ratio of the two says anything on a machine that others use too. It asserts nothing about speed.
func TestBench(t *testing.T) {
	if os.Getenv("EXPLORER_BENCH") == "" {
		t.Skip("a benchmark: run `make bench`")
	}
	b := &bench{T: t, wanted: os.Getenv("EXPLORER_BENCH")}
	fmt.Printf("\n%-66s %18s   %-18s %s\n", "WHAT", "FIGURE", "WANTED", "THE MACHINE'S OWN LIMIT, JUST NOW")
	b.part("latency", b.latency)
	b.part("throughput", b.throughput)
	b.part("statements", b.statements)
	b.part("many", b.many)
	b.part("store", b.store)
	b.part("lists", b.lists)
	b.part("automation", b.automation)
	b.part("process", b.process)
	b.part("guarded", b.guarded)
	b.part("overhead", b.overhead)
	b.part("streams", b.streams)
	b.part("scale", b.scale)
	b.part("idle", b.idle)
	b.part("kills", b.kills)
	b.part("data", b.data)
	b.compare()
}

type bench struct {
	*testing.T
	wanted  string
	bin     string
	peak    int64 // of the program's processes of this part, in kB
	figures []figure
}

func (b *bench) part(name string, f func()) {
	if b.wanted != "1" && !strings.Contains(b.wanted, name) {
		return
	}
	debug.FreeOSMemory() // of the part before
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	b.peak = 0
	f()
	processes := "no other process"
	if b.peak > 0 {
		processes = fmt.Sprintf("the program as a process: %d MB", b.peak>>10)
	}
	b.line("peak memory of "+name+" (RSS): server, workers, clients in one", memory(os.Getpid(), "VmHWM"), "", processes)
}

func (b *bench) line(what, figure, wanted, limit string) {
	fmt.Printf("%-66s %18s   %-18s %s\n", what, figure, wanted, limit)
	b.note(what, figure, wanted, limit)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// postgres starts a server with its ordinary settings, and those given: names, each with its value. Unlike the server
// of the tests, it waits for the disk.
func (b *bench) postgres(settings ...string) *db.DB {
	dir, err := os.MkdirTemp("", "explorer-bench-")
	b.must(err)
	b.must(os.Chmod(dir, 0o755))
	cfg := embedded.Config{Dir: filepath.Join(dir, "postgres"), Logger: slog.New(slog.DiscardHandler),
		Settings: map[string]string{}}
	for i := 0; i < len(settings); i += 2 {
		cfg.Settings[settings[i]] = settings[i+1]
	}
	e, err := embedded.Start(context.Background(), cfg)
	b.must(err)
	d, err := db.Open(context.Background(), db.Config{URL: e.URL(), MaxConns: 64})
	b.must(err)
	_, err = d.MigrateUp(context.Background())
	b.must(err)
	b.Cleanup(func() {
		d.Close()
		_ = e.Stop()
		_ = os.RemoveAll(dir)
	})
	return d
}

type none = struct{}

func (b *bench) engine(d *db.DB, work bool, f func()) *orchestrator.Engine {
	noop := orchestrator.NewAsset(orchestrator.AssetOptions{Name: "noop"},
		func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) {
			if f != nil {
				f()
			}
			return orchestrator.Metadata{"ok": true}, nil
		})
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{noop}})
	b.must(err)
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
		Work: work})
	b.must(err)
	b.must(e.Start(context.Background()))
	return e
}

func (b *bench) serve(d *db.DB, e *orchestrator.Engine) (string, func()) {
	s, err := server.New(server.Config{DB: d, Engine: e, Store: parliament.NewStore(d),
		Logger: slog.New(slog.DiscardHandler)})
	b.must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	go s.Serve(context.Background(), l)
	return "http://" + l.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.Stop(ctx)
		_ = s.Shutdown(ctx)
	}
}

func quantiles(d []time.Duration) (p50, p99 time.Duration) {
	slices.Sort(d)
	return d[len(d)/2], d[len(d)*99/100]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func rate(n int, d time.Duration) string { return fmt.Sprintf("%.0f/s", float64(n)/d.Seconds()) }

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func (b *bench) post(url string) {
	resp, err := client.Post(url, "application/json", strings.NewReader(`{}`))
	b.must(err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 202 {
		b.Fatalf("%s: %s", url, resp.Status)
	}
}

type probeArgs struct{}

func (probeArgs) Kind() string { return "probe" }

func (b *bench) latency() {
	const n = 300
	d := b.postgres()
	// River alone: from its insert to its Work.
	entered := make(chan time.Time, 1)
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[probeArgs]) error {
		entered <- time.Now()
		return nil
	}))
	rc, err := river.NewClient(riverpgxv5.New(d.Pool),
		&river.Config{Workers: workers, Queues: map[string]river.QueueConfig{"probe": {MaxWorkers: 4}},
			FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 100 * time.Millisecond,
			Logger: slog.New(slog.DiscardHandler)})
	b.must(err)
	b.must(rc.Start(context.Background()))
	var limit []time.Duration
	for i := range n + 20 {
		started := time.Now()
		_, err := rc.Insert(context.Background(), probeArgs{}, &river.InsertOpts{Queue: "probe"})
		b.must(err)
		if at := <-entered; i >= 20 {
			limit = append(limit, at.Sub(started))
		}
	}
	b.must(rc.Stop(context.Background()))
	l50, l99 := quantiles(limit)

	e := b.engine(d, true, func() { entered <- time.Now() })
	url, stop := b.serve(d, e)
	defer stop()
	var took []time.Duration
	for i := range n + 20 {
		started := time.Now()
		b.post(url + "/assets/noop/materialize")
		if at := <-entered; i >= 20 {
			took = append(took, at.Sub(started))
		}
	}
	p50, p99 := quantiles(took)
	b.line("POST materialize to asset function entered, p50", ms(p50), "<= 15 ms", "River's insert to Work: "+ms(l50))
	b.line("POST materialize to asset function entered, p99", ms(p99), "<= 60 ms", "River's insert to Work: "+ms(l99))
}

// rowAndJob is how many times a second Postgres takes a row and a River job in one transaction.
func (b *bench) rowAndJob(d *db.DB, writers int) string {
	_, err := d.Pool.Exec(context.Background(), "CREATE TABLE IF NOT EXISTS probe (id uuid PRIMARY KEY, v text)")
	b.must(err)
	rc, err := river.NewClient(riverpgxv5.New(d.Pool), &river.Config{Logger: slog.New(slog.DiscardHandler),
		SkipUnknownJobCheck: true})
	b.must(err)
	var n atomic.Int64
	deadline := time.Now().Add(2 * time.Second)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				err := d.Tx(context.Background(), func(tx pgx.Tx) error {
					if _, err := tx.Exec(context.Background(), "INSERT INTO probe VALUES ($1, 'x')",
						uuid.Must(uuid.NewV7())); err != nil {
						return err
					}
					_, err := rc.InsertTx(context.Background(), tx, probeArgs{}, &river.InsertOpts{Queue: "nobody"})
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	_, err = d.Pool.Exec(context.Background(), "DELETE FROM river_job WHERE queue = 'nobody'")
	b.must(err)
	return rate(int(n.Load()), 2*time.Second)
}

func (b *bench) throughput() {
	d := b.postgres()
	limit := fmt.Sprintf("row + River job in one transaction: %s with 1 writer, %s with 8",
		b.rowAndJob(d, 1), b.rowAndJob(d, 8))
	e := b.engine(d, false, nil)
	url, stop := b.serve(d, e)
	const posts = 4000
	measure := func(n int, f func()) time.Duration {
		var left atomic.Int64
		left.Store(int64(n))
		started := time.Now()
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					f()
				}
			})
		}
		wg.Wait()
		return time.Since(started)
	}
	took := measure(posts, func() { b.post(url + "/assets/noop/materialize") })
	b.line("POST materialize alone, 16 clients", rate(posts, took), ">= 700/s", limit)
	stop()
	_, err := d.Pool.Exec(context.Background(), "TRUNCATE runs, steps, events, materializations, river_job CASCADE")
	b.must(err)

	const runs = 6000
	worker := b.engine(d, true, nil)
	started := time.Now()
	b.startMany(worker, 16, runs)
	b.ends(d, runs)
	b.line("whole runs of a no-op asset, sustained", rate(runs, time.Since(started)), ">= 500/s", limit)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = worker.Stop(ctx)
}

func (b *bench) store() {
	d := b.postgres()
	s := parliament.NewStore(d)
	const n = 10_000
	text := strings.Repeat("An Act respecting benchmarks and related matters. ", 8)
	records := make([]parliament.Record, n)
	for i := range records {
		number := fmt.Sprintf("C-%d", i+1)
		records[i] = parliament.Record{ID: parliament.BillID{Parliament: 44, Session: 1, Prefix: "C", Digits: i + 1},
			FetchedAt: time.Now(), SourceRecords: parliament.SourceRecords{
				OpenParliament: &openparliament.Bill{Session: "44-1", Number: number, NameEn: text, NameFr: text,
					Introduced: "2022-02-02"},
				Item: &legisinfo.Item{ID: i + 1, Session: "44-1", Number: number, LongTitleEn: text, LongTitleFr: text,
					TypeEn: "Private Member’s Bill", StatusEn: "Outside the Order of Precedence", HouseFirst: "2022-02-02", Hash: "x"},
				Detail: &legisinfo.Detail{ID: i + 1, ItemHash: "x", SponsorName: "Ada Byron",
					Committees:   []legisinfo.Committee{{Acronym: "FINA", Chamber: "house", NameEn: "Finance", NameFr: "Finances"}},
					RelatedBills: []string{"43-2/C-10"}},
			}}
	}
	// The limit: the same number of rows of 1.5 kB by one unnest for 500.
	_, err := d.Pool.Exec(context.Background(), "CREATE TABLE rows (id text PRIMARY KEY, v text)")
	b.must(err)
	started := time.Now()
	for chunk := range slices.Chunk(records, 500) {
		ids, values := []string{}, []string{}
		for _, r := range chunk {
			ids, values = append(ids, r.ID.String()), append(values, strings.Repeat("0123456789abcde", 100))
		}
		_, err := d.Pool.Exec(context.Background(), "INSERT INTO rows SELECT unnest($1::text[]), unnest($2::text[]) ON "+
			"CONFLICT (id) DO UPDATE SET v = excluded.v", ids, values)
		b.must(err)
	}
	limit := "unnest upsert of 1.5 kB rows: " + rate(n, time.Since(started))
	save := func(run uuid.UUID) time.Duration {
		started := time.Now()
		for chunk := range slices.Chunk(records, 500) {
			_, err := s.Save(context.Background(), run, chunk)
			b.must(err)
		}
		return time.Since(started)
	}
	b.line("store: new bills with versions", rate(n, save(uuid.Must(uuid.NewV7()))), ">= 2500/s", limit)
	b.line("store: unchanged bills", rate(n, save(uuid.Must(uuid.NewV7()))), ">= 5000/s", limit)
}

// lists measures pages with a million runs and ten thousand bills, and prints the plans of the slowest. It is long,
// because it has a statement for each table that it fills and each plan that it prints.
func (b *bench) lists() {
	d := b.postgres()
	ctx := context.Background()
	_, err := d.Pool.Exec(ctx, "SET statement_timeout = 0")
	b.must(err)
	conn, err := pgx.Connect(ctx, d.URL)
	b.must(err)
	defer conn.Close(ctx)
	for _, sql := range []string{
		`INSERT INTO runs (id, job, assets, status, trigger_kind, config, tags, timeout_seconds, created_at, started_at,
			ended_at)
		 SELECT (lpad(to_hex((extract(epoch FROM now())*1000)::bigint - 1000000000 + i*1000), 12, '0') || '7000' || '8000' ||
		 lpad(to_hex(i), 12, '0'))::uuid,
		        CASE WHEN i % 3 = 0 THEN 'fetch_bills_job' END,
		        ARRAY[CASE WHEN i % 1000 = 0 THEN 'rare' ELSE 'fetch_latest_bills' END],
		        CASE WHEN i % 500 = 0 THEN 'failure' ELSE 'success' END, 'api', '{"fetch_latest_bills": {"limit": 50}}',
		        CASE WHEN i % 2000 = 0 THEN '{"reason": "backlog"}'::jsonb ELSE '{}' END, 0,
		        now() - interval '1 second' * (1000000 - i), now(), now()
		 FROM generate_series(1, 1000000) i`,
		`INSERT INTO steps (run_id, asset, upstream, status) SELECT id, assets[1], '{}', 'success' FROM runs`,
		`ANALYZE runs`, `ANALYZE steps`,
	} {
		_, err := conn.Exec(ctx, sql)
		b.must(err)
	}
	s := parliament.NewStore(d)
	for n := 0; n < 10_000; n += 500 {
		var records []parliament.Record
		for i := range 500 {
			day := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, (n+i)/3).Format(time.DateOnly)
			number := fmt.Sprintf("C-%d", n+i+1)
			records = append(records, parliament.Record{ID: parliament.BillID{Parliament: 37 + n/1250, Session: 1, Prefix: "C",
				Digits: n + i + 1}, FetchedAt: time.Now(), SourceRecords: parliament.SourceRecords{
				Item: &legisinfo.Item{ID: n + i + 1, Number: number, LongTitleEn: "An Act respecting the year " + day,
					HouseFirst: day, StatusEn: "Outside the Order of Precedence", Hash: "x"},
			}})
		}
		_, err := s.Save(ctx, uuid.Must(uuid.NewV7()), records)
		b.must(err)
	}
	_, err = conn.Exec(ctx, "ANALYZE bills")
	b.must(err)
	e := b.engine(d, false, nil)
	url, stop := b.serve(d, e)
	defer stop()
	get := func(path string) (cursor string) {
		resp, err := client.Get(url + path)
		b.must(err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		b.must(err)
		if resp.StatusCode != 200 {
			b.Fatalf("%s: %s", path, body)
		}
		var list struct {
			NextCursor *string `json:"next_cursor"`
		}
		b.must(json.Unmarshal(body, &list))
		if list.NextCursor != nil {
			return *list.NextCursor
		}
		return ""
	}
	pages := func(path string) []time.Duration {
		var took []time.Duration
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		for cursor, i := "", 0; i < 300; i++ {
			p := path
			if cursor != "" {
				p += sep + "cursor=" + cursor
			}
			started := time.Now()
			cursor = get(p)
			if i >= 20 {
				took = append(took, time.Since(started))
			}
		}
		return took
	}
	floor, _ := quantiles(pages("/healthz"))
	for _, path := range []string{"/runs", "/runs?status=failure", "/runs?asset=rare", "/runs?tag=reason:backlog",
		"/runs?job=fetch_bills_job", "/bills", "/bills?session=40-1", "/bills?q=2015-06", "/bills?sort=updated",
		"/bills?sort=latest_activity&order=asc&chamber=house", "/bills?year=2015&sort=updated", "/runs?status=-success"} {
		p50, p99 := quantiles(pages(path))
		b.line("GET "+path+" (1,000,000 runs, 10,000 bills), p99", ms(p99)+" (p50 "+ms(p50)+")", "<= 20 ms",
			"GET /healthz: "+ms(floor))
	}
	for name, sql := range map[string]string{
		"runs after a cursor":  `SELECT * FROM runs WHERE id < (SELECT id FROM runs ORDER BY id OFFSET 500000 LIMIT 1) ORDER BY id DESC LIMIT 51`,
		"runs of a rare asset": `SELECT * FROM runs WHERE assets @> ARRAY['rare'] ORDER BY id DESC LIMIT 51`,
		"bills":                `SELECT * FROM bills ORDER BY coalesce(introduced_on, '0001-01-01') DESC, prefix, digits, suffix, id LIMIT 51`,
	} {
		rows, err := conn.Query(ctx, "EXPLAIN (COSTS OFF) "+sql)
		b.must(err)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		b.must(err)
		fmt.Printf("  plan of %s:\n    %s\n", name, strings.Join(plan, "\n    "))
	}
}
