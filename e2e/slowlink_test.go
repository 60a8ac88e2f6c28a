package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"
)

// slowLink is the network between one process and Postgres: it can be slow, hang and break.
type slowLink struct {
	listener net.Listener
	to       string // the Unix socket of Postgres

	mu      sync.Mutex
	latency time.Duration
	links   map[*linked]bool
}

// linked is one connection.
type linked struct {
	client, server net.Conn

	mu   sync.Mutex
	hung time.Time // until then nothing gets through
}

var socketDir = regexp.MustCompile(`host=(\S+)`)

// newSlowLink gives a link to the Postgres at url, a connection string with a Unix socket.
func newSlowLink(t testing.TB, url string) *slowLink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket := socketDir.FindStringSubmatch(url)[1] + "/.s.PGSQL.5432"
	s := &slowLink{listener: l, to: socket, links: map[*linked]bool{}}
	t.Cleanup(func() { l.Close(); s.cut(1) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

// url is the connection string of Postgres by way of the link.
func (s *slowLink) url() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return fmt.Sprintf("host=127.0.0.1 port=%s user=explorer dbname=explorer sslmode=disable", port)
}

func (s *slowLink) serve(client net.Conn) {
	server, err := net.Dial("unix", s.to)
	if err != nil {
		client.Close()
		return
	}
	l := &linked{client: client, server: server}
	s.mu.Lock()
	s.links[l] = true
	s.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { s.copy(l, server, client, true) })
	both.Go(func() { s.copy(l, client, server, false) })
	both.Wait()
	s.mu.Lock()
	delete(s.links, l)
	s.mu.Unlock()
}

// copy forwards data in one direction, and closes both sides at its end.
func (s *slowLink) copy(l *linked, to, from net.Conn, slow bool) {
	defer l.client.Close()
	defer l.server.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if slow { // once for each round trip
				s.mu.Lock()
				latency := s.latency
				s.mu.Unlock()
				time.Sleep(latency)
			}
			for {
				l.mu.Lock()
				wait := time.Until(l.hung)
				l.mu.Unlock()
				if wait <= 0 {
					break
				}
				time.Sleep(wait)
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *slowLink) setLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// some are a share of the connections there are.
func (s *slowLink) some(share float64) (out []*linked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.links {
		if rand.Float64() < share {
			out = append(out, l)
		}
	}
	return out
}

// hang holds a share of the connections for a while.
func (s *slowLink) hang(share float64, d time.Duration) {
	until := time.Now().Add(d)
	for _, l := range s.some(share) {
		l.mu.Lock()
		l.hung = until
		l.mu.Unlock()
	}
}

// cut breaks a share of the connections.
func (s *slowLink) cut(share float64) {
	for _, l := range s.some(share) {
		l.client.Close()
		l.server.Close()
	}
}

// hurt makes the link slow, hangs it and breaks it, until ctx ends. Then the link works again.
func (s *slowLink) hurt(ctx context.Context, rng *rand.Rand, note func(string)) {
	defer s.setLatency(0)
	for {
		sleep(ctx, time.Duration(2000+rng.IntN(6000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		switch rng.IntN(4) {
		case 0:
			note("slow")
			s.setLatency(time.Duration(1+rng.IntN(40)) * time.Millisecond)
			sleep(ctx, time.Duration(1000+rng.IntN(4000))*time.Millisecond)
			s.setLatency(0)
		case 1:
			note("hang")
			s.hang(1, time.Duration(200+rng.IntN(3000))*time.Millisecond)
		case 2:
			note("hang")
			s.hang(0.5, time.Duration(200+rng.IntN(10_000))*time.Millisecond)
		default:
			note("cut")
			s.cut(0.5)
		}
	}
}
