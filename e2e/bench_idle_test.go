//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// idle measures what a server and a worker cost while nothing happens, in BENCH_IDLE (default 1m) after two minutes
// without work, and how late a tick and a webhook are after it: as usual, and with IDLE=deep, in the same minutes.
func (b *bench) idle() {
	wait := b.duration(os.Getenv("BENCH_IDLE"), time.Minute)
	const settle = 110 * time.Second
	usual, hooked, deep := b.idler("normal", false), b.idler("normal", true), b.idler("deep", true)
	tick := b.ticks(time.Now().Add(settle + wait + 30*time.Second))
	time.Sleep(settle)
	all := []*idler{usual, hooked, deep}
	for _, i := range all {
		i.before = i.use()
	}
	time.Sleep(wait)
	usual.report("<= 120")
	hooked.report("") // its sensor is evaluated every ten seconds
	deep.report("<= 20")
	for _, i := range all {
		i.end(i.worker)
		i.end(i.server)
	}
	b.line("a tick is late after idle minutes", ms(tick()), "<= 50 ms", "")
}

// idler is a server and a worker that have nothing to do, with a Postgres of their own.
type idler struct {
	*bench
	mode, at       string
	hook           bool // the webhook sensor runs
	db             *db.DB
	server, worker *exec.Cmd
	before         usage
}

// usage is what an idler has used at a time.
type usage struct {
	at           time.Time
	ours, theirs time.Duration // CPU time: the program's and Postgres's
	transactions int64
	switches     int // how often threads of the program have slept
}

const idleSecret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func (b *bench) idler(mode string, hook bool) *idler {
	i := &idler{bench: b, mode: mode, hook: hook, db: b.postgres()}
	env := []string{"IDLE=" + mode, "WEBHOOK_SECRETS=webhook_sensor=" + idleSecret, "LOG_LEVEL=info",
		"OPENPARLIAMENT_URL=http://127.0.0.1:1", "LEGISINFO_URL=http://127.0.0.1:1/legisinfo"}
	i.server, i.at = b.launch(i.db, "serve", env...)
	i.worker, _ = b.launch(i.db, "worker", env...)
	if hook {
		resp, err := client.Post(i.at+"/sensors/webhook_sensor/start", "application/json", nil)
		b.must(err)
		resp.Body.Close()
	}
	return i
}

func (i *idler) pids() []int { return []int{i.server.Process.Pid, i.worker.Process.Pid} }

func (i *idler) use() usage {
	return usage{at: time.Now(), ours: i.cpu(i.pids()...), theirs: i.cpu(i.backends(i.db)...),
		transactions: i.commits(i.db), switches: i.switches(i.pids()...)}
}

// report prints what the idler used since before, and how late a webhook is. transactions is how many of them are
// wanted in a minute.
func (i *idler) report(transactions string) {
	now := i.use()
	minutes := now.at.Sub(i.before.at).Minutes()
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()/minutes) }
	per := func(n float64) string { return fmt.Sprintf("%.1f", n/minutes) }
	mode := "IDLE=" + i.mode
	if i.hook {
		mode += ", webhooks"
	}
	what := " a minute, idle, " + mode
	i.line("transactions"+what, per(float64(now.transactions-i.before.transactions)), transactions, "")
	i.line("CPU of server and worker"+what, seconds(now.ours-i.before.ours), "",
		"threads slept "+per(float64(now.switches-i.before.switches))+" times a minute")
	i.line("CPU of Postgres"+what, seconds(now.theirs-i.before.theirs), "", "")
	pids := i.pids()
	i.line("memory of server and worker, idle, "+mode, fmt.Sprintf("%d MB", i.together(pids...)), "<= 50 MB",
		fmt.Sprintf("RSS %s, %s", memory(pids[0], "VmRSS"), memory(pids[1], "VmRSS")))
	if i.hook {
		i.line("a webhook's run starts after idle minutes, "+mode, ms(i.webhook()), "<= 50 ms", "")
	}
}

// duration is what a variable says, or otherwise d.
func (b *bench) duration(s string, d time.Duration) time.Duration {
	if s != "" {
		var err error
		d, err = time.ParseDuration(s)
		b.must(err)
	}
	return d
}

