//go:build unix

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
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
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestFaults is `make faults`: two servers and two workers under load while the database has trouble of one kind. What
// was accepted is counted by the client, and compared with the tables: each run that was accepted ended as it had to,
// and there is no other. EXPLORER_FAULTS says for how long each fault lasts, FAULTS_RUNS how many runs there are to be
// with each, FAULTS_SEED with which draws. Without EXPLORER_FAULTS it is a short version of some of them, with one
// server and one worker.
func TestFaults(t *testing.T) {
	t.Parallel()
	dbtest.Measures(t)
	length, runs, seed := 2*time.Second, 40, uint64(1)
	long := os.Getenv("EXPLORER_FAULTS") != ""
	if long {
		var err error
		if length, err = time.ParseDuration(os.Getenv("EXPLORER_FAULTS")); err != nil {
			t.Fatal(err)
		}
		runs = 1000
	}
	if s := os.Getenv("FAULTS_RUNS"); s != "" {
		runs, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("FAULTS_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	var accepted, right atomic.Int64
	for _, fault := range []fault{
		{name: "disk full", short: true, small: "data", least: 10 * time.Second, during: (*faulty).fillDisk, shows: []string{"53100"}},
		{
			name: "WAL full", small: "wal", settings: map[string]string{"max_wal_size": "64MB"},
			during: (*faulty).fillWAL, crashes: true, shows: []string{"53100"},
		},
		{
			name: "connections full", short: true, settings: map[string]string{"max_connections": "30"},
			during: (*faulty).takeConnections, shows: []string{"53300", "57P01"},
		},
		{name: "serializable role", before: (*faulty).serializable},
		{
			name: "serializable role behind a pooler", before: (*faulty).serializable,
			pooled: true, shows: []string{"40001"},
		},
		{name: "restarts", short: true, during: (*faulty).restart, crashes: true, shows: []string{"57P01"}},
	} {
		if !long && !fault.short {
			continue
		}
		t.Run(fault.name, func(t *testing.T) {
			each := 2 // servers, and workers
			if !long {
				t.Parallel() // the long version gives each fault the whole machine
				each = 1
			}
			f := newFaulty(t, fault, each, rand.New(rand.NewPCG(seed, 0)))
			f.storm(seed, length, runs)
			a, r := f.check()
			accepted.Add(a)
			right.Add(r)
		})
	}
	t.Cleanup(func() {
		fmt.Printf("faults: %d runs accepted in all, %d ended as they had to\n", accepted.Load(), right.Load())
	})
}

// fault is one kind of trouble that the database has.
type fault struct {
	name     string
	short    bool // it is in the short version
	settings map[string]string
	// small is what is on a small disk: "data" or "wal".
	small string
	// before is called before any process starts.
	before func(*faulty)
	// least is how long it lasts at least, in the short version too.
	least time.Duration
	// during makes the trouble until ctx ends, and heals it.
	during func(*faulty, context.Context)
	// crashes says that Postgres may lose what it said to have written, where it was told that it may.
	crashes bool
	// pooled says that PgBouncer is in between, in transaction mode: settings of a session do not hold.
	pooled bool
	// shows are the codes of the refusals that show that the fault was there.
	shows []string
}

// faulty is a deployment whose database has trouble.
type faulty struct {
	*ledger
	fault    fault
	rng      *rand.Rand
	pg       *embedded.Server
	pgDir    string
	pgLog    serverLog
	disk     string // the small one
	url      string // of the database, for the processes
	direct   string // the same without what is in between
	servers  []string
	requests atomic.Int64

	mu      sync.Mutex
	wants   map[string]string // run -> how it is to end
	answers map[string]int
	wrong   []string
	down    time.Duration // how long the fault was there
}

// smallDisk is how large the small disk is.
const smallDisk = 160 << 20

// newFaulty starts Postgres, on a small disk if the fault needs one, and the processes. It is long, because each needs
// what was started before.
func newFaulty(t *testing.T, fault fault, each int, rng *rand.Rand) *faulty {
	dir, err := os.MkdirTemp("", "explorer-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		} else {
			t.Logf("logs of the processes are in %s", dir)
		}
	})
	f := &faulty{
		ledger: &ledger{t: t}, fault: fault, rng: rng,
		pgDir: filepath.Join(dir, "postgres"), pgLog: serverLog{filepath.Join(dir, "log")}, disk: filepath.Join(dir, "disk"),
		wants: map[string]string{}, answers: map[string]int{},
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(f.pgLog.dir, 0o777), os.Chmod(f.pgLog.dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	settings := f.pgLog.settings()
	if each == 1 {
		settings["fsync"] = "off" // the machine itself does not crash
	}
	maps.Copy(settings, fault.settings)
	if fault.small != "" {
		f.mount()
	}
	start := func() {
		cfg := embedded.Config{Dir: f.pgDir, Logger: slog.New(slog.DiscardHandler), Settings: settings}
		if f.pg, err = embedded.Start(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if fault.small == "data" {
		f.pgDir = filepath.Join(f.disk, "postgres")
	}
	if start(); fault.small != "" {
		if err := f.pg.Stop(); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "wal")
		if fault.small == "wal" {
			to = filepath.Join(f.disk, "wal")
		}
		f.moveWAL(to)
		start()
	}
	t.Cleanup(func() { _ = f.pg.Stop() })
	if f.db, err = db.Open(t.Context(), db.Config{URL: f.pg.URL(), MaxConns: 4, ApplicationName: "ledger"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.db.Close)
	if _, err := f.db.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Pool.Exec(t.Context(), stormTable); err != nil {
		t.Fatal(err)
	}
	if f.url = f.pg.URL(); fault.pooled {
		f.direct, f.url = f.url, newPgbouncer(t, f.url, "pool_mode = transaction\nmax_client_conn = 500\n").url
	}
	if fault.before != nil {
		fault.before(f)
	}
	for i := range 2 * each {
		name, command, addr := fmt.Sprintf("worker%d", i), "worker", freeAddr(t)
		env := []string{"HEALTH_ADDR=" + addr}
		if i < each {
			name, command, env = fmt.Sprintf("server%d", i), "serve", []string{"ADDR=" + addr}
			f.servers = append(f.servers, "http://"+addr)
		}
		log := filepath.Join(dir, name+".log")
		f.run(log, env, command)
		eventually(t, 30*time.Second, name+" is ready", func() bool {
			raw, _ := os.ReadFile(log)
			return strings.Contains(string(raw), "msg=ready")
		})
	}
	return f
}

// run starts a process of the deployment. None of them may end before the test does.
func (f *faulty) run(logFile string, env []string, command string) {
	cmd := program(f.t, append(env, "EXPLORER_TEST_STORM=1", "LIMITS="+stormLimits, "DATABASE_URL="+f.url,
		"DATABASE_DIRECT_URL="+f.direct,
		"CONCURRENCY=16", "OPENPARLIAMENT_URL=http://127.0.0.1:1", "LEGISINFO_URL=http://127.0.0.1:1/legisinfo"), command)
	log, err := os.Create(logFile)
	if err != nil {
		f.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	f.t.Cleanup(func() {
		select {
		case <-gone:
			f.t.Errorf("%s ended by itself", filepath.Base(logFile))
		default:
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(15*time.Second, func() { f.t.Errorf("%s does not stop", logFile); _ = cmd.Process.Kill() })
		<-gone
		kill.Stop()
		log.Close()
	})
}

// mount makes the small disk.
func (f *faulty) mount() {
	if err := os.Mkdir(f.disk, 0o755); err != nil {
		f.t.Fatal(err)
	}
	mount := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=1777", smallDisk), "tmpfs", f.disk)
	if out, err := mount.CombinedOutput(); err != nil {
		f.t.Skipf("a small disk cannot be mounted here (root on Linux can): %v: %s", err, out)
	}
	f.t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", f.disk).CombinedOutput(); err != nil {
			f.t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// moveWAL moves the WAL of the server, which is stopped, to another folder.
func (f *faulty) moveWAL(to string) {
	wal := filepath.Join(f.pgDir, "pg_wal")
	if out, err := exec.Command("cp", "-a", wal, to).CombinedOutput(); err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
	if err := errors.Join(os.RemoveAll(wal), os.Symlink(to, wal)); err != nil {
		f.t.Fatal(err)
	}
}

// ballast takes all that is free on the small disk, again and again, until ctx ends; then it gives it back.
func (f *faulty) ballast(ctx context.Context, every func()) {
	name := filepath.Join(f.disk, "ballast")
	file, err := os.Create(name)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer os.Remove(name)
	defer file.Close()
	block := make([]byte, 1<<20)
	for ctx.Err() == nil {
		for size := len(block); size >= 4096; size /= 2 {
			for {
				if _, err := file.Write(block[:size]); err != nil {
					break
				}
			}
		}
		every()
		sleep(ctx, 50*time.Millisecond)
	}
}

// fillDisk asks the servers meanwhile whether they are ready: they are not, and are again afterwards.
func (f *faulty) fillDisk(ctx context.Context) {
	full := false
	f.ballast(ctx, func() {
		if full {
			return
		}
		status, raw := f.ready()
		full = status == http.StatusServiceUnavailable && strings.Contains(string(raw), "disk of the database is full")
	})
	if !full {
		f.t.Error("the disk was full, and the server said that it was ready")
	}
	eventually(f.t, time.Minute, "the server is ready again", func() bool {
		status, _ := f.ready()
		return status == http.StatusOK
	})
}

// ready asks the first server whether it is ready.
func (f *faulty) ready() (status int, raw []byte) {
	resp, err := faultsClient.Get(f.servers[0] + "/readyz")
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	raw, _ = io.ReadAll(resp.Body)
	return resp.StatusCode, raw
}

// fillWAL writes into the WAL what is of no use to anybody. Postgres panics once it finds no room, and whenever it
// finds none on its next start.
func (f *faulty) fillWAL(ctx context.Context) {
	f.ballast(ctx, func() {
		for ctx.Err() == nil {
			_, err := f.db.Pool.Exec(ctx, "SELECT pg_logical_emit_message(false, 'ballast', repeat('x', 4000000))")
			if err != nil {
				return
			}
		}
	})
}

// takeConnections takes all connections that there are, the program's too, and now and then gives some back.
func (f *faulty) takeConnections(ctx context.Context) {
	var held []*pgx.Conn
	release := func(n int) {
		for _, c := range held[:n] {
			_ = c.Close(context.Background())
		}
		held = held[n:]
	}
	defer func() { release(len(held)) }()
	for ctx.Err() == nil {
		c, err := pgx.Connect(ctx, f.pg.URL()+" application_name=hog")
		if err == nil {
			held = append(held, c)
			continue
		}
		// Whatever ctx does: the connection that it is asked on could not be had again.
		_, err = f.db.Pool.Exec(f.t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'explorer' ORDER BY random() LIMIT 6`)
		if err != nil {
			f.t.Error(err)
		}
		if f.rng.IntN(10) == 0 {
			release(min(len(held), f.rng.IntN(12)))
			sleep(ctx, time.Duration(f.rng.IntN(1000))*time.Millisecond)
		}
	}
}

// serializable gives the program's role and database another isolation level than it wants.
func (f *faulty) serializable() {
	for _, sql := range []string{
		"ALTER ROLE explorer SET default_transaction_isolation = 'serializable'",
		"ALTER DATABASE explorer SET default_transaction_isolation = 'serializable'",
	} {
		if _, err := f.db.Pool.Exec(f.t.Context(), sql); err != nil {
			f.t.Fatal(err)
		}
	}
	c, err := pgx.Connect(f.t.Context(), f.pg.URL())
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close(f.t.Context())
	var level string
	if err := c.QueryRow(f.t.Context(), "SHOW transaction_isolation").Scan(&level); err != nil || level != "serializable" {
		f.t.Fatalf("the isolation level is %q: %v", level, err)
	}
}

// restart stops Postgres in order and at once, in turn.
func (f *faulty) restart(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		signalPostgres(f.pgDir, []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}[i%2])
		sleep(ctx, time.Duration(1500+f.rng.IntN(4000))*time.Millisecond)
	}
}

// storm puts load on the servers: a fifth of the runs before the fault, some while it lasts, the rest afterwards.
func (f *faulty) storm(seed uint64, length time.Duration, runs int) {
	ctx, stop := context.WithCancel(f.t.Context())
	defer stop()
	var load sync.WaitGroup
	for i := range 16 {
		rng := rand.New(rand.NewPCG(seed, 1+uint64(i)))
		load.Go(func() { f.load(ctx, rng) })
	}
	eventually(f.t, time.Minute, "a fifth of the runs is accepted", func() bool { return f.accepted() >= runs/5 })
	began := time.Now()
	trouble, heal := context.WithTimeout(f.t.Context(), max(length, f.fault.least))
	if f.fault.during != nil {
		f.fault.during(f, trouble)
	}
	<-trouble.Done()
	heal()
	f.down = time.Since(began)
	eventually(f.t, 3*time.Minute, "all runs are accepted", func() bool { return f.accepted() >= runs })
	stop()
	load.Wait()
}
