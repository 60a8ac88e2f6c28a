//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestChaos is `make chaos`: two to four processes do thousands of runs while they are killed and frozen, Postgres is
// restarted, killed and locked, its network is slow, hangs and breaks, the sources fall silent and the configuration
// changes. Half of the runs are of the storm: assets that are under limits which overlap, have checks that block, fail,
// panic and take too long. Afterwards a checker that shares no code with the engine reads the tables. EXPLORER_CHAOS
// says for how long, CHAOS_SEED with which draws.
func TestChaos(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("EXPLORER_CHAOS"))
	if err != nil {
		t.Skip("takes its time: run `make chaos`")
	}
	seed := uint64(1)
	if s := os.Getenv("CHAOS_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	c := newChaos(t, seed)
	began := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load, trouble sync.WaitGroup
	for i := range 12 {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		load.Go(func() { c.load(ctx, rng) })
	}
	for i, n := range c.nodes {
		trouble.Go(func() { n.hurt(ctx, rand.New(rand.NewPCG(seed, 100+uint64(i)))) })
		trouble.Go(func() { n.link.hurt(ctx, rand.New(rand.NewPCG(seed, 400+uint64(i))), c.note) })
	}
	trouble.Go(func() { c.holdLocks(ctx, rand.New(rand.NewPCG(seed, 500))) })
	trouble.Go(func() { c.hurtPostgres(ctx, rand.New(rand.NewPCG(seed, 200))) })
	trouble.Go(func() { c.hurtSources(ctx, rand.New(rand.NewPCG(seed, 300))) })
	time.AfterFunc(length, stop)
	load.Wait()
	trouble.Wait()
	c.heal()
	settled := time.Now()
	c.settle(5 * time.Minute) // what waits under limits is much
	quiet := time.Now()
	c.lastFetch()
	c.check()
	fmt.Printf(`chaos: seed %d, %d processes, %s: %d runs accepted (%d requests, answers %v); trouble %v
  runs %v by %v, errors %v; backfills %v; %d checks held something back
  steps %v; %d requeued; longest recovery from a kill %s; settled %s after; %d events, %d bills; Postgres refused %v
`,
		seed, len(c.nodes), settled.Sub(began).Round(time.Second), len(c.accepted), c.requests.Load(), c.answers, c.did,
		c.tally("SELECT status FROM runs"), c.tally("SELECT trigger_kind FROM runs"),
		c.tally("SELECT error ->> 'class' FROM runs WHERE error IS NOT NULL"), c.tally("SELECT status FROM backfills"),
		c.count("SELECT count(*) FROM steps WHERE blocked_by IS NOT NULL"), c.tally("SELECT status FROM steps"),
		c.count("SELECT count(*) FROM events WHERE type = 'step_requeued'"), c.longestRecovery().Round(100*time.Millisecond),
		quiet.Sub(settled).Round(time.Second), c.count("SELECT count(*) FROM events"),
		c.count("SELECT count(*) FROM bills"), c.refused)
}

// tally counts what a query gives.
func (l *ledger) tally(sql string) map[string]int {
	counts := map[string]int{}
	found, err := l.find(sql)
	if err != nil {
		l.t.Error(err)
	}
	for _, f := range found {
		counts[f]++
	}
	return counts
}

type chaos struct {
	*ledger
	pg       *embedded.Server
	pgDir    string
	pgLog    serverLog
	sources  *exec.Cmd
	source   string // its address
	nodes    []*chaosNode
	requests atomic.Int64

	mu       sync.Mutex
	accepted map[string]string // idempotency key -> run
	cancels  map[string]bool   // runs and backfills that somebody tried to cancel
	did      map[string]int
	kills    map[int]time.Time // pid -> when
	refused  map[string]int    // what Postgres refused, by its code
	answers  map[string]int    // what requests were answered
	wrong    []string          // answers that no request may get
}

// chaosNodes is how many processes share the work: 2, 3 or 4, so that any three seeds in a row try all of them.
func chaosNodes(seed uint64) int { return 2 + int(seed%3) }

// chaosNode is a server with a worker, in a process of its own.
type chaosNode struct {
	c    *chaos
	name string
	url  string
	addr string
	link *slowLink // to Postgres
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
	log  *os.File
}

