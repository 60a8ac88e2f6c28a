//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestChaos is `make chaos`: three processes do thousands of runs while they are killed and frozen, Postgres is
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
	fmt.Printf(`chaos: seed %d, %s: %d runs accepted (%d requests, answers %v); trouble %v
  runs %v by %v, errors %v; backfills %v; %d checks held something back
  steps %v; %d requeued; longest recovery from a kill %s; settled %s after; %d events, %d bills; Postgres refused %v
`,
		seed, settled.Sub(began).Round(time.Second), len(c.accepted), c.requests.Load(), c.answers, c.did,
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
		accepted: map[string]string{}, cancels: map[string]bool{}, did: map[string]int{}, kills: map[int]time.Time{}, answers: map[string]int{},
	}
	if err := errors.Join(os.Mkdir(c.pgLog.dir, 0o777), os.Chmod(c.pgLog.dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	if c.pg, err = embedded.Start(t.Context(), embedded.Config{Dir: c.pgDir, Logger: slog.New(slog.DiscardHandler), Settings: c.pgLog.settings()}); err != nil {
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
	for i := range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n := &chaosNode{c: c, name: fmt.Sprintf("node%d", i), addr: l.Addr().String(), url: "http://" + l.Addr().String(), link: newSlowLink(t, c.pg.URL())}
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
		"EXPLORER_TEST_STORM=1", "LIMITS=" + stormLimits, "DATABASE_URL=" + n.link.url(), "ADDR=" + n.addr, "OPENPARLIAMENT_URL=" + n.c.source, "LEGISINFO_URL=" + n.c.source + "/legisinfo",
		fmt.Sprintf("OPENPARLIAMENT_RPS=%d", rps), fmt.Sprintf("LEGISINFO_RPS=%d", rps), fmt.Sprintf("CONCURRENCY=%d", concurrency), "LOG_LEVEL=warn",
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

// load asks for runs, each until some server has accepted it, and now and then cancels or retries one.
func (c *chaos) load(ctx context.Context, rng *rand.Rand) {
	var mine []string
	for ctx.Err() == nil {
		path, body := "/assets/monitor_fetch_operations/materialize", fmt.Sprintf(`{"config": {"hours_back": %d}}`, 1+rng.IntN(48))
		switch k := rng.IntN(100); {
		case k < 10:
			path, body = "/assets/fetch_latest_bills/materialize", fmt.Sprintf(`{"config": {"limit": %d}}`, 1+rng.IntN(60))
		case k < 16:
			path, body = "/runs", `{"assets": ["bill_statistics", "monitor_fetch_operations"]}`
		case k < 20:
			path, body = "/runs", `{"assets": ["fetch_latest_bills", "bill_statistics"]}`
		case k < 57:
			path, body = stormDraw(rng)
		case k < 60:
			path, body = stormParted(rng)
		case k < 66 && len(mine) > 0:
			id := mine[len(mine)-1-rng.IntN(min(5, len(mine)))]
			c.cancel(c.nodes[rng.IntN(3)], "/runs/", id)
			continue
		case k < 68 && len(mine) > 20:
			path, body = "/runs/"+mine[rng.IntN(len(mine)-10)]+"/retry", `{}`
		case k < 78:
			failed := c.failed(c.nodes[rng.IntN(3)])
			if len(failed) == 0 {
				continue
			}
			path, body = "/runs/"+failed[rng.IntN(len(failed))]+"/retry", `{"from_failure": true}`
		}
		key := uuid.NewString()
		for ctx.Err() == nil {
			status, raw := c.post(c.nodes[rng.IntN(3)], path, body, map[string]string{"Idempotency-Key": key})
			if status == http.StatusAccepted {
				var run struct{ ID string }
				if err := json.Unmarshal(raw, &run); err != nil {
					c.t.Errorf("%s: %s", path, raw)
				}
				c.mu.Lock()
				if before, ok := c.accepted[key]; ok && before != run.ID {
					c.t.Errorf("key %s: run %s, and then %s", key, before, run.ID)
				}
				if path != "/backfills" {
					c.accepted[key] = run.ID
				}
				c.mu.Unlock()
				if rng.IntN(20) == 0 {
					continue // again with the same key: the same run
				}
				if path == "/backfills" {
					if rng.IntN(3) == 0 {
						sleep(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
						c.cancel(c.nodes[rng.IntN(3)], "/backfills/", run.ID)
					}
					break
				}
				mine = append(mine, run.ID)
				break
			}
			if status >= 400 && status < 500 {
				if status != http.StatusConflict { // a retry of what has not ended
					c.t.Errorf("%s %s: %d %s", path, body, status, raw)
				}
				break
			}
			sleep(ctx, 50*time.Millisecond)
		}
		sleep(ctx, time.Duration(rng.IntN(150))*time.Millisecond)
	}
}

// cancel asks for a run or a backfill to be canceled.
func (c *chaos) cancel(n *chaosNode, path, id string) {
	c.mu.Lock()
	c.cancels[id] = true
	c.mu.Unlock()
	c.post(n, path+id+"/cancel", "", nil)
}

// failed are the newest runs that failed, as a server lists them.
func (c *chaos) failed(n *chaosNode) (out []string) {
	c.requests.Add(1)
	resp, err := chaosClient.Get(n.url + "/runs?status=failure&limit=50")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	c.answered(resp, raw)
	var list struct{ Items []struct{ ID string } }
	if json.Unmarshal(raw, &list) == nil {
		for _, r := range list.Items {
			out = append(out, r.ID)
		}
	}
	return out
}

// answered notes an answer.
func (c *chaos) answered(resp *http.Response, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[strconv.Itoa(resp.StatusCode)]++
	if wrongAnswer(resp) {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s: %d %s", resp.Request.Method, resp.Request.URL, resp.StatusCode, raw))
	}
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

// hurtSources has the sources fall silent, fail, and move on with time.
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

// holdLocks has somebody else hold what statements wait for.
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
	c.tell("faults?latency=0s")
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

// lastFetch brings the bills up to date, so that they can be compared with the source.
func (c *chaos) lastFetch() {
	for _, sensor := range []string{"new_bills_sensor", "fetch_failure_sensor"} { // or they start runs while we look
		if status, body := c.post(c.nodes[0], "/sensors/"+sensor+"/stop", "", nil); status != 200 {
			c.t.Errorf("stop %s: %d %s", sensor, status, body)
		}
	}
	for _, s := range c.sessions() {
		parliament, session, _ := strings.Cut(s, "-")
		status, raw := c.post(c.nodes[0], "/assets/fetch_parliament_session_bills/materialize", fmt.Sprintf(`{"config": {"parliament": %s, "session": %s}}`, parliament, session), nil)
		var run struct{ ID string }
		if status != 202 || json.Unmarshal(raw, &run) != nil {
			c.t.Fatalf("fetch %s: %d %s", s, status, raw)
		}
		c.accepted[uuid.NewString()] = run.ID
	}
	c.settle(3 * time.Minute)
}

// sourceBills are the numbers and English titles that the source has, by session.
func (c *chaos) sourceBills(session string) map[string]string {
	out := map[string]string{}
	for at := "/bills/?format=json&limit=500&session=" + session; at != ""; {
		resp, err := chaosClient.Get(c.source + at)
		if err != nil {
			c.t.Fatal(err)
		}
		var page struct {
			Objects []struct {
				Number string
				Name   map[string]string
			}
			Pagination struct {
				NextURL *string `json:"next_url"`
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil {
			c.t.Fatal(err)
		}
		for _, b := range page.Objects {
			out[b.Number] = b.Name["en"]
		}
		if at = ""; page.Pagination.NextURL != nil {
			at = *page.Pagination.NextURL
		}
	}
	return out
}

func (c *chaos) sessions() (out []string) {
	rows, err := c.db.Pool.Query(c.t.Context(), "SELECT DISTINCT split_part(id, '/', 1) FROM bills ORDER BY 1")
	if err != nil {
		c.t.Fatal(err)
	}
	if out, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// check reads the tables.
func (c *chaos) check() {
	var keys, ids []string
	for key, id := range c.accepted {
		keys, ids = append(keys, key), append(ids, id)
	}
	c.complain("accepted runs that are not there", `SELECT id FROM unnest($1::text[]) AS id WHERE NOT EXISTS (SELECT FROM runs WHERE runs.id = id::uuid)`, ids)
	c.follows()
	c.backfills()
	c.stormEnds()
	c.withinLimits()
	c.report("answers that no request may get", c.wrong, nil)
	c.complain("fetches not logged once", `SELECT s.run_id || ' ' || s.asset || ' ' || count(f.id) FROM steps s LEFT JOIN fetch_logs f ON f.run_id = s.run_id AND f.asset = s.asset AND f.status IN ('success', 'partial_success')
WHERE s.asset LIKE 'fetch%' AND s.status = 'success' GROUP BY s.run_id, s.asset HAVING count(f.id) <> 1`)
	c.complain("fetches logged that nobody did", `SELECT f.run_id || ' ' || count(*) FROM fetch_logs f GROUP BY f.run_id, f.asset
HAVING count(*) > (SELECT count(*) FROM events e WHERE e.run_id = f.run_id AND e.asset = f.asset AND e.type IN ('step_success', 'step_failure', 'step_up_for_retry', 'step_canceled'))`)
	c.complain("idempotency keys with another run", `SELECT k.key || ' ' || k.run_id FROM idempotency_keys k JOIN unnest($1::text[], $2::text[]) AS mine(key, run) ON mine.key = k.key WHERE k.run_id::text <> mine.run`, keys, ids)
	c.complain("canceled runs that nobody canceled", `SELECT id::text FROM runs WHERE status = 'canceled' AND NOT id::text = ANY($1) AND NOT coalesce(backfill_id::text = ANY($1), false)`, c.canceled())
	c.noLeaks(len(c.nodes))
	c.refused = c.pgLog.check(c.t)
	c.complain("bills with versions missing or there twice", `SELECT b.id || ' ' || b.version || ' ' || count(*) FROM bills b LEFT JOIN bill_versions v ON v.bill_id = b.id GROUP BY b.id HAVING count(*) <> b.version OR max(v.version) <> b.version`)
	c.complain("versions that change nothing", `SELECT bill_id || ' ' || version FROM bill_versions WHERE version > 1 AND changes = '[]'`)
	for _, session := range c.sessions() {
		want := c.sourceBills(session)
		got := map[string]string{}
		rows, err := c.db.Pool.Query(c.t.Context(), "SELECT doc->>'number', doc->'title'->>'en' FROM bills WHERE id LIKE $1", session+"/%")
		if err != nil {
			c.t.Fatal(err)
		}
		var number, title string
		if _, err := pgx.ForEachRow(rows, []any{&number, &title}, func() error { got[number] = title; return nil }); err != nil {
			c.t.Fatal(err)
		}
		for number, title := range want {
			if got[number] != strings.Join(strings.Fields(html.UnescapeString(title)), " ") {
				c.t.Errorf("bill %s/%s is %q, at the source %q", session, number, got[number], title)
			}
		}
	}
}

func (c *chaos) canceled() (out []string) {
	out = []string{}
	for id := range c.cancels {
		out = append(out, id)
	}
	return out
}

var workerPid = regexp.MustCompile(`worker \S+-(\d+)-[0-9a-f]{8} is dead`)

// longestRecovery is the longest time from a kill to the moment that a step of the killed process was given to another.
func (c *chaos) longestRecovery() (longest time.Duration) {
	rows, err := c.db.Pool.Query(c.t.Context(), "SELECT at, message FROM events WHERE type = 'step_requeued'")
	if err != nil {
		c.t.Fatal(err)
	}
	var at time.Time
	var message string
	_, err = pgx.ForEachRow(rows, []any{&at, &message}, func() error {
		if m := workerPid.FindStringSubmatch(message); m != nil {
			pid, _ := strconv.Atoi(m[1])
			if killed, ok := c.kills[pid]; ok {
				longest = max(longest, at.Sub(killed))
			}
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return longest
}
