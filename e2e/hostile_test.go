//go:build unix

package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// besieged is a server under attack: a real process, which wants keys.
type besieged struct {
	t    testing.TB
	at   string // host:port
	cmd  *exec.Cmd
	keys []string
	log  *tail
}

// tail keeps the end of what a process wrote.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-4000):]
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// besiege starts a server with bills in its database.
func besiege(t testing.TB, env ...string) *besieged {
	t.Helper()
	dbtest.Measures(t)
	sources := background(t, nil, `OPENPARLIAMENT_URL=(http://\S+)`, "simulate", "--addr", "127.0.0.1:0", "--bills", "600")
	env = append([]string{
		"DATABASE_URL=" + dbtest.URL(t), "OPENPARLIAMENT_URL=" + sources, "LEGISINFO_URL=" + sources + "/legisinfo",
		"OPENPARLIAMENT_RPS=0", "LEGISINFO_RPS=0", "AUTH=on",
	}, env...)
	if r := run(t, env, "migrate", "up"); r.code != 0 {
		t.Fatalf("migrate: %+v", r)
	}
	b := &besieged{t: t, log: &tail{}}
	for i := range 2 {
		r := run(t, env, "keys", "create", fmt.Sprint("client ", i), "--scope", "admin")
		key := regexp.MustCompile(`pex_\S+`).FindString(r.out)
		if key == "" {
			t.Fatalf("keys create: %+v", r)
		}
		b.keys = append(b.keys, key)
	}
	b.cmd = program(t, env, "dev", "--addr", "127.0.0.1:0")
	out, w := io.Pipe()
	b.cmd.Stdout, b.cmd.Stderr = w, w
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read(io.TeeReader(out, b.log), `ready url=http://(\S+)`, func(m []string) bool { b.at = m[1]; return false })
	go io.Copy(b.log, out)
	t.Cleanup(func() {
		_ = b.cmd.Process.Signal(syscall.SIGTERM)
		if err := b.cmd.Wait(); err != nil {
			t.Errorf("the server: %v\n%s", err, b.log)
		}
	})
	server := []string{"--server", "http://" + b.at}
	r := run(t, append(env, "EXPLORER_KEY="+b.keys[0]),
		append([]string{"materialize", "fetch_latest_bills", "--config", `{"limit": 500}`}, server...)...)
	if r.code != 0 {
		t.Fatalf("materialize: %+v", r)
	}
	return b
}

// megabytes is a figure of the server's memory, as the system has it.
func (b *besieged) megabytes(field string) int {
	b.t.Helper()
	text, _, _ := strings.Cut(memory(b.cmd.Process.Pid, field), " ")
	n, err := strconv.Atoi(text)
	if err != nil {
		b.t.Fatalf("%s cannot be read: %v", field, err)
	}
	return n
}

// dial connects from an address of this machine's own network.
func (b *besieged) dial(ctx context.Context, from string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", b.at)
	if err == nil {
		_ = c.(*net.TCPConn).SetLinger(0) // ports come back at once
		_ = c.SetDeadline(time.Now().Add(time.Minute))
	}
	return c, err
}

// said is how a normal client fared.
type said struct {
	took   []time.Duration
	faults []string
}

// ask sends requests at an interval, as a normal client with a key, until ctx ends.
func (b *besieged) ask(ctx context.Context, key string, perSecond int) *said {
	s := &said{}
	var mu sync.Mutex
	var all sync.WaitGroup
	paths := []string{"/bills?limit=20", "/jobs", "/runs?limit=10", "/search?q=act&limit=5", "/status", "/session"}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: 10 * time.Second, Transport: transport}
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			all.Wait()
			slices.Sort(s.took)
			return s
		case <-ticker.C:
		}
		all.Go(func() {
			began := time.Now()
			req, err := http.NewRequest(http.MethodGet, "http://"+b.at+paths[i%len(paths)], http.NoBody)
			if err != nil {
				panic(err)
			}
			req.Header.Set("Authorization", "Bearer "+key)
			resp, err := client.Do(req)
			fault := ""
			if err != nil {
				fault = err.Error()
			} else {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK || err != nil {
					fault = fmt.Sprintf("%s: %d, %v", req.URL, resp.StatusCode, err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if s.took = append(s.took, time.Since(began)); fault != "" {
				s.faults = append(s.faults, fault)
			}
		})
	}
}

func (s *said) quantile(q float64) time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	return s.took[min(len(s.took)-1, int(q*float64(len(s.took))))]
}

// hostility is a way to be hostile over one connection, as long as that goes.
type hostility func(ctx context.Context, c net.Conn, rng *rand.Rand)

