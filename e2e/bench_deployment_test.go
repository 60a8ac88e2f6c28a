//go:build unix

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// nowhere takes spans and forgets them, so that what is measured is the making of them.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// guarded measures the latency of a run with authentication and tracing against the same without, in turns. It is long,
// because both servers share the engine and its signals.
func (b *bench) guarded() {
	d := b.postgres()
	const rounds, posts = 6, 150
	entered := make(chan time.Time, 1)
	tracer := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}))
	_, key, err := access.CreateKey(context.Background(), d.Pool, "bench", access.ScopeOperate, nil, "bench")
	b.must(err)
	control, err := access.New(access.Config{Required: true, RateLimit: 10_000_000, DB: d,
		Logger: slog.New(slog.DiscardHandler)})
	b.must(err)
	post := func(url, key string) time.Time {
		started := time.Now()
		req, err := http.NewRequest(http.MethodPost, url+"/assets/noop/materialize", strings.NewReader(`{}`))
		b.must(err)
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		resp, err := client.Do(req)
		b.must(err)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			b.Fatalf("%s", resp.Status)
		}
		return started
	}
	// round is one turn: the latency of single runs, then how fast runs are taken by eight clients.
	round := func(on bool) (took []time.Duration, throughput time.Duration) {
		cfg := orchestrator.Config{DB: d, Logger: slog.New(slog.DiscardHandler), Work: true}
		scfg := server.Config{DB: d, Store: parliament.NewStore(d), Logger: slog.New(slog.DiscardHandler)}
		with := ""
		if on {
			var p trace.TracerProvider = tracer
			cfg.Tracer, scfg.Tracer, scfg.Access, with = p, p, control, key
		}
		noop := orchestrator.NewAsset(orchestrator.AssetOptions{Name: "noop"},
			func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) {
				select {
				case entered <- time.Now():
				default:
				}
				return nil, nil
			})
		cfg.Definitions, err = orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{noop}})
		b.must(err)
		e, err := orchestrator.New(cfg)
		b.must(err)
		b.must(e.Start(context.Background()))
		scfg.Engine = e
		s, err := server.New(scfg)
		b.must(err)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		b.must(err)
		go s.Serve(context.Background(), l)
		at := "http://" + l.Addr().String()
		for i := range posts + 10 {
			started := post(at, with)
			if in := <-entered; i >= 10 {
				took = append(took, in.Sub(started))
			}
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					post(at, with)
				}
			})
		}
		wg.Wait()
		throughput = time.Since(began)
		for n := 1; n > 0; time.Sleep(10 * time.Millisecond) {
			b.must(d.Pool.QueryRow(context.Background(), "SELECT count(*) FROM runs WHERE ended_at IS NULL").Scan(&n))
		}
		for len(entered) > 0 {
			<-entered
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.Stop(ctx)
		_ = s.Shutdown(ctx)
		return took, throughput
	}
	var off, on []time.Duration
	var slow, fast time.Duration
	for range rounds {
		took, t := round(false)
		off, fast = append(off, took...), fast+t
		took, t = round(true)
		on, slow = append(on, took...), slow+t
	}
	off50, off99 := quantiles(off)
	on50, on99 := quantiles(on)
	b.line("POST to function entered with auth and tracing, p50", ms(on50), "<= 110 %",
		fmt.Sprintf("without: %s (%.0f %%)", ms(off50), 100*float64(on50)/float64(off50)))
	b.line("POST to function entered with auth and tracing, p99", ms(on99), "<= 110 %",
		fmt.Sprintf("without: %s (%.0f %%)", ms(off99), 100*float64(on99)/float64(off99)))
	b.line("POST with auth and tracing, 8 clients beside the worker", rate(rounds*800, slow), ">= 90 %",
		fmt.Sprintf("without: %s (%.0f %%)", rate(rounds*800, fast), 100*float64(fast)/float64(slow)))
	_ = tracer.Shutdown(context.Background())
}

