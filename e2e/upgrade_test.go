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
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestUpgrade replaces the program of before the newest migration by this one while it is used: the database is
// migrated under the old server and worker, old and new work side by side, the old ones stop. Every request is
// answered, and every run that was accepted ends once. UPGRADE_FROM names another commit to come from.
func TestUpgrade(t *testing.T) {
	dbtest.Measures(t)
	if testing.Short() {
		t.Skip("builds another version of the program")
	}
	from := os.Getenv("UPGRADE_FROM")
	if from == "" {
		// as it landed
		last, err := exec.Command("git", "log", "-1", "--first-parent", "-m", "--diff-filter=A", "--format=%H", "--",
			"../db/migrations").Output()
		if err != nil || len(last) == 0 {
			t.Skip("not a checkout")
		}
		from = strings.TrimSpace(string(last)) + "^"
	}
	if err := exec.Command("git", "cat-file", "-e", from+"^{tree}").Run(); err != nil {
		t.Skipf("%s is not in this checkout", from)
	}
	dir, err := os.MkdirTemp("", "explorer-upgrade-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	old := filepath.Join(dir, "explorer-old")
	source := filepath.Join(dir, "source")
	if out, err := exec.Command("sh", "-c",
		`mkdir "$2" && git -C .. archive "$1" | tar -x -C "$2" && cd "$2" && go build -buildvcs=false -o "$3" .`, "sh", from,
		source, old).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", from, err, out)
	}

	pg, err := embedded.Start(t.Context(), embedded.Config{Dir: filepath.Join(dir, "postgres"),
		Logger: slog.New(slog.DiscardHandler), Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Stop() })
	sources := program(t, nil, "simulate", "--addr", "127.0.0.1:0")
	r, w := io.Pipe()
	sources.Stdout, sources.Stderr = w, w
	if err := sources.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sources.Process.Kill(); _ = sources.Wait() })
	var upstream string
	read(r, `OPENPARLIAMENT_URL=(\S+)`, func(m []string) bool { upstream = m[1]; return false })
	go io.Copy(io.Discard, r)

	// command is the old program or this one, with the same environment.
	command := func(bin string, env []string, args ...string) *exec.Cmd {
		cmd := program(t, append([]string{"DATABASE_URL=" + pg.URL(), "OPENPARLIAMENT_URL=" + upstream, "LEGISINFO_URL=" +
			upstream + "/legisinfo", "OPENPARLIAMENT_RPS=0", "LEGISINFO_RPS=0", "LOG_LEVEL=warn"}, env...), args...)
		if bin != "" {
			cmd.Path, cmd.Args[0] = bin, bin
		}
		return cmd
	}
	migrate := func(bin string) {
		t.Helper()
		if out, err := command(bin, nil, "migrate", "up").CombinedOutput(); err != nil {
			t.Fatalf("migrate: %v: %s", err, out)
		}
	}
	start := func(bin string) (url string, stop func()) {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		var running []*exec.Cmd
		for _, role := range []string{"serve", "worker"} {
			cmd := command(bin, []string{"ADDR=" + addr}, role)
			log := &strings.Builder{}
			cmd.Stdout, cmd.Stderr = log, log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			running = append(running, cmd)
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				if t.Failed() {
					t.Logf("%s %s: %s", filepath.Base(cmd.Path), role, log)
				}
			})
		}
		url = "http://" + addr
		eventually(t, 90*time.Second, url+" is ready, with a worker", func() bool {
			resp, err := chaosClient.Get(url + "/readyz")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			raw, _ := io.ReadAll(resp.Body)
			return resp.StatusCode == http.StatusOK && !strings.Contains(string(raw), `"0 alive"`)
		})
		return url, func() {
			for _, cmd := range running {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
			for _, cmd := range running {
				if err := cmd.Wait(); err != nil {
					t.Errorf("stop: %v", err)
				}
			}
		}
	}

	d, err := db.Open(t.Context(), db.Config{URL: pg.URL(), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	count := func(sql string, args ...any) (n int) {
		t.Helper()
		if err := d.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	migrate(old)
	oldURL, stopOld := start(old)

	// Somebody uses whichever servers there are, all the time; but asks for no more while the workers are behind, or each
	// wait below would be for all that is queued before.
	var mu sync.Mutex
	urls := []string{oldURL}
	use := func(u ...string) { mu.Lock(); urls = u; mu.Unlock() }
	accepted := map[string]bool{}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var load sync.WaitGroup
	for i := range 3 {
		load.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if count("SELECT count(*) FROM runs WHERE ended_at IS NULL") >= 20 {
					sleep(ctx, 20*time.Millisecond)
					continue
				}
				mu.Lock()
				base := urls[n%len(urls)]
				path := []string{"/assets/monitor_fetch_operations/materialize",
					"/assets/fetch_latest_bills/materialize"}[min(1, n%10/9)]
				resp, err := chaosClient.Post(base+path, "application/json", strings.NewReader(`{}`))
				mu.Unlock() // so that a server that is taken away is asked nothing any more
				if err != nil {
					t.Errorf("%s: %v", base+path, err)
					return
				}
				var run struct{ ID string }
				raw, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted || json.Unmarshal(raw, &run) != nil {
					t.Errorf("%s: %d %s", base+path, resp.StatusCode, raw)
					return
				}
				mu.Lock()
				accepted[run.ID] = true
				mu.Unlock()
				if resp, err := chaosClient.Get(base + "/runs/" + run.ID); err == nil {
					if resp.Body.Close(); resp.StatusCode >= 500 {
						t.Errorf("read of a run: %s", resp.Status)
					}
				}
				sleep(ctx, 20*time.Millisecond)
			}
		})
	}
	more := func(what string) {
		t.Helper()
		after := count("SELECT count(*) FROM runs WHERE status = 'success'") + 30
		eventually(t, 90*time.Second, strconv.Itoa(after)+" runs "+what, func() bool {
			return count("SELECT count(*) FROM runs WHERE status = 'success'") >= after
		})
	}
	more("by the old program")
	migrate("")
	more("by the old program on the new schema")
	newURL, _ := start("")
	use(oldURL, newURL)
	workers := count("SELECT count(*) FROM workers")
	eventually(t, 90*time.Second, "both have done some", func() bool {
		return count("SELECT count(DISTINCT worker_id) FROM steps WHERE started_at > now() - interval '1 minute'") >= workers
	})
	more("side by side")
	use(newURL)
	stopOld()
	more("by the new program")
	end()
	load.Wait()
	eventually(t, 90*time.Second, "every run has ended",
		func() bool { return count("SELECT count(*) FROM runs WHERE ended_at IS NULL") == 0 })
	ids := []uuid.UUID{}
	for id := range accepted {
		ids = append(ids, uuid.MustParse(id))
	}
	if n := count("SELECT count(*) FROM runs WHERE id = ANY($1) AND status = 'success'", ids); n != len(ids) {
		t.Errorf("%d of %d runs succeeded", n, len(ids))
	}
	if n := count(`SELECT count(*) FROM (SELECT r.id FROM runs r LEFT JOIN events e ON e.run_id = r.id GROUP BY r.id
HAVING count(*) FILTER (WHERE e.type = 'run_enqueued') <> 1 OR count(*) FILTER (WHERE e.type = 'run_success') <> 1
OR count(*) FILTER (WHERE e.type = 'materialization') <> 1) AS wrong`); n != 0 {
		t.Errorf("%d runs whose events are missing or there twice", n)
	}
	fmt.Printf("upgrade from %.12s: %d runs\n", from, len(ids))
}