// requests sends requests one after the other on one connection, reading what comes, so many times.
func requests(n int, pause time.Duration, request func(rng *rand.Rand) string) hostility {
	return func(ctx context.Context, c net.Conn, rng *rand.Rand) {
		r := bufio.NewReaderSize(c, 4<<10)
		for range n {
			if _, err := io.WriteString(c, request(rng)); err != nil {
				return
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if resp.Body.Close(); err != nil || resp.Close {
				return
			}
			sleep(ctx, pause)
			if ctx.Err() != nil {
				return
			}
		}
	}
}

func get(path string, headers ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: explorer\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

func post(path, body string, headers ...string) string {
	headers = append(headers, "Content-Type: application/json", fmt.Sprint("Content-Length: ", len(body)))
	return "POST" + strings.TrimPrefix(get(path, headers...), "GET") + body
}

// deepNULs is JSON text of at most so many bytes: NULs under so many brackets.
func deepNULs(depth, size int) string {
	n := max(1, (size-2*depth-10)/9)
	return `{"key": ` + strings.Repeat("[", depth) + strings.Repeat(`"\u0000",`, n-1) + `"\u0000"` +
		strings.Repeat("]", depth) + "}"
}

// hostilities are all the ways, by name.
func hostilities() map[string]hostility {
	slow := func(head, part string, every time.Duration) hostility {
		return func(ctx context.Context, c net.Conn, _ *rand.Rand) {
			_, err := io.WriteString(c, head)
			for err == nil && ctx.Err() == nil {
				sleep(ctx, every)
				_, err = io.WriteString(c, part)
			}
		}
	}
	return map[string]hostility{
		"slow bodies":  slow("POST /session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{", strings.Repeat(" ", 100), 500*time.Millisecond),
		"slow headers": slow("GET / HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n", time.Second),
		"unread answers": func(ctx context.Context, c net.Conn, _ *rand.Rand) {
			_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
			if _, err := io.WriteString(c, strings.Repeat(get("/openapi.json"), 100)); err == nil {
				sleep(ctx, 20*time.Second)
			}
		},
		"flood": requests(100, 20*time.Millisecond, func(rng *rand.Rand) string { return get("/nothing" + fmt.Sprint(rng.Uint64())) }),
		"made-up": requests(100, 50*time.Millisecond, func(rng *rand.Rand) string {
			return fmt.Sprintf("M%d", rng.Uint32()) + strings.TrimPrefix(get("/bills"), "GET")
		}),
		"deep webhook": requests(20, 200*time.Millisecond, func(*rand.Rand) string { return post("/webhooks/webhook_sensor", deepNULs(2000, 60<<10)) }),
		"deep sign-in": requests(20, 200*time.Millisecond, func(*rand.Rand) string { return post("/session", deepNULs(500, 3<<10)) }),
		"wrong keys": requests(100, 50*time.Millisecond, func(rng *rand.Rand) string {
			return get("/bills", fmt.Sprintf("Authorization: Bearer pex_%d", rng.Uint64()))
		}),
		"Hosts": requests(100, 50*time.Millisecond, func(rng *rand.Rand) string {
			return strings.Replace(get("/feeds/bills.rss", fmt.Sprintf("Cookie: explorer_session=%d", rng.Uint64())),
				"Host: explorer", fmt.Sprintf("Host: h%d.example", rng.Uint32()), 1)
		}),
		"parameters": requests(20, 200*time.Millisecond, func(*rand.Rand) string { return get("/healthz?" + strings.Repeat("a&b&c&", 5000)) }),
		"streams":    requests(20, 200*time.Millisecond, func(*rand.Rand) string { return get("/events", "Accept: text/event-stream") }),
		"many headers": func(ctx context.Context, c net.Conn, _ *rand.Rand) {
			var head strings.Builder
			for i := range 8000 {
				fmt.Fprintf(&head, "%x:\r\n", i)
			}
			if _, err := io.WriteString(c, get("/", strings.TrimSuffix(head.String(), "\r\n"))); err == nil {
				sleep(ctx, 5*time.Second)
			}
		},
	}
}

// TestHostile is `make hostile`: many hostile clients beside one with a key. EXPLORER_HOSTILE says how long; without it
// there are few of them, for a short while.
func TestHostile(t *testing.T) {
	clients, length, slowest := 100, 10*time.Second, 3*time.Second // the other tests run beside the short one
	if s := os.Getenv("EXPLORER_HOSTILE"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
		clients, slowest = 2000, 500*time.Millisecond
	} else {
		t.Parallel()
	}
	b := besiege(t)
	before := b.megabytes("VmRSS")
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	ways := hostilities()
	names := make([]string, 0, len(ways))
	for name := range ways {
		names = append(names, name)
	}
	slices.Sort(names)
	var connections atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			from := fmt.Sprintf("127.0.0.%d", 1+i/len(names)%50) // the first of them shares the normal client's address
			for ctx.Err() == nil {
				c, err := b.dial(ctx, from)
				if err == nil {
					connections.Add(1)
					ways[names[i%len(names)]](ctx, c, rng)
					c.Close()
				}
				sleep(ctx, time.Duration(100+rng.IntN(200))*time.Millisecond)
			}
		})
	}
	s := b.ask(ctx, b.keys[0], 20)
	all.Wait()
	peak := b.megabytes("VmHWM")
	if len(s.faults) > 0 {
		t.Errorf("%d of %d requests of the normal client failed, such as: %s", len(s.faults), len(s.took), s.faults[0])
	}
	p99 := s.quantile(0.99)
	if len(s.took) < 20 || p99 > slowest {
		t.Errorf("p99 of the normal client's %d requests: %s, want %s at most", len(s.took), p99, slowest)
	}
	if peak > 300 {
		t.Errorf("the server took %d MB, want 300 at most", peak)
	}
	back := comesAbout(t, 5*time.Minute, func() bool { return b.megabytes("VmRSS") < 100 })
	if after := b.megabytes("VmRSS"); !back {
		t.Errorf("the server has %d MB afterwards, want less than 100", after)
	}
	fmt.Printf("hostile: %d clients, %d connections in %s; the normal client: %d requests, p50 %s, p99 %s, worst %s; "+
		"memory %d MB before, %d at most, %d afterwards\n",
		clients, connections.Load(), length, len(s.took), s.quantile(0.5).Round(time.Millisecond),
		p99.Round(time.Millisecond), s.quantile(1).Round(time.Millisecond), before, peak, b.megabytes("VmRSS"))
}

