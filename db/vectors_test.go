package db_test

import (
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/pgvector"
)

// TestNearestBillsInTransactionMode has embeddings that can be seen only within limits, and by who only reads.
func TestNearestBillsInTransactionMode(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	withVector(t, d, "vectors")
	embed(t, d, "a", "m", "{1,0,0}")
	if _, err := pgvector.Ensure(t.Context(), d, "m", 3); err != nil {
		t.Fatal(err)
	}
	ix, err := pgvector.Find(t.Context(), d, "m", 3)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `ALTER TABLE embeddings RENAME TO all_embeddings`)
	mustExec(t, d, `CREATE VIEW embeddings AS SELECT * FROM all_embeddings
WHERE current_setting('statement_timeout') = '1min' AND current_setting('transaction_read_only') = 'on'`)
	shared, err := db.Open(t.Context(), db.Config{URL: d.URL, Pooling: db.PoolingTransaction, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shared.Close)
	for name, d := range map[string]*db.DB{"Postgres itself": d, "transaction mode": shared} {
		found, _, err := ix.Nearest(t.Context(), d, []float32{1, 0, 0}, 1, []string{"a"})
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}
