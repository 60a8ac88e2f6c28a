package db_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	embeddings "github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/server"
)

// TestReplicaUnderLoad has requests hold every connection of both pools for longer than the replica may lag: it stays
// used, and what it is asked is not ended.
func TestReplicaUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.caughtUp()
	const maxLag = time.Second
	r, changes := p.read(maxLag, nil)
	p.await(changes, db.ReplicaUsed)
	var taken []*pgxpool.Conn
	giveBack := sync.OnceFunc(func() {
		for _, conn := range taken {
			conn.Release()
		}
	})
	t.Cleanup(giveBack)
	for range p.db.Pool.Config().MaxConns {
		conn, err := p.db.Pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, conn)
	}
	var held []pgx.Rows
	for range 4 { // all that read has
		rows, err := db.Reading(p.db).Query(db.MayLag(t.Context()), "SELECT pg_is_in_recovery() FROM generate_series(1, "+
			"100000)")
		if err != nil || !rows.Next() {
			t.Fatalf("%v, %v", err, rows.Err())
		}
		held = append(held, rows)
	}
	select {
	case s := <-changes:
		t.Errorf("the replica is %s: %s", s.State, s.Reason)
	case <-time.After(4 * maxLag):
	}
	if s := r.Status(); s.State != db.ReplicaUsed || s.Lag == nil || *s.Lag > maxLag {
		t.Errorf("%+v", s)
	}
	giveBack()
	for _, rows := range held {
		n := 1
		for rows.Next() {
			n++
		}
		if rows.Close(); rows.Err() != nil || n != 100000 {
			t.Errorf("%d rows: %v", n, rows.Err())
		}
	}
	if !p.fromReplica(db.MayLag(t.Context())) {
		t.Error("a replica that has a free connection again is not read from")
	}
}

// cutter passes on what a server says. Once armed, it cuts the next connection that is told more than 16 KB.
type cutter struct {
	armed atomic.Bool
	cuts  atomic.Int64
}

// cutter gives the replica's address with a cutter before it.
func (p *pair) cutter() (string, *cutter) {
	p.t.Helper()
	to, err := pgx.ParseConfig(p.replica.URL())
	if err != nil {
		p.t.Fatal(err)
	}
	dir, socket := filepath.Join(p.dir, "cut"), fmt.Sprintf(".s.PGSQL.%d", to.Port)
	if err := os.Mkdir(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	c := &cutter{}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("unix", filepath.Join(to.Host, socket))
			if err != nil {
				_ = client.Close()
				continue
			}
			go c.pass(client, upstream)
		}
	}()
	return strings.Replace(p.replica.URL(), p.replica.Host(), dir, 1), c
}

func (c *cutter) pass(client, upstream net.Conn) {
	defer client.Close()
	defer upstream.Close()
	go func() {
		defer upstream.Close()
		buf := make([]byte, 4096)
		for {
			n, err := client.Read(buf)
			if _, failed := upstream.Write(buf[:n]); err != nil || failed != nil {
				return
			}
		}
	}()
	buf, told := make([]byte, 4096), 0
	for {
		n, err := upstream.Read(buf)
		if _, failed := client.Write(buf[:n]); err != nil || failed != nil {
			return
		}
		if told += n; !c.armed.Load() {
			told = 0
		}
		if told > 16<<10 && c.armed.CompareAndSwap(true, false) {
			c.cuts.Add(1)
			return
		}
	}
}

// armer arms a cutter when the first bytes of an answer are sent.
type armer struct {
	*httptest.ResponseRecorder
	arm func()
}

func (a armer) Write(b []byte) (int, error) {
	defer a.arm()
	return a.ResponseRecorder.Write(b)
}

// TestExportWhileReplicaFails loses the replica in the middle of a page, of the first and of a later one: the file is
// whole.
func TestExportWhileReplicaFails(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	const bills = 450 // three pages
	statements := make([]string, bills)
	for n := range bills {
		statements[n] = bill(n + 1)
	}
	p.on(p.primary, append(statements, `UPDATE bills
		SET doc = jsonb_set(doc, '{title,en}', to_jsonb(repeat(md5(id), 20)))`)...)
	p.caughtUp()
	url, cut := p.cutter()
	changes := make(chan db.ReplicaStatus, 100)
	r, err := p.db.OpenReplica(t.Context(), db.ReplicaConfig{URL: url, MaxLag: time.Minute,
		OnChange: func(s db.ReplicaStatus) { changes <- s }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	p.await(changes, db.ReplicaUsed)
	handler := p.server().Handler()
	for n, later := range []bool{true, false} {
		w := armer{httptest.NewRecorder(), func() {}}
		if later {
			w.arm = func() {
				if cut.cuts.Load() == 0 {
					cut.armed.Store(true)
				}
			}
		} else {
			cut.armed.Store(true)
		}
		func() {
			defer func() {
				if cause := recover(); cause != nil {
					t.Errorf("the export is cut off (a later page: %t): %v", later, cause)
				}
			}()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/exports/bills.csv", http.NoBody))
		}()
		if lines := strings.Count(w.Body.String(), "\n44-1/"); w.Code != http.StatusOK || lines != bills {
			t.Errorf("a later page: %t: %d, %d bills", later, w.Code, lines)
		}
		if cuts := cut.cuts.Load(); cuts != int64(n+1) {
			t.Fatalf("%d connections were cut", cuts)
		}
	}
}

// server is a server on the primary, with the replica that is open.
func (p *pair) server() *server.Server {
	p.t.Helper()
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{})
	if err != nil {
		p.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	e, err := orchestrator.New(orchestrator.Config{DB: p.db, Definitions: defs, Logger: log})
	if err != nil {
		p.t.Fatal(err)
	}
	s, err := server.New(server.Config{DB: p.db, Engine: e, Store: parliament.NewStore(p.db), Logger: log})
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// TestMeaningBesideReplica searches by meaning while a replica stands still: the embeddings are the primary's, and are
// read once.
func TestMeaningBesideReplica(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	embedding := `INSERT INTO embeddings (bill_id, language, model, hash, embedding, created_at)
		VALUES ('44-1/C-%d', 'en', 'm', '', '{1, 0}', now())`
	p.on(p.primary, bill(1), bill(2), fmt.Sprintf(embedding, 1))
	p.caughtUp()
	r, changes := p.read(time.Minute, nil)
	p.await(changes, db.ReplicaUsed)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": []any{map[string]any{"index": 0, "embedding": []float32{1, 0}}}})
	}))
	t.Cleanup(endpoint.Close)
	client, err := embeddings.New(embeddings.Config{URL: endpoint.URL, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	m := parliament.NewEmbedder(p.db, client)
	p.on(p.replica, "SELECT pg_wal_replay_pause()")
	p.on(p.primary, fmt.Sprintf(embedding, 2))
	before := r.Status().Reads
	for range 2 {
		if ids, reason := m.Near(db.MayLag(t.Context()), "x", 5, nil); reason != "" || len(ids) != 2 {
			t.Errorf("%v, %s", ids, reason)
		}
	}
	if n := r.Status().Reads - before; n != 0 {
		t.Errorf("%d statements to the replica", n)
	}
}