// TestShippedLimits repeats what once took the server down, from fifty clients at once, with the memory that the
// shipped files give it: it stays within that, and answers others meanwhile.
func TestShippedLimits(t *testing.T) {
	quantile, slowest, each := 0.99, 500*time.Millisecond, 8*time.Second
	if os.Getenv("EXPLORER_HOSTILE") == "" { // other tests have the machine too
		t.Parallel()
		quantile, slowest, each = 0.5, 2*time.Second, 3*time.Second
	}
	b := besiege(t, "GOMEMLIMIT=307MiB") // what the program sets itself of the smallest shipped limit, 512 MiB
	key := "Authorization: Bearer " + b.keys[1]
	materialize := func(body string) string { return post("/assets/fetch_latest_bills/materialize", body, key) }
	var unknown strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&unknown, `"k%d": 1, `, i)
	}
	zeros := `{"config": ` + strings.Repeat("[", 9000) + strings.Repeat("0,", 450_000) + "0" + strings.Repeat("]", 9000) +
		"}"
	once := func(request string) hostility { return requests(1, 0, func(*rand.Rand) string { return request }) }
	ways := hostilities()
	ctx := t.Context()
	for _, c := range []struct {
		name string
		way  hostility
		each int
	}{
		{"NULs, deep, signed in", once(materialize(deepNULs(2500, 182_000))), 2},
		{"unknown properties", once(materialize("{" + unknown.String() + `"config": {}}`)), 2},
		{"zeros under brackets", once(materialize(zeros)), 2},
		{"unsigned webhooks", ways["deep webhook"], 1},
		{"made-up methods", ways["made-up"], 3},
		{"Hosts", requests(20, 0, func(rng *rand.Rand) string {
			return strings.Replace(get("/feeds/bills.rss", key), "Host: explorer",
				fmt.Sprintf("Host: h%d.example", rng.Uint32()), 1)
		}), 1},
		{"slow bodies", func(_ context.Context, c net.Conn, _ *rand.Rand) {
			head := []byte("POST /session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
				"900001\r\n\r\n")
			if _, err := c.Write(append(head, bytes.Repeat([]byte(" "), 900_000)...)); err == nil {
				_, _ = io.Copy(io.Discard, c) // until the server has had enough
			}
		}, 10},
		{"lists", once(get("/bills?limit=500", key)), 3},
		{"unread answers", func(_ context.Context, c net.Conn, _ *rand.Rand) {
			if _, err := io.WriteString(c, strings.Repeat(get("/openapi.json"), 100)); err == nil {
				_, _ = io.ReadFull(c, make([]byte, 100))
			}
		}, 2},
		{"wrong keys", ways["wrong keys"], 1},
	} {
		asking, done := context.WithTimeout(ctx, each)
		var attack sync.WaitGroup
		for i := range 50 {
			attack.Go(func() {
				for range c.each {
					conn, err := b.dial(asking, "127.0.0.1")
					if err != nil {
						continue
					}
					stop := context.AfterFunc(asking, func() { conn.Close() })
					c.way(asking, conn, rand.New(rand.NewPCG(uint64(i), 1)))
					stop()
					conn.Close()
				}
			})
		}
		go func() { attack.Wait(); done() }()
		s := b.ask(asking, b.keys[0], 10)
		t.Logf("%s: %d requests of others, p50 %s, worst %s, %d MB at most so far", c.name, len(s.took), s.quantile(0.5),
			s.quantile(1), b.megabytes("VmHWM"))
		if len(s.faults) > 0 {
			t.Errorf("%s: %d of %d requests of others failed, such as: %s", c.name, len(s.faults), len(s.took), s.faults[0])
		}
		if slow := s.quantile(quantile); slow > slowest {
			t.Errorf("%s: of the requests of others, %.0f %% took %s or more, want %s at most", c.name, 100-100*quantile, slow,
				slowest)
		}
	}
	if peak := b.megabytes("VmHWM"); peak > 400 { // MemoryHigh
		t.Errorf("the server took %d MB, want 400 at most", peak)
	}
}
