//go:build unix

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process measures the built program as it is run: its size, its starts, its memory, and a whole session. It is long,
// because each measurement goes on with the process of the one before.
func (b *bench) process() {
	dir, err := os.MkdirTemp("", "explorer-bench-")
	b.must(err)
	b.must(os.Chmod(dir, 0o755))
	defer os.RemoveAll(dir)
	bin := b.binary()
	info, err := os.Stat(bin)
	b.must(err)
	b.line("binary, stripped", fmt.Sprintf("%d MB", info.Size()>>20), "<= 60 MB", "")

	env := append(os.Environ(), "DATA_DIR="+filepath.Join(dir, "data"), "ADDR=127.0.0.1:0", "OPENPARLIAMENT_RPS=0",
		"LEGISINFO_RPS=0")
	var control string
	if _, err := os.Stat("../../shared/replay"); err == nil {
		replay := filepath.Join(dir, "replay")
		build := exec.Command("go", "build", "-o", replay, ".")
		build.Dir = "../../shared/replay"
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		cmd := exec.Command(replay, "-control", "127.0.0.1:0", "-openparliament", "127.0.0.1:0", "-legisinfo", "127.0.0.1:0",
			"-corpus", "../../shared/replay/corpus")
		stderr, err := cmd.StderrPipe()
		b.must(err)
		b.must(cmd.Start())
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		urls := map[string]string{}
		read(stderr, `(control|openparliament|legisinfo) on (http://\S+)`, func(m []string) bool {
			urls[m[1]] = m[2]
			return len(urls) < 3
		})
		control = urls["control"]
		env = append(env, "OPENPARLIAMENT_URL="+urls["openparliament"], "LEGISINFO_URL="+urls["legisinfo"]+"/legisinfo")
	}
	start := func() (*exec.Cmd, string, time.Duration) {
		cmd := exec.Command(bin, "dev")
		cmd.Env = env
		stderr, err := cmd.StderrPipe()
		b.must(err)
		began := time.Now()
		b.must(cmd.Start())
		var url string
		read(stderr, `msg=ready url=(http://\S+)`, func(m []string) bool { url = m[1]; return false })
		took := time.Since(began)
		go io.Copy(io.Discard, stderr)
		return cmd, url, took
	}
	stop := func(cmd *exec.Cmd) time.Duration {
		began := time.Now()
		b.must(cmd.Process.Signal(syscall.SIGTERM))
		b.must(cmd.Wait())
		took := time.Since(began)
		b.ended(cmd)
		return took
	}
	cmd, _, first := start()
	stop(cmd)
	cmd, url, later := start()
	b.line("first start (initdb) to ready", ms(first), "<= 5 s", "")
	b.line("later start to ready", ms(later), "<= 1.5 s", "")
	<-time.After(8 * time.Second) // after five, it returns what its start needed
	b.line("memory when idle (RSS, Postgres not counted)", memory(cmd.Process.Pid, "VmRSS"), "<= 60 MB", "")
	if control != "" {
		b.session(url, control)
		b.line("peak memory after that (RSS, Postgres not counted)", memory(cmd.Process.Pid, "VmHWM"), "<= 150 MB", "")
	}
	b.line("SIGTERM to the end", ms(stop(cmd)), "<= 10 s", "")
}

// session fetches session 44-1 and then the latest bills twice, and counts what the sources were asked.
func (b *bench) session(url, control string) {
	materialize := func(asset, config string) time.Duration {
		began := time.Now()
		resp, err := client.Post(url+"/assets/"+asset+"/materialize", "application/json",
			strings.NewReader(`{"config":`+config+`}`))
		b.must(err)
		var run struct{ ID string }
		b.must(json.NewDecoder(resp.Body).Decode(&run))
		resp.Body.Close()
		req, err := http.NewRequest("GET", url+"/runs/"+run.ID+"/events", nil)
		b.must(err)
		req.Header.Set("Accept", "text/event-stream")
		if resp, err = client.Do(req); err == nil {
			log, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if !bytes.Contains(log, []byte("event: run_success")) {
				b.Errorf("%s did not succeed: %s", asset, log)
			}
		}
		return time.Since(began)
	}
	requests := func() string {
		resp, err := client.Get(control + "/stats")
		b.must(err)
		defer resp.Body.Close()
		var s struct {
			OpenParliament, Legisinfo struct {
				Requests int
				ByPath   map[string]int `json:"by_path"`
			}
		}
		b.must(json.NewDecoder(resp.Body).Decode(&s))
		resp, err = client.Post(control+"/reset", "", nil)
		b.must(err)
		resp.Body.Close()
		lists := 0
		for path, n := range s.Legisinfo.ByPath {
			if strings.Contains(path, "bills/json") {
				lists += n
			}
		}
		return fmt.Sprintf("%d / %d + %d", s.OpenParliament.Requests, lists, s.Legisinfo.Requests-lists)
	}
	b.line("session 44-1: 412 bills with all details, no rate limit",
		ms(materialize("fetch_parliament_session_bills", `{"parliament":44,"session":1}`)), "<= 4 s", "")
	requests()
	materialize("fetch_latest_bills", `{"limit":50}`)
	b.line("requests of a first fetch_latest_bills (OP / LEGISinfo lists + details)", requests(), "3 / 1 + 50", "")
	materialize("fetch_latest_bills", `{"limit":50}`)
	b.line("requests of a second one", requests(), "2 / 1 + 0", "")
}

func memory(pid int, field string) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "unknown here"
	}
	m := regexp.MustCompile(field + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return "unknown here"
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return fmt.Sprintf("%d MB", kb>>10)
}
