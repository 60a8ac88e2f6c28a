package dbtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// changed is the channel on which a watched database tells of its changes.
const changed = "test_changed"

// patience is how long Until waits for what a test says will come about.
const patience = time.Minute

// NewWatched is New for tests that wait for something to come about in the database, with Until: it has the database
// tell of every change.
func NewWatched(t testing.TB) *db.DB {
	t.Helper()
	d := New(t)
	_, err := d.Pool.Exec(t.Context(), `
CREATE FUNCTION `+changed+`() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('`+changed+`', TG_TABLE_NAME);
    RETURN NULL;
END $$;
DO $$
DECLARE watched regclass;
BEGIN
    FOR watched IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    LOOP
        EXECUTE format('CREATE TRIGGER `+changed+` AFTER INSERT OR UPDATE OR DELETE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION `+changed+`()', watched);
    END LOOP;
END $$`)
	if err != nil {
		t.Fatalf("watch the test database: %v", err)
	}
	return d
}

// Until waits until something has come about in a database that NewWatched made: it looks, and looks again after each
// change. The test fails if that takes a minute.
func Until(t testing.TB, d *db.DB, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.URL)
	if err != nil {
		t.Fatalf("until %s: %v", what, err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	var watched bool
	if err := conn.QueryRow(ctx, "SELECT to_regproc('"+changed+"') IS NOT NULL").Scan(&watched); err != nil || !watched {
		t.Fatalf("until %s: the database is not watched: %v", what, err)
	}
	if _, err := conn.Exec(ctx, "LISTEN "+changed); err != nil {
		t.Fatalf("until %s: %v", what, err)
	}
	for !is() { // listening comes first: what changes from here on is told
		if _, err := conn.WaitForNotification(ctx); err != nil {
			t.Fatalf("never: %s: %v", what, err)
		}
	}
}

// Settled waits until what was committed before it shows to those who read in the order of commits: that is once no
// older transaction is open in the whole Postgres, which other tests use too. The test fails if that takes a minute.
func Settled(t testing.TB, d *db.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ceiling, err := db.LogCeiling(ctx, d.Pool)
	for begin := uint64(0); err == nil && begin < ceiling; {
		begin, err = db.LogBegin(ctx, d.Pool) // waits for two seconds at a time
	}
	if err != nil {
		t.Fatalf("never settled: %v", err)
	}
}

// Traced is a database whose Pool tells of each statement that contains a text when it begins, as long as somebody
// listens.
func Traced(t testing.TB, d *db.DB, text string) (traced *db.DB, begun <-chan struct{}) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	tell := tracer{text: text, begun: make(chan struct{}, 1)}
	cfg.ConnConfig.Tracer = tell
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &db.DB{Pool: pool, Relaxed: d.Relaxed, Direct: d.Direct, URL: d.URL, DirectURL: d.DirectURL,
		OnConflict: d.OnConflict, Patience: d.Patience}, tell.begun
}

type tracer struct {
	text  string
	begun chan struct{}
}

// TraceQueryStart implements pgx.QueryTracer.
func (tr tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, tr.text) {
		select {
		case tr.begun <- struct{}{}:
		default:
		}
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