// count is what a variable says, or otherwise n.
func (b *bench) count(s string, n int) int {
	if s != "" {
		n = b.number(s)
	}
	return n
}

// webhook posts an event and returns how long it took until its run's first step started.
func (i *idler) webhook() time.Duration {
	b := i.bench
	w, err := standardwebhooks.NewWebhook(idleSecret)
	b.must(err)
	body := []byte(`{"type":"bench","data":{"job":"discover_sessions_job"}}`)
	now := time.Now()
	signature, err := w.Sign("bench", now, body)
	b.must(err)
	req, err := http.NewRequest(http.MethodPost, i.at+"/webhooks/webhook_sensor", strings.NewReader(string(body)))
	b.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(standardwebhooks.HeaderWebhookID, "bench")
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	resp, err := client.Do(req)
	b.must(err)
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		b.Fatalf("webhook: %s: %s", resp.Status, answer)
	}
	started := b.eventually(i.db, `SELECT min(s.started_at) FROM steps s JOIN runs r ON r.id = s.run_id
		WHERE r.trigger_kind = 'sensor'`)
	return started.Sub(now)
}

// eventually returns the time that a query gives, once it gives one.
func (b *bench) eventually(d *db.DB, sql string, args ...any) time.Time {
	var at *time.Time
	for range 3000 {
		b.must(d.Pool.QueryRow(context.Background(), sql, args...).Scan(&at))
		if at != nil {
			return *at
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatalf("nothing came of %s", sql)
	return time.Time{}
}

// ticks starts an engine that has nothing to do until the first minute after a time, when a schedule ticks. The
// function that it returns waits for that, and returns how late the run's step started.
func (b *bench) ticks(after time.Time) func() time.Duration {
	d := b.postgres()
	at := after.UTC().Truncate(time.Minute).Add(time.Minute)
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{
		Assets: []*orchestrator.Asset{orchestrator.NewAsset(orchestrator.AssetOptions{Name: "noop"},
			func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil })},
		Jobs: []*orchestrator.Job{{Name: "job", Assets: []string{"noop"}}},
		Schedules: []*orchestrator.Schedule{{Name: "once", Job: "job", TimeZone: "UTC",
			Cron: fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())}},
	})
	b.must(err)
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
		Work: true})
	b.must(err)
	ctx := context.Background()
	b.must(e.Start(ctx))
	_, err = e.SetSchedule(ctx, "once", true)
	b.must(err)
	return func() time.Duration {
		time.Sleep(time.Until(at))
		started := b.eventually(d, "SELECT min(started_at) FROM steps")
		b.must(e.Stop(ctx))
		return started.Sub(at)
	}
}

// backends are the processes of a Postgres of the bench.
func (b *bench) backends(d *db.DB) []int {
	var dir string
	b.must(d.Pool.QueryRow(context.Background(), "SHOW data_directory").Scan(&dir))
	raw, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	b.must(err)
	main, _, _ := strings.Cut(string(raw), "\n")
	pids := []int{b.number(main)}
	children, _ := exec.Command("pgrep", "-P", main).Output()
	for _, pid := range strings.Fields(string(children)) {
		pids = append(pids, b.number(pid))
	}
	return pids
}

func (b *bench) number(s string) int {
	n, err := strconv.Atoi(s)
	b.must(err)
	return n
}

// cpu is how much CPU time processes have taken, to 10 ms each. Those that have ended do not count.
func (b *bench) cpu(pids ...int) time.Duration {
	ticks := 0
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(raw), ") ")
		fields := strings.Fields(after)
		ticks += b.number(fields[11]) + b.number(fields[12])
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

var voluntary = regexp.MustCompile(`(?m)^voluntary_ctxt_switches:\s+(\d+)`)

// switches is how often threads of processes have slept.
func (b *bench) switches(pids ...int) (n int) {
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		b.must(err)
		for _, t := range threads {
			raw, _ := os.ReadFile(t)
			if m := voluntary.FindSubmatch(raw); m != nil {
				n += b.number(string(m[1]))
			}
		}
	}
	return n
}

var resident = regexp.MustCompile(`(?m)^(Rss|Anonymous):\s+(\d+)`)