// overhead is what the engine costs beside a step's own work: many steps that do nothing, one after the other.
func (b *bench) overhead() {
	d := b.postgres()
	const n = 200
	var assets []*orchestrator.Asset
	var names []string
	for i := range n {
		o := orchestrator.AssetOptions{Name: fmt.Sprintf("s%03d", i)}
		if i > 0 {
			o.Deps = []string{names[i-1]}
		}
		names = append(names, o.Name)
		assets = append(assets, orchestrator.NewAsset(o,
			func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) {
				return nil, nil
			}))
	}
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: assets})
	b.must(err)
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
		Work: true})
	b.must(err)
	b.must(e.Start(context.Background()))
	var best time.Duration
	for range 3 {
		began := time.Now()
		run, _, err := e.StartRun(context.Background(),
			orchestrator.RunRequest{Assets: names, Trigger: orchestrator.Trigger{Kind: "api"}})
		b.must(err)
		b.must(e.FollowRun(context.Background(), run.ID, 0, func([]eventlog.Event) error { return nil }))
		if took := time.Since(began) / n; best == 0 || took < best {
			best = took
		}
	}
	var commits time.Duration
	began := time.Now()
	for range 100 {
		_, err := d.Pool.Exec(context.Background(), "INSERT INTO api_keys (id, name, prefix, hash, scope, created_by, "+
			"created_at) VALUES (gen_random_uuid(), 'x', 'x', gen_random_uuid()::text::bytea, 'read', 'x', now())")
		b.must(err)
	}
	commits = time.Since(began) / 100
	b.line("a step's overhead, from the end of one to the end of the next", ms(best), "<= 5 ms",
		"one commit: "+ms(commits))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = e.Stop(ctx)
}

// streams has a thousand clients follow all runs on one server, the built program, and measures how late events come
// to them and what memory it takes.
func (b *bench) streams() {
	const clients, events = 1000, 60
	var limit syscall.Rlimit
	b.must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	b.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	d := b.postgres()
	cmd, at := b.launch(d, "dev", "OPENPARLIAMENT_RPS=0")
	defer b.end(cmd)
	idle := memory(cmd.Process.Pid, "VmRSS")
	var mu sync.Mutex
	var late []time.Duration
	var ready, done sync.WaitGroup
	transport := &http.Transport{DisableKeepAlives: true}
	ready.Add(clients)
	for range clients {
		done.Go(func() {
			req, err := http.NewRequest(http.MethodGet, at+"/events?type=run_success", nil)
			b.must(err)
			req.Header.Set("Accept", "text/event-stream")
			resp, err := (&http.Client{Transport: transport}).Do(req)
			ready.Done()
			if err != nil {
				b.Error(err)
				return
			}
			defer resp.Body.Close()
			var mine []time.Duration
			scanner := bufio.NewScanner(resp.Body)
			for len(mine) < events && scanner.Scan() {
				data, ok := strings.CutPrefix(scanner.Text(), "data: ")
				if !ok {
					continue
				}
				var ev struct {
					At time.Time
				}
				if json.Unmarshal([]byte(data), &ev) == nil {
					mine = append(mine, time.Since(ev.At))
				}
			}
			mu.Lock()
			late = append(late, mine...)
			mu.Unlock()
		})
	}
	ready.Wait()
	for range events {
		b.post(at + "/assets/monitor_fetch_operations/materialize")
		time.Sleep(50 * time.Millisecond)
	}
	done.Wait()
	if len(late) != clients*events {
		b.Errorf("%d events came, want %d", len(late), clients*events)
	}
	p50, p99 := quantiles(late)
	b.line(fmt.Sprintf("%d streams on one server: an event to the last client (max)", clients), ms(late[len(late)-1]),
		"<= 1 s", fmt.Sprintf("p50 %s, p99 %s; 20 runs a second, clients on the same two cores", ms(p50), ms(p99)))
	b.line("memory of server and worker with them (RSS)", memory(cmd.Process.Pid, "VmHWM"), "<= 200 MB", "idle: "+idle)
}

// launch starts the built program on a database, and waits until it is ready.
func (b *bench) launch(d *db.DB, role string, env ...string) (*exec.Cmd, string) {
	bin := b.binary()
	cmd := exec.Command(bin, role)
	cmd.Env = append(append(os.Environ(), "DATABASE_URL="+d.URL, "ADDR=127.0.0.1:0", "AUTH=auto"), env...)
	stderr, err := cmd.StderrPipe()
	b.must(err)
	b.must(cmd.Start())
	var url string
	read(stderr, `msg=ready (?:url=(http://\S+))?`, func(m []string) bool { url = m[1]; return false })
	go io.Copy(io.Discard, stderr)
	return cmd, url
}

func (b *bench) end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	b.ended(cmd)
}

