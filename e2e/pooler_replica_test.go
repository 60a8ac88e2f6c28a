//go:build unix

package e2e_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestPoolerBeforeReplica refuses a pooler behind DATABASE_READ_URL that gives each transaction another connection: at
// the start, or when it is there at last.
func TestPoolerBeforeReplica(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			pooler := newPgbouncer(t, url, "pool_mode = "+mode+"\n")
			d, err := db.Open(t.Context(), db.Config{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Close)
			says := func(what, text string) {
				t.Helper()
				for _, want := range []string{"DATABASE_READ_URL", "pooler in " + mode + " mode", "pool_mode=session"} {
					if !strings.Contains(text, want) {
						t.Errorf("%s: %q does not say %q", what, text, want)
					}
				}
			}
			if _, err := d.OpenReplica(t.Context(), db.ReplicaConfig{URL: pooler.url}); err == nil || d.Replica() != nil {
				t.Errorf("it is not refused at the start: %v", err)
			} else {
				says("at the start", err.Error())
			}
			res := run(t, []string{"DATABASE_URL=" + url, "DATABASE_READ_URL=" + pooler.url, "CONTACT_EMAIL=you@example.org"},
				"doctor")
			if says("doctor", res.out+res.err); res.code == 0 {
				t.Error("doctor finds nothing wrong")
			}

			// Away at the start.
			addr, there := freeAddr(t), poolerAddr(t, pooler.url)
			changes := make(chan db.ReplicaStatus, 100)
			r, err := d.OpenReplica(t.Context(), db.ReplicaConfig{URL: strings.Replace(pooler.url, there, addr, 1),
				OnChange: func(s db.ReplicaStatus) { changes <- s }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.Close)
			if s := r.Status(); s.State != db.ReplicaUnreachable {
				t.Errorf("away: %+v", s)
			}
			forward(t, addr, there)
			limit := time.After(time.Minute)
			for {
				select {
				case s := <-changes:
					if s.State == db.ReplicaUnreachable {
						continue
					}
					if says("when it is there", s.Reason); s.State != db.ReplicaRefused {
						t.Errorf("%+v", s)
					}
				case <-limit:
					t.Errorf("it is not refused when it is there: %+v", r.Status())
				}
				return
			}
		})
	}
}

// TestReadURLExecMode refuses an exec mode that cannot work before anything is opened.
func TestReadURLExecMode(t *testing.T) {
	t.Parallel()
	res := run(t, []string{"DATABASE_URL=" + dbtest.URL(t),
		"DATABASE_READ_URL=postgres://u@127.0.0.1:1/x?default_query_exec_mode=exec", "ADDR=127.0.0.1:0", "AUTH=on"}, "serve")
	if text := res.out + res.err; res.code == 0 ||
		!strings.Contains(text, "DATABASE_READ_URL: default_query_exec_mode=exec cannot work") {
		t.Errorf("%d: %s", res.code, text)
	}
}

func poolerAddr(t testing.TB, url string) string {
	t.Helper()
	_, rest, _ := strings.Cut(url, "@")
	addr, _, ok := strings.Cut(rest, "/")
	if !ok {
		t.Fatalf("%s has no address", url)
	}
	return addr
}

// forward passes connections on from an address.
func forward(t testing.TB, from, to string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				}()
			}
		}
	}()
}