// together is the memory of processes of one program in MB. The pages of its file, which they share, count once.
func (b *bench) together(pids ...int) int {
	own, file := 0, 0
	for _, pid := range pids {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		kb := map[string]int{}
		for _, m := range resident.FindAllSubmatch(raw, -1) {
			kb[string(m[1])] = b.number(string(m[2]))
		}
		own += kb["Anonymous"]
		file = max(file, kb["Rss"]-kb["Anonymous"])
	}
	return (own + file) >> 10
}

// kills has the worker of a fetch of 412 bills, 50 ms a request, killed at a random moment while another lives,
// BENCH_KILLS times (default 3): when its step goes on, and when the run ends.
func (b *bench) kills() {
	times := b.count(os.Getenv("BENCH_KILLS"), 3)
	upstream, stop := b.sources("--bills", "412", "--latency", "50ms")
	defer stop()
	rng := rand.New(rand.NewPCG(1, 1))
	var again, whole []time.Duration
	for range times {
		step, end := b.kill(upstream, time.Duration(200+rng.IntN(4300))*time.Millisecond)
		if step > 0 { // otherwise the step had ended
			again, whole = append(again, step), append(whole, end)
		}
	}
	if len(again) == 0 {
		b.Fatal("no kill came before the end of its fetch")
	}
	what := fmt.Sprintf("a worker is killed, %d times: ", len(again))
	p50, _ := quantiles(again)
	b.line(what+"the step goes on after (max)", ms(again[len(again)-1]), "<= 3 s", "median "+ms(p50))
	p50, _ = quantiles(whole)
	b.line(what+"the fetch ends after (max)", ms(whole[len(whole)-1]), "<= 12 s", "median "+ms(p50)+", from the kill")
}

// kill is one of kills. It checks that nothing is lost and nothing is there twice.
func (b *bench) kill(upstream string, after time.Duration) (step, end time.Duration) {
	d := b.postgres()
	// When Postgres has just started, only heartbeats tell who is dead.
	b.eventually(d, "SELECT CASE WHEN pg_postmaster_start_time() < now() - interval '12 seconds' THEN now() END")
	ctx := context.Background()
	env := []string{"OPENPARLIAMENT_URL=" + upstream, "LEGISINFO_URL=" + upstream + "/legisinfo", "LEGISINFO_RPS=0",
		"OPENPARLIAMENT_RPS=0", "LOG_LEVEL=info"}
	server, at := b.launch(d, "serve", env...)
	defer b.end(server)
	workers := map[int]*exec.Cmd{}
	for range 2 {
		worker, _ := b.launch(d, "worker", env...)
		workers[worker.Process.Pid] = worker
		defer b.end(worker)
	}
	// They look for each other's sessions once their own has lasted for three seconds.
	b.eventually(d, `SELECT CASE WHEN count(session_start) = 2 AND max(session_start) < now() - interval '4 seconds'
		THEN now() END FROM workers`)
	resp, err := client.Post(at+"/assets/fetch_parliament_session_bills/materialize", "application/json",
		strings.NewReader(`{"config":{"parliament":44,"session":1}}`))
	b.must(err)
	var run struct{ ID string }
	b.must(json.NewDecoder(resp.Body).Decode(&run))
	resp.Body.Close()
	time.Sleep(after)
	var worker string
	b.must(d.Pool.QueryRow(ctx, "SELECT worker_id FROM steps WHERE run_id = $1", run.ID).Scan(&worker))
	parts := strings.Split(worker, "-")
	killed := time.Now()
	b.must(workers[b.number(parts[len(parts)-2])].Process.Signal(syscall.SIGKILL))
	ended := b.eventually(d, "SELECT ended_at FROM runs WHERE id = $1", run.ID)
	var started time.Time
	var bills, materializations int
	var status string
	b.must(d.Pool.QueryRow(ctx, `SELECT (SELECT max(at) FROM events WHERE run_id = $1 AND type = 'step_started'),
		(SELECT count(*) FROM bills WHERE parliament = 44), (SELECT count(*) FROM materializations WHERE run_id = $1),
		(SELECT status FROM runs WHERE id = $1)`, run.ID).Scan(&started, &bills, &materializations, &status))
	if bills != 412 || materializations != 1 || status != "success" {
		b.Errorf("killed after %s: %d bills, %d materializations, %s", after, bills, materializations, status)
	}
	return started.Sub(killed), ended.Sub(killed)
}
