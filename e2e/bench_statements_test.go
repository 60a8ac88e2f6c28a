//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// statements counts what Postgres is asked for runs that do nothing: one at a time, and many at once. With
// BENCH_STATEMENTS it lists the statements.
func (b *bench) statements() {
	d := b.postgres("shared_preload_libraries", "pg_stat_statements")
	ctx := context.Background()
	if _, err := d.Pool.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		b.Logf("statements are not counted: %v", err)
		return
	}
	e := b.engine(d, true, nil)
	defer func() { b.must(e.Stop(ctx)) }()
	ended := 0
	for _, at := range []struct{ clients, runs int }{{1, 300}, {32, 6000}} {
		_, err := d.Pool.Exec(ctx, "SELECT pg_stat_statements_reset()")
		b.must(err)
		commits := b.commits(d)
		began := time.Now()
		b.startMany(e, at.clients, at.runs)
		n := at.runs
		ended += n
		b.ends(d, ended)
		took := time.Since(began)
		// Statistics of sessions arrive within a second after their transactions.
		time.Sleep(1200 * time.Millisecond)
		perRun := float64(b.commits(d)-commits) / float64(n)
		var calls, busy float64
		b.must(d.Pool.QueryRow(ctx, `SELECT sum(calls), sum(total_exec_time) FROM pg_stat_statements
			WHERE query NOT LIKE '%count(*) FROM materializations%' AND query !~ 'pg_stat'`).Scan(&calls, &busy))
		what := fmt.Sprintf("of a run that does nothing, %d at once", at.clients)
		b.line("statements "+what, fmt.Sprintf("%.1f", calls/float64(n)), "",
			fmt.Sprintf("%.2f ms of Postgres, %s", busy/float64(n), rate(n, took)))
		b.line("transactions "+what, fmt.Sprintf("%.1f", perRun), "", "")
		if os.Getenv("BENCH_STATEMENTS") == "" {
			continue
		}
		rows, err := d.Pool.Query(ctx, `SELECT calls, total_exec_time, query FROM pg_stat_statements
			ORDER BY total_exec_time DESC LIMIT 30`)
		b.must(err)
		for rows.Next() {
			var calls int
			var ms float64
			var query string
			b.must(rows.Scan(&calls, &ms, &query))
			fmt.Printf("    %6.2f a run, %6.3f ms a run: %.110s\n", float64(calls)/float64(n), ms/float64(n),
				strings.Join(strings.Fields(query), " "))
		}
		b.must(rows.Err())
	}
}

// commits returns how many transactions Postgres has counted.
func (b *bench) commits(d *db.DB) (n int64) {
	b.must(d.Pool.QueryRow(context.Background(), `SELECT xact_commit + xact_rollback FROM pg_stat_database
		WHERE datname = current_database()`).Scan(&n))
	return n
}