// newChaos starts Postgres, the simulated sources and the nodes. It is long, because each needs what was started
// before.
func newChaos(t *testing.T, seed uint64) *chaos {
	dir, err := os.MkdirTemp("", "explorer-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &chaos{
		ledger: &ledger{t: t}, pgDir: filepath.Join(dir, "postgres"), pgLog: serverLog{filepath.Join(dir, "log")},
		accepted: map[string]string{}, cancels: map[string]bool{}, did: map[string]int{}, kills: map[int]time.Time{},
		answers: map[string]int{},
	}
	if err := errors.Join(os.Mkdir(c.pgLog.dir, 0o777), os.Chmod(c.pgLog.dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	if c.pg, err = embedded.Start(t.Context(), embedded.Config{Dir: c.pgDir, Logger: slog.New(slog.DiscardHandler),
		Settings: c.pgLog.settings()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.pg.Stop()
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		} else {
			t.Logf("logs of the processes are in %s", dir)
		}
	})
	if c.db, err = db.Open(t.Context(), db.Config{URL: c.pg.URL(), MaxConns: 4}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.db.Close)
	if _, err := c.db.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Pool.Exec(t.Context(), stormTable); err != nil {
		t.Fatal(err)
	}
	c.sources = program(t, nil, "simulate", "--addr", "127.0.0.1:0", "--seed", strconv.FormatUint(seed, 10))
	r, w := io.Pipe()
	c.sources.Stdout, c.sources.Stderr = w, w
	if err := c.sources.Start(); err != nil {
		t.Fatal(err)
	}
	read(r, `OPENPARLIAMENT_URL=(\S+)`, func(m []string) bool { c.source = m[1]; return false })
	go io.Copy(io.Discard, r)
	t.Cleanup(func() { _ = c.sources.Process.Kill(); _ = c.sources.Wait() })
	for i := range chaosNodes(seed) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n := &chaosNode{c: c, name: fmt.Sprintf("node%d", i), addr: l.Addr().String(), url: "http://" + l.Addr().String(),
			link: newSlowLink(t, c.pg.URL())}
		l.Close()
		if n.log, err = os.Create(filepath.Join(dir, n.name+".log")); err != nil {
			t.Fatal(err)
		}
		c.nodes = append(c.nodes, n)
		n.start(32, 50)
		t.Cleanup(func() { n.end(syscall.SIGKILL); n.log.Close() })
	}
	for _, n := range c.nodes {
		eventually(c.t, 30*time.Second, n.name+" answers", n.answers)
	}
	c.tell("faults?latency=30ms&500=0.01&drop=0.01")
	for _, sensor := range []string{"new_bills_sensor", "fetch_failure_sensor"} {
		if status, body := c.post(c.nodes[0], "/sensors/"+sensor+"/start", "", nil); status != 200 {
			t.Fatalf("start %s: %d %s", sensor, status, body)
		}
	}
	return c
}

func (n *chaosNode) start(concurrency, rps int) {
	n.cmd = program(n.c.t, []string{
		"EXPLORER_TEST_STORM=1", "LIMITS=" + stormLimits, "DATABASE_URL=" + n.link.url(), "ADDR=" + n.addr,
		"OPENPARLIAMENT_URL=" + n.c.source, "LEGISINFO_URL=" + n.c.source + "/legisinfo",
		fmt.Sprintf("OPENPARLIAMENT_RPS=%d", rps), fmt.Sprintf("LEGISINFO_RPS=%d", rps), fmt.Sprintf("CONCURRENCY=%d",
			concurrency), "LOG_LEVEL=warn",
	}, "dev")
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		n.c.t.Error(err)
	}
	cmd, gone := n.cmd, make(chan struct{})
	n.gone = gone
	go func() { _ = cmd.Wait(); close(gone) }()
}

// again starts a process that ended by itself, as whatever watches over it would: one that finds no database gives up.
func (n *chaosNode) again() {
	select {
	case <-n.gone:
		n.c.note("start")
		n.start(32, 50)
	default:
	}
}

// end ends the process and waits until it is gone.
func (n *chaosNode) end(sig syscall.Signal) {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(syscall.SIGCONT)
	_ = n.cmd.Process.Signal(sig)
	process := n.cmd.Process
	timer := time.AfterFunc(15*time.Second, func() { n.c.t.Errorf("%s does not stop", n.name); _ = process.Kill() })
	<-n.gone
	timer.Stop()
	n.cmd = nil
}

func (n *chaosNode) answers() bool {
	resp, err := chaosClient.Get(n.url + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == 200
}

var chaosClient = &http.Client{Timeout: 4 * time.Second}

func (c *chaos) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did[what]++
}

