package db_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server"
)

// pair is a primary and a streaming replica of it.
type pair struct {
	t                testing.TB
	dir              string
	primary, replica *embedded.Server
	db               *db.DB // of the primary
}

func newPair(t testing.TB) *pair {
	t.Helper()
	dir, err := os.MkdirTemp("", "explorer-replica-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &pair{t: t, dir: dir}
	p.primary = p.start("one")
	dbtest.Beside(t, p.primary, "pg_basebackup")
	if err := os.Mkdir(p.copied(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.primary.Give(p.copied()); err != nil {
		t.Fatal(err)
	}
	if out, err := p.primary.Command("pg_basebackup", "-D", p.copied(), "-R", "-X", "stream", "-c", "fast", "-h",
		p.primary.Host(), "-U", "explorer").CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v: %s", err, out)
	}
	p.startReplica()
	if p.db, err = db.Open(t.Context(), db.Config{URL: p.primary.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.db.Close)
	if _, err := p.db.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// copied is the data directory of the replica.
func (p *pair) copied() string { return filepath.Join(p.dir, "two") }

func (p *pair) start(name string) *embedded.Server {
	p.t.Helper()
	e, err := embedded.Start(p.t.Context(), embedded.Config{Dir: filepath.Join(p.dir, name),
		Logger: slog.New(slog.DiscardHandler), Settings: map[string]string{
			"fsync": "off", "autovacuum": "off", "max_standby_streaming_delay": "0", "wal_receiver_status_interval": "1s",
		}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = e.Stop() })
	return e
}

// startReplica starts it. Its address stays the same, wherever its socket is.
func (p *pair) startReplica() {
	p.t.Helper()
	p.replica = p.start("two")
	_ = os.Remove(filepath.Join(p.dir, "at"))
	if err := os.Symlink(p.replica.Host(), filepath.Join(p.dir, "at")); err != nil {
		p.t.Fatal(err)
	}
}

// replicaURL is the replica's address.
func (p *pair) replicaURL() string {
	return strings.Replace(p.replica.URL(), p.replica.Host(), filepath.Join(p.dir, "at"), 1)
}

// connect connects to one of the servers. A replica refuses it for a moment while it is in the way of what is replayed.
func (p *pair) connect(e *embedded.Server) *pgx.Conn {
	p.t.Helper()
	for {
		conn, err := pgx.Connect(p.t.Context(), e.URL())
		if err == nil {
			return conn
		}
		if !inTheWay(err) {
			p.t.Fatal(err)
		}
	}
}

// inTheWay reports whether a replica canceled what it was asked because that was in the way of what it replays.
func inTheWay(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == pgerrcode.SerializationFailure
}

// on runs statements on one of the servers.
func (p *pair) on(e *embedded.Server, statements ...string) {
	p.t.Helper()
	conn := p.connect(e)
	defer conn.Close(context.WithoutCancel(p.t.Context()))
	for _, sql := range statements {
		if _, err := conn.Exec(p.t.Context(), sql); err != nil {
			p.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// caughtUp waits until the replica has what was committed.
func (p *pair) caughtUp() {
	p.t.Helper()
	var target string
	if err := p.db.Pool.QueryRow(p.t.Context(), "SELECT pg_current_wal_insert_lsn()::text").Scan(&target); err != nil {
		p.t.Fatal(err)
	}
	conn := p.connect(p.replica)
	defer conn.Close(context.WithoutCancel(p.t.Context()))
	// Waits on the server, for a replica can tell nobody. The replica cancels the wait if it is in the way of what is
	// replayed.
	wait := fmt.Sprintf(
		`DO $$ BEGIN WHILE pg_last_wal_replay_lsn() < '%s'::pg_lsn LOOP PERFORM pg_sleep(0.005); END LOOP; END $$`, target)
	for {
		if _, err := conn.Exec(p.t.Context(), wait); err == nil {
			return
		} else if !inTheWay(err) {
			p.t.Fatal(err)
		}
	}
}

// read opens the replica for reading. Its changes of state come over the channel.
func (p *pair) read(maxLag time.Duration, log *slog.Logger) (*db.Replica, <-chan db.ReplicaStatus) {
	p.t.Helper()
	changes := make(chan db.ReplicaStatus, 100)
	cfg := db.ReplicaConfig{URL: p.replicaURL(), MaxLag: maxLag, MaxConns: 4, Logger: log,
		OnChange: func(s db.ReplicaStatus) { changes <- s }}
	db.Every(&cfg, 50*time.Millisecond)
	r, err := p.db.OpenReplica(p.t.Context(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(r.Close)
	return r, changes
}

func (p *pair) await(changes <-chan db.ReplicaStatus, state string) db.ReplicaStatus {
	p.t.Helper()
	limit, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for {
		select {
		case s := <-changes:
			if s.State == state {
				return s
			}
		case <-limit.Done():
			p.t.Fatalf("the replica is not %s: %+v", state, p.db.Replica().Status())
		}
	}
}

// fromReplica says which server a statement with a context reads from.
func (p *pair) fromReplica(ctx context.Context) bool {
	p.t.Helper()
	var is bool
	if err := db.Reading(p.db).QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&is); err != nil {
		p.t.Fatal(err)
	}
	return is
}

// refuses opens what is no replica of the primary, and never reads from it.
func (p *pair) refuses(url, reason string) {
	p.t.Helper()
	r, err := p.db.OpenReplica(p.t.Context(), db.ReplicaConfig{URL: url})
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	if s := r.Status(); s.State == db.ReplicaUsed || s.Reason == "" || !strings.Contains(s.Reason, reason) {
		p.t.Errorf("%s: %+v, want %q", url, s, reason)
	}
	if p.fromReplica(db.MayLag(p.t.Context())) {
		p.t.Errorf("%s is read from", url)
	}
}

// TestReplica reads from a real streaming replica through all that may befall one.
func TestReplica(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.on(p.primary, "CREATE TABLE things (id integer PRIMARY KEY)", "INSERT INTO things SELECT generate_series(1, 10000)")
	p.on(p.primary, "CREATE DATABASE other")
	p.caughtUp()

	// What is no replica of the primary is never read from.
	p.refuses(p.primary.URL(), "promoted, or never was one")
	p.refuses(dbtest.URL(t), "another server")
	p.refuses(strings.Replace(p.replicaURL(), "dbname=explorer", "dbname=other", 1), "another database")
	p.refuses("host=/nowhere dbname=explorer", "no such file")
	if _, err := p.db.OpenReplica(t.Context(), db.ReplicaConfig{URL: "postgres://u:secret@host:x/y"}); err == nil ||
		strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "DATABASE_READ_URL") {
		t.Errorf("an address that cannot be read: %v", err)
	}

	var lines lineCounter
	r, changes := p.read(2*time.Second, slog.New(&lines))
	reads := db.Reading(p.db)
	mayLag := func() context.Context { return db.MayLag(t.Context()) }

	// What may lag is read from the replica, with the settings of every session; all else is not.
	p.await(changes, db.ReplicaUsed)
	if !p.fromReplica(mayLag()) || p.fromReplica(t.Context()) {
		t.Fatalf("read from the replica: with leave %t, without %t", p.fromReplica(mayLag()), p.fromReplica(t.Context()))
	}
	for _, name := range []string{"statement_timeout", "TimeZone", "jit", "random_page_cost"} {
		var here, there string
		if err := errors.Join(reads.QueryRow(t.Context(), "SHOW "+name).Scan(&here),
			reads.QueryRow(mayLag(), "SHOW "+name).Scan(&there)); err != nil || here != there {
			t.Errorf("%s is %s on the primary and %s on the replica, %v", name, here, there, err)
		}
	}
	// Nobody writes: the last transaction is as old as it is, and the replica has everything.
	p.caughtUp()
	r.Look(t.Context())
	if s := r.Status(); s.Lag == nil || *s.Lag > time.Second {
		t.Errorf("lag behind an idle primary: %v", s.Lag)
	}
	// A write, even if it was allowed to lag, is for the primary.
	var written int
	if err := reads.QueryRow(mayLag(), "INSERT INTO things VALUES (0) RETURNING id").Scan(&written); err != nil ||
		r.Status().State != db.ReplicaUsed {
		t.Errorf("a write: %v, then %+v", err, r.Status())
	}

	// The replica stands still. What it does not have yet is found on the primary, and from then on all of the request.
	p.caughtUp()
	p.on(p.replica, "SELECT pg_wal_replay_pause()")
	p.on(p.primary, "INSERT INTO things VALUES (-1)")
	ctx := mayLag()
	var id int
	if err := reads.QueryRow(ctx, "SELECT id FROM things WHERE id = -1").Scan(&id); err != nil {
		t.Errorf("what was just written: %v", err)
	}
	if p.fromReplica(ctx) {
		t.Error("a request that read from the primary reads from the replica again")
	}
	if err := reads.QueryRow(mayLag(), "SELECT id FROM things WHERE id = -2").Scan(&id); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("what is nowhere: %v, want no rows", err)
	}
	if s := p.await(changes, db.ReplicaLagging); s.Lag == nil || *s.Lag < 2*time.Second || s.Reason == "" {
		t.Errorf("%+v", s)
	}
	if p.fromReplica(mayLag()) {
		t.Error("a replica that lags too far is read from")
	}
	p.on(p.replica, "SELECT pg_wal_replay_resume()")
	p.await(changes, db.ReplicaUsed)
	if !p.fromReplica(mayLag()) {
		t.Error("a replica that caught up is not read from")
	}

	// A statement is in the way of what the primary vacuumed: the request is done again.
	ctx = mayLag()
	rows, err := reads.Query(ctx, `SELECT repeat('x', 20000), CASE WHEN n > 2 AND pg_is_in_recovery() THEN pg_sleep(60) END
		FROM generate_series(1, 3) AS n, (SELECT count(*) FROM things) AS all_of_them`)
	if err != nil || !rows.Next() { // it has begun, and sleeps
		t.Fatalf("%v, %v", err, rows.Err())
	}
	p.on(p.primary, "DELETE FROM things WHERE id > 5000", "VACUUM things")
	for rows.Next() {
		continue
	}
	if err := rows.Err(); err == nil || !strings.Contains(err.Error(), "conflict with recovery") ||
		!db.ReplicaFailed(ctx) {
		t.Errorf("%v; failed %t, want a conflict with recovery that the request hears of", err, db.ReplicaFailed(ctx))
	}
	rows.Close()
	if p.fromReplica(ctx) {
		t.Error("what is done again reads from the replica")
	}

	// A table that the replica does not have yet.
	p.caughtUp()
	p.on(p.replica, "SELECT pg_wal_replay_pause()")
	p.on(p.primary, "CREATE TABLE newer AS SELECT 1 AS id")
	if err := reads.QueryRow(mayLag(), "SELECT id FROM newer").Scan(&id); err != nil {
		t.Errorf("a table of a newer schema: %v", err)
	}
	p.on(p.replica, "SELECT pg_wal_replay_resume()")

	// The server stops: nothing fails, and it is used again when it is back.
	if err := p.replica.Stop(); err != nil {
		t.Fatal(err)
	}
	if p.fromReplica(mayLag()) {
		t.Error("a server that is not there answered")
	}
	if s := p.await(changes, db.ReplicaUnreachable); s.Reason == "" || s.Lag != nil {
		t.Errorf("%+v", s)
	}
	p.startReplica()
	p.await(changes, db.ReplicaUsed)
	if !p.fromReplica(mayLag()) {
		t.Error("a replica that is back is not read from")
	}

	// It is promoted: what it has from now on is its own.
	if out, err := p.replica.Command("pg_ctl", "promote", "-D", p.copied()).CombinedOutput(); err != nil {
		t.Fatalf("promote: %v: %s", err, out)
	}
	if s := p.await(changes, db.ReplicaRefused); !strings.Contains(s.Reason, "promoted") {
		t.Errorf("%+v", s)
	}
	p.on(p.replica, "INSERT INTO things VALUES (-3)")
	if err := reads.QueryRow(mayLag(), "SELECT id FROM things WHERE id = -3").Scan(&id); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("what only a promoted server has: %v, want no rows", err)
	}
	if n := lines.n.Load(); n > 12 { // one for each change of state
		t.Errorf("%d lines in the log", n)
	}
	if s := r.Status(); s.Reads == 0 || s.Fallbacks == 0 {
		t.Errorf("counted %+v", s)
	}
}

// bill inserts one.
func bill(number int) string {
	return fmt.Sprintf(`INSERT INTO bills (id, parliament, session, prefix, digits, suffix, law, search, doc, content_hash,
		parts, version, first_seen_at, updated_at)
VALUES ('44-1/C-%[1]d', 44, 1, 'C', %[1]d, '', false, 'an act',
'{"id": "44-1/C-%[1]d", "number": "C-%[1]d", "parliament": 44, "session": 1, "title": {"en": "An Act"},
"committees": [], "related_bills": []}', '', '{}', 1, now(), now())`, number)
}

// lineCounter counts what is logged.
type lineCounter struct{ n atomic.Int64 }

func (l *lineCounter) Enabled(context.Context, slog.Level) bool  { return true }
func (l *lineCounter) Handle(context.Context, slog.Record) error { l.n.Add(1); return nil }
func (l *lineCounter) WithAttrs([]slog.Attr) slog.Handler        { return l }
func (l *lineCounter) WithGroup(string) slog.Handler             { return l }

// TestReplicaBehindServer checks that a server that reads from a replica sees its own writes.
func TestReplicaBehindServer(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.on(p.primary, bill(1))
	p.caughtUp()
	r, changes := p.read(time.Minute, nil)
	p.await(changes, db.ReplicaUsed)
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{Name: "a"},
		func(context.Context, *orchestrator.Step, struct{}) (orchestrator.Metadata, error) { return nil, nil })
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{asset}})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	e, err := orchestrator.New(orchestrator.Config{DB: p.db, Definitions: defs, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{DB: p.db, Engine: e, Store: parliament.NewStore(p.db), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, header ...string) (int, string, int64) {
		before := r.Status().Reads
		req := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		return w.Code, w.Body.String(), r.Status().Reads - before
	}
	for _, path := range []string{"/bills", "/bills/44-1/C-1", "/politicians", "/search?q=act", "/feeds",
		"/feeds/bills.rss", "/exports", "/exports/bills.csv", "/bills/changes"} {
		if status, body, reads := get(path); status != http.StatusOK || reads == 0 {
			t.Errorf("%s: %d with %d statements to the replica: %s", path, status, reads, body)
		}
		if _, _, reads := get(path, "Cache-Control", "no-cache"); reads != 0 {
			t.Errorf("%s that is to be fresh: %d statements to the replica", path, reads)
		}
	}
	// The replica stands still.
	p.on(p.replica, "SELECT pg_wal_replay_pause()")
	run, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{Assets: []string{"a"},
		Trigger: orchestrator.Trigger{Kind: "api"}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/runs/" + run.ID.String(): run.ID.String(), "/runs": run.ID.String(),
		"/runs/" + run.ID.String() + "/events": "run_enqueued", "/status": "read_replica"} {
		if status, body, reads := get(path); status != http.StatusOK || !strings.Contains(body, want) || reads != 0 {
			t.Errorf("%s: %d with %d statements to the replica, without %q: %s", path, status, reads, want, body)
		}
	}
	p.on(p.primary, bill(2))
	if status, body, _ := get("/bills/44-1/C-2"); status != http.StatusOK {
		t.Errorf("a bill that the replica does not have yet: %d %s", status, body)
	}
	if _, body, _ := get("/bills"); strings.Contains(body, "C-2") {
		t.Error("the list was not read from the replica")
	}
	// Later pages of lists that begin with the newest hold what is older.
	if status, body, reads := get("/runs?cursor=" +
		db.CursorOf("runs", uuid.Must(uuid.NewV7()))); status != http.StatusOK || reads == 0 {
		t.Errorf("a later page: %d with %d statements to the replica: %s", status, reads, body)
	}
	// What is shown of it.
	_, body, _ := get("/status")
	var shown struct {
		ReadReplica struct {
			State      string
			LagSeconds *float64 `json:"lag_seconds"`
		} `json:"read_replica"`
	}
	if err := json.Unmarshal([]byte(body), &shown); err != nil || shown.ReadReplica.State != db.ReplicaUsed ||
		shown.ReadReplica.LagSeconds == nil {
		t.Errorf("status: %v, %s", err, body)
	}
	if _, body, _ := get("/metrics"); !strings.Contains(body, "explorer_db_replica_used 1") ||
		!strings.Contains(body, "explorer_db_replica_lag_seconds") {
		t.Error("the metrics do not show the replica")
	}
	if err := p.replica.Stop(); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := get("/bills"); status != http.StatusOK || !strings.Contains(body, "C-2") {
		t.Errorf("without the replica: %d %s", status, body)
	}
	p.await(changes, db.ReplicaUnreachable)
	if status, body, _ := get("/readyz"); status != http.StatusOK || !strings.Contains(body, "read replica") {
		t.Errorf("readiness without the replica: %d %s", status, body)
	}
}