// ended notes the peak memory of a process of the program.
func (b *bench) ended(cmd *exec.Cmd) {
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		b.peak = max(b.peak, used.Maxrss)
	}
}

// sources starts a simulated Parliament, and returns its address and what ends it.
func (b *bench) sources(args ...string) (url string, stop func()) {
	cmd := program(b.T, nil, append([]string{"simulate", "--addr", "127.0.0.1:0"}, args...)...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	b.must(cmd.Start())
	read(r, `OPENPARLIAMENT_URL=(\S+)`, func(m []string) bool { url = m[1]; return false })
	go io.Copy(io.Discard, r)
	return url, func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
}

// binary is the program as it is released, built once.
func (b *bench) binary() string {
	if b.bin == "" {
		dir, err := os.MkdirTemp("", "explorer-bench-")
		b.must(err)
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
		b.bin = filepath.Join(dir, "explorer")
		if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.bin,
			"..").CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	return b.bin
}

// scale has 1, 2 and 4 workers, each a process, do the same work: how fast, how evenly divided, and whether they keep
// to a source's rate together. It is long, because all rounds share the source and what it counts.
func (b *bench) scale() {
	upstream, stop := b.sources("--bills", "150")
	defer stop()
	target, err := url.Parse(upstream)
	b.must(err)
	var mu sync.Mutex
	var asked []time.Time // LEGISinfo's records
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/bill/") {
			mu.Lock()
			asked = append(asked, time.Now())
			mu.Unlock()
		}
		httputil.NewSingleHostReverseProxy(target).ServeHTTP(w, r)
	}))
	defer front.Close()
	const runs, rps = 3000, 20
	for _, n := range []int{1, 2, 4} {
		d := b.postgres()
		asked = nil
		env := []string{"OPENPARLIAMENT_URL=" + front.URL, "LEGISINFO_URL=" + front.URL + "/legisinfo",
			fmt.Sprintf("LEGISINFO_RPS=%d", rps), "OPENPARLIAMENT_RPS=0", "LOG_LEVEL=info"}
		server, at := b.launch(d, "serve", env...)
		var load sync.WaitGroup
		for range 8 { // everything is there before the first worker is
			load.Go(func() {
				for range runs / 8 {
					b.post(at + "/assets/monitor_fetch_operations/materialize")
				}
			})
		}
		load.Wait()
		began := time.Now()
		var workers []*exec.Cmd
		for range n {
			worker, _ := b.launch(d, "worker", env...)
			workers = append(workers, worker)
		}
		wait := func(sql string) {
			for left := 1; left > 0; time.Sleep(20 * time.Millisecond) {
				b.must(d.Pool.QueryRow(context.Background(), sql).Scan(&left))
			}
		}
		wait("SELECT count(*) FROM runs WHERE ended_at IS NULL")
		took := time.Since(began)
		var shares []int
		rows, err := d.Pool.Query(context.Background(), "SELECT count(*) FROM steps GROUP BY worker_id ORDER BY 1")
		b.must(err)
		for rows.Next() {
			var share int
			b.must(rows.Scan(&share))
			shares = append(shares, share)
		}
		b.line(fmt.Sprintf("%d waiting runs, %d worker processes", runs, n), rate(runs, took), "",
			fmt.Sprintf("each did %v", shares))
		for _, session := range []string{`{"parliament":44,"session":1}`, `{"parliament":45,"session":1}`} {
			resp, err := client.Post(at+"/assets/fetch_parliament_session_bills/materialize", "application/json",
				strings.NewReader(`{"config":`+session+`}`))
			b.must(err)
			resp.Body.Close()
		}
		wait("SELECT count(*) FROM runs WHERE ended_at IS NULL")
		slices.SortFunc(asked, time.Time.Compare)
		most := 0
		for i, j := 0, 0; j < len(asked); j++ {
			for asked[j].Sub(asked[i]) >= time.Second {
				i++
			}
			most = max(most, j-i+1)
		}
		average := "none"
		if len(asked) > 1 {
			average = rate(len(asked), asked[len(asked)-1].Sub(asked[0]))
		}
		b.line(fmt.Sprintf("records asked of LEGISinfo by %d processes, limit %d/s", n, rps), average,
			fmt.Sprintf("<= %d/s", rps), fmt.Sprintf("%d in all, at most %d in a second", len(asked), most))
		for _, worker := range workers {
			b.end(worker)
		}
		b.end(server)
	}
}