// post gives status 0 if there was no answer.
func (c *chaos) post(n *chaosNode, path, body string, header map[string]string) (int, []byte) {
	c.requests.Add(1)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, n.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := chaosClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	c.answered(resp, raw)
	return resp.StatusCode, raw
}

// wrongAnswer says whether an answer is one that no request may get: what the database is in the way of is answered
// 503, and says when to come back.
func wrongAnswer(resp *http.Response) bool {
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	return resp.StatusCode >= 500 && (resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1)
}

// hurt kills, stops and freezes a process, and starts it again with another configuration.
func (n *chaosNode) hurt(ctx context.Context, rng *rand.Rand) {
	for {
		sleep(ctx, time.Duration(1000+rng.IntN(7000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		n.again()
		switch k := rng.IntN(100); {
		case k < 55:
			n.c.note("kill")
			n.c.mu.Lock()
			n.c.kills[n.cmd.Process.Pid] = time.Now()
			n.c.mu.Unlock()
			n.end(syscall.SIGKILL)
			sleep(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
			n.start(1+rng.IntN(48), 20+rng.IntN(80))
		case k < 70:
			n.c.note("term")
			n.end(syscall.SIGTERM)
			n.start(1+rng.IntN(48), 20+rng.IntN(80))
		default:
			n.c.note("stop") // for less or more than it takes to be taken for dead
			_ = n.cmd.Process.Signal(syscall.SIGSTOP)
			sleep(ctx, []time.Duration{500 * time.Millisecond, 3 * time.Second, 15 * time.Second}[rng.IntN(3)])
			_ = n.cmd.Process.Signal(syscall.SIGCONT)
		}
	}
}

// hurtPostgres stops and kills the database.
func (c *chaos) hurtPostgres(ctx context.Context, rng *rand.Rand) {
	for {
		sleep(ctx, time.Duration(5000+rng.IntN(25000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		if rng.IntN(3) > 0 {
			c.note("postgres restart")
			signalPostgres(c.pgDir, syscall.SIGINT)
		} else {
			c.note("postgres kill")
			signalPostgres(c.pgDir, syscall.SIGQUIT)
		}
	}
}

// hurtSources makes the sources hang, fail, and move on with time.
func (c *chaos) hurtSources(ctx context.Context, rng *rand.Rand) {
	for day := 0; ; day++ {
		sleep(ctx, time.Duration(2000+rng.IntN(5000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		at := time.Date(2026, 6, 18, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day)
		c.tell("clock?as_of=" + at.Format(time.DateOnly))
		if rng.IntN(3) == 0 {
			c.note("sources")
			_ = c.sources.Process.Signal(syscall.SIGSTOP)
			sleep(ctx, time.Duration(500+rng.IntN(6000))*time.Millisecond)
			_ = c.sources.Process.Signal(syscall.SIGCONT)
		}
	}
}

// holdLocks holds locks that statements of the program wait for.
func (c *chaos) holdLocks(ctx context.Context, rng *rand.Rand) {
	for {
		sleep(ctx, time.Duration(2000+rng.IntN(6000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		c.note("lock")
		table := []string{"runs", "steps", "events", "step_slots", "river_job"}[rng.IntN(5)]
		_ = c.db.Tx(ctx, func(tx pgx.Tx) error { // an error ends it too
			_, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'; LOCK TABLE "+table+" IN SHARE MODE")
			if err == nil {
				sleep(ctx, time.Duration(100+rng.IntN(2500))*time.Millisecond)
			}
			return err
		})
	}
}

// tell commands the simulation.
func (c *chaos) tell(command string) {
	resp, err := chaosClient.Post(c.source+"/control/"+command, "", nil)
	if err != nil {
		c.t.Errorf("%s: %v", command, err)
		return
	}
	resp.Body.Close()
}

// signalPostgres stops the server, SIGINT in order and SIGQUIT at once; it is started again by who started it.
func signalPostgres(dir string, sig syscall.Signal) {
	raw, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return // it is just being started
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, sig)
	}
}

// heal brings everything back.
func (c *chaos) heal() {
	_ = c.sources.Process.Signal(syscall.SIGCONT)
	c.tell("faults?latency=0s&500=0&drop=0") // each fault stays until it is set again
	for _, n := range c.nodes {
		if n.cmd == nil {
			n.start(32, 50)
		}
		_ = n.cmd.Process.Signal(syscall.SIGCONT)
	}
	for _, n := range c.nodes {
		eventually(c.t, 60*time.Second, n.name+" answers again", func() bool { n.again(); return n.answers() })
	}
}
