package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestTopology starts what docker-compose.yml describes as processes of this machine, two servers, two workers and one
// Postgres with its settings, and has hundreds of clients ask for a run at once: each is accepted, and succeeds.
func TestTopology(t *testing.T) {
	t.Parallel()
	shipped := newTopology(t, layout{})
	shipped.burst(400)
	shipped.ready()
}

// TestTopologyFewConnections is the same on a Postgres that allows twenty connections.
func TestTopologyFewConnections(t *testing.T) {
	t.Parallel()
	few := newTopology(t, layout{settings: map[string]string{"max_connections": "20"}})
	few.burst(200)
	few.ready()
}

// TestTopologyOfTooMany makes every process request more connections than there are in all: they wait for each other.
func TestTopologyOfTooMany(t *testing.T) {
	t.Parallel()
	many := newTopology(t, layout{
		// A process that finds no connection free for long at its start ends, and says so.
		settings: map[string]string{"max_connections": "30"}, env: []string{"DATABASE_CONNECTIONS=30"}, restarts: true,
	})
	many.burst(200)
	many.ready()
}

// layout is how a topology differs from the one that is shipped.
type layout struct {
	// settings of Postgres, beside those of docker-compose.yml.
	settings map[string]string
	// env of every process.
	env []string
	// between puts something between the processes and Postgres. It gives what replaces DATABASE_URL.
	between func(url string) (env []string)
	// restarts starts a process that ended again, as the service's restart policy has it. Without, none may end.
	restarts bool
}

// topology is a deployment as docker-compose.yml describes it.
type topology struct {
	*ledger
	dir     string
	pg      *embedded.Server
	pgLog   serverLog
	env     []string // of commands
	servers []string
	probes  []string // of all processes
	// restarts is the layout's.
	restarts bool
	key      string
}

var postgresSetting = regexp.MustCompile(`^([a-z_]+)=(.*)$`)

// newTopology starts the services of docker-compose.yml as processes. It is long, because each needs what was started
// before.
func newTopology(t *testing.T, how layout) *topology {
	dbtest.Measures(t) // many processes
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "..", ConfigFiles: []types.ConfigFile{{Filename: "../docker-compose.yml"}},
		Environment: types.Mapping{"POSTGRES_PASSWORD": "secret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tp := &topology{ledger: &ledger{t: t}, restarts: how.restarts}
	if tp.dir, err = os.MkdirTemp("", "explorer-topology-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(tp.dir)
		} else {
			t.Logf("logs of the processes are in %s", tp.dir)
		}
	})
	tp.pgLog = serverLog{filepath.Join(tp.dir, "log")}
	if err := errors.Join(os.Chmod(tp.dir, 0o755), os.Mkdir(tp.pgLog.dir, 0o777),
		os.Chmod(tp.pgLog.dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	settings := tp.pgLog.settings()
	settings["max_connections"], settings["fsync"] = "100", "off" // Postgres's default; the machine does not crash
	postgres := project.Services["postgres"]
	for _, word := range postgres.Command {
		if m := postgresSetting.FindStringSubmatch(word); m != nil {
			settings[m[1]] = m[2]
		}
	}
	maps.Copy(settings, how.settings)
	tp.pg, err = embedded.Start(t.Context(), embedded.Config{
		Dir: filepath.Join(tp.dir, "postgres"), Logger: slog.New(slog.DiscardHandler), Settings: settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tp.pg.Stop() })
	// Not a superuser, for whom Postgres keeps some connections.
	admin, err := db.Open(t.Context(), db.Config{URL: tp.pg.URL(), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"CREATE ROLE app LOGIN", "ALTER DATABASE explorer OWNER TO app",
		"ALTER SCHEMA public OWNER TO app"} {
		if _, err := admin.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	admin.Close()
	url := strings.Replace(tp.pg.URL(), "user=explorer", "user=app", 1)
	tp.env = append([]string{"DATABASE_URL=" + url}, how.env...)
	if how.between != nil {
		tp.env = append(how.between(url), how.env...)
	}
	if res := run(t, tp.env, "migrate", "up"); res.code != 0 {
		t.Fatalf("migrate up: %d: %s", res.code, res.err)
	}
	res := run(t, tp.env, "keys", "create", "burst", "--scope", "admin")
	if tp.key = regexp.MustCompile(`pex_\w+`).FindString(res.out); tp.key == "" {
		t.Fatalf("keys create: %d: %s%s", res.code, res.out, res.err)
	}
	for _, name := range []string{"worker", "server"} {
		service, err := project.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range service.GetScale() {
			tp.start(fmt.Sprintf("%s%d", name, i), service)
		}
	}
	if tp.db, err = db.Open(t.Context(), db.Config{URL: tp.pg.URL(), MaxConns: 1, ApplicationName: "ledger"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tp.db.Close)
	return tp
}

// start starts a process as the service says. It may not end before the test does. It is long, because it also restarts
// the process and stops it at the end.
func (tp *topology) start(name string, service types.ServiceConfig) {
	var env []string
	addr := freeAddr(tp.t)
	for variable, value := range service.Environment {
		switch {
		case variable == "ADDR" || variable == "HEALTH_ADDR":
			env = append(env, variable+"="+addr)
		case variable == "DATABASE_URL" || variable == "PGPASSWORD" || value == nil || *value == "":
		default:
			env = append(env, variable+"="+*value)
		}
	}
	if tp.probes = append(tp.probes, "http://"+addr); service.Command[0] == "serve" {
		tp.servers = append(tp.servers, "http://"+addr)
	}
	env = append(append(env, tp.env...), "OPENPARLIAMENT_URL=http://127.0.0.1:1",
		"LEGISINFO_URL=http://127.0.0.1:1/legisinfo")
	file := filepath.Join(tp.dir, name+".log")
	log, err := os.Create(file)
	if err != nil {
		tp.t.Fatal(err)
	}
	var mu sync.Mutex // of the two below
	var cmd *exec.Cmd
	stopping := false
	launch := func() bool {
		mu.Lock()
		defer mu.Unlock()
		if stopping {
			return false
		}
		cmd = program(tp.t, env, service.Command...)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			tp.t.Error(err)
			return false
		}
		return true
	}
	if !launch() {
		tp.t.FailNow()
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for _ = cmd.Wait(); tp.restarts && launch(); _ = cmd.Wait() {
			tp.t.Logf("%s was started again", name)
		}
	}()
	tp.t.Cleanup(func() {
		select {
		case <-gone:
			raw, _ := os.ReadFile(file)
			tp.t.Errorf("%s ended by itself: %s", name, raw[max(0, len(raw)-500):])
		default:
		}
		mu.Lock()
		stopping = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		mu.Unlock()
		kill := time.AfterFunc(15*time.Second, func() { tp.t.Errorf("%s does not stop", name); _ = cmd.Process.Kill() })
		<-gone
		kill.Stop()
		log.Close()
	})
	eventually(tp.t, 2*time.Minute, name+" is ready", func() bool {
		raw, _ := os.ReadFile(file)
		return regexp.MustCompile(`"?msg"?[=:]"?ready`).Match(raw)
	})
}

// burst makes the clients request a run at the same time. None is refused, and every run succeeds.
func (tp *topology) burst(clients int) {
	tp.t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var refused []string
	wants := map[string]bool{}
	began := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			id, err := tp.ask(client, tp.servers[i%len(tp.servers)])
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, err.Error())
				return
			}
			wants[id] = true
		})
	}
	all.Wait()
	answered := time.Since(began)
	tp.report("requests that were refused", refused, nil)
	tp.settle(2 * time.Minute)
	fmt.Printf("topology: %d of %d accepted within %s, all ended within %s; Postgres refused %v; most connections %d\n",
		len(wants), clients,
		answered.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), tp.pgLog.check(tp.t),
		tp.count("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"))
	if n := tp.count("SELECT count(*) FROM runs WHERE id::text = ANY($1)",
		slices.Collect(maps.Keys(wants))); n != len(wants) {
		tp.t.Errorf("of %d runs that were accepted, %d are there", len(wants), n)
	}
	tp.complain("runs that did not succeed", `
SELECT r.id || ' ' || r.status || ': ' || coalesce(s.error::text, '') FROM runs r JOIN steps s ON s.run_id = r.id
WHERE r.status <> 'success'`)
	tp.follows()
}

func (tp *topology) ask(client *http.Client, server string) (id string, err error) {
	req, err := http.NewRequest(http.MethodPost, server+"/assets/monitor_fetch_operations/materialize",
		strings.NewReader(`{}`))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+tp.key)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("%s: %s", resp.Status, raw)
	}
	var run struct{ ID string }
	err = json.Unmarshal(raw, &run)
	return run.ID, err
}

// ready waits until every process reports that it is ready.
func (tp *topology) ready() {
	tp.t.Helper()
	for _, probe := range tp.probes {
		if res := run(tp.t, nil, "ready", probe); res.code != 0 {
			tp.t.Errorf("%s: %s%s", probe, res.out, res.err)
		}
	}
}

// freeAddr is a loopback address that nothing listens on.
func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
