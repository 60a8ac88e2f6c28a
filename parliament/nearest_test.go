package parliament

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// nearTopic draws a vector of length one near one of forty.
func nearTopic(rng *rand.Rand, topic, size int) []float32 {
	own := rand.New(rand.NewPCG(7, uint64(topic%40)))
	v, sum := make([]float32, size), 0.0
	for i := range v {
		v[i] = float32(own.NormFloat64() + rng.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// vectors is an Embedder over so many bills with an embedding in each language. It skips the test without pgvector.
func vectors(t *testing.T, d *db.DB, bills, size int, schema string) (*Embedder, *rand.Rand) {
	t.Helper()
	var there bool
	if err := d.Pool.QueryRow(
		t.Context(), `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')`,
	).Scan(&there); err != nil {
		t.Fatal(err)
	}
	if !there {
		t.Skip("needs pgvector, which is not here")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"data": []map[string]any{{"index": 0, "embedding": nearTopic(rand.New(rand.NewPCG(3, 4)), 5, size)}},
		})
	}))
	t.Cleanup(endpoint.Close)
	client, err := embed.New(embed.Config{URL: endpoint.URL, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	for i := range 2 * bills {
		rows = append(rows, []any{
			fmt.Sprintf("44-1/C-%d", i/2), []string{"en", "fr"}[i%2], "m", []byte{1}, nearTopic(rng, i/2, size),
		})
	}
	err = pgx.BeginFunc(t.Context(), d.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SET LOCAL session_replication_role = replica"); err != nil { // without the bills
			return err
		}
		if _, err := tx.Exec(t.Context(), "ALTER TABLE embeddings ALTER created_at SET DEFAULT now()"); err != nil {
			return err
		}
		_, err := tx.CopyFrom(
			t.Context(), pgx.Identifier{"embeddings"}, []string{"bill_id", "language", "model", "hash", "embedding"},
			pgx.CopyFromRows(rows),
		)
		return err
	})
	if err == nil {
		_, err = d.Pool.Exec(
			t.Context(), "CREATE SCHEMA IF NOT EXISTS "+schema+"; CREATE EXTENSION vector SCHEMA "+schema+"; ANALYZE embeddings",
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	m := NewEmbedder(d, client)
	m.maxHeld = 0 // with the index alone
	return m, rng
}

// TestNearestByIndex compares what the index finds with what comparing everything finds: in all bills, in the many and
// in the few that a filter leaves, and in none.
func TestNearestByIndex(t *testing.T) {
	t.Parallel()
	const bills, size = 3000, 96
	m, rng := vectors(t, dbtest.New(t), bills, size, `"Elsewhere"`)
	exactly, err := m.embeddings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if state, err := m.Index(t.Context()); err != nil || !state.Used || !state.Made {
		t.Fatalf("the index: %+v, %v", state, err)
	}
	m.held.Store(nil) // whatever is found now is found by the index
	some := func(every int) []string {
		ids := []string{}
		for i := 0; i < bills; i += every {
			ids = append(ids, fmt.Sprintf("44-1/C-%d", i))
		}
		return ids
	}
	for name, only := range map[string][]string{
		"all": nil, "many": some(2), "few": some(30), "three": {"44-1/C-1", "44-1/C-2", "44-1/C-2999"}, "none": {},
	} {
		found, wanted := 0, 0
		for i := range 30 {
			to := nearTopic(rng, i, size)
			got, err := m.nearest(t.Context(), to, 100, only)
			if err != nil {
				t.Fatal(err)
			}
			want := billIDs(nearestBills(exactly, to, 100, only))
			if len(got) != len(want) {
				t.Errorf("%s: %d bills, want %d", name, len(got), len(want))
			}
			for _, id := range got {
				if only != nil && !slices.Contains(only, id) {
					t.Errorf("%s: %s was found", name, id)
				}
			}
			if got = got[:min(20, len(got))]; name == "few" && !slices.Equal(got, want[:len(got)]) {
				t.Errorf("%s: %v, want %v", name, got, want[:20])
			}
			for _, id := range want[:min(20, len(want))] {
				if wanted++; slices.Contains(got, id) {
					found++
				}
			}
		}
		if float64(found) < .98*float64(wanted) {
			t.Errorf("%s: recall@20 is %d of %d", name, found, wanted)
		}
	}
	if m.held.Load() != nil {
		t.Error("the embeddings were read: the index was not used")
	}

	// So few are held in memory as well, once somebody has asked, until they change.
	m.maxHeld = maxHeld
	m.index.Store(nil)
	to := nearTopic(rng, 1, size)
	read := func() {
		t.Helper()
		m.readAt.Store(0)
		if _, err := m.nearest(t.Context(), to, 20, nil); err != nil {
			t.Fatal(err)
		}
		generation, err := m.q.EmbeddingGeneration(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r := <-m.read(t.Context(), generation); r.Err != nil { // the same read, or one more
			t.Fatal(r.Err)
		}
	}
	read()
	if got, err := m.nearest(t.Context(), to, 20, nil); err != nil ||
		!slices.Equal(got, billIDs(nearestBills(exactly, to, 20, nil))) {
		t.Errorf("held in memory: %v, %v", got, err)
	}
	if _, err := m.db.Pool.Exec(
		t.Context(), "UPDATE embeddings SET embedding = $1 WHERE bill_id = '44-1/C-7' AND language = 'fr'", to,
	); err != nil {
		t.Fatal(err)
	}
	if got, err := m.nearest(t.Context(), to, 20, nil); err != nil || got[0] != "44-1/C-7" {
		t.Errorf("after a change: %v, %v", got, err)
	}
	read()
	if got, err := m.nearest(t.Context(), to, 20, nil); err != nil || got[0] != "44-1/C-7" {
		t.Errorf("after it was read: %v, %v", got, err)
	}
}

// TestNearestWithoutIndex takes the index, the extension and its schema away from a search that used them: it finds the
// same, and one line says why it is slower.
func TestNearestWithoutIndex(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]string{
		"the extension is dropped": "DROP EXTENSION vector CASCADE",
		"the extension is moved":   `CREATE SCHEMA "Other"; ALTER EXTENSION vector SET SCHEMA "Other"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			m, _ := vectors(t, d, 150, 8, "public")
			var log strings.Builder
			m.Logger = slog.New(slog.NewTextHandler(&log, nil))
			if _, err := m.Index(t.Context()); err != nil {
				t.Fatal(err)
			}
			before, reason := m.Near(t.Context(), "x", 20, nil)
			if reason != "" || len(before) != 20 || m.held.Load() != nil {
				t.Fatalf("%v, %s", before, reason)
			}
			if _, err := d.Pool.Exec(t.Context(), away); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				after, reason := m.Near(t.Context(), "x", 20, nil)
				if reason != "" || !slices.Equal(before, after) {
					t.Fatalf("%v, was %v: %s", after, before, reason)
				}
			}
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "exact") {
				t.Errorf("%d lines: %s", n, log.String())
			}
		})
	}
}

// TestDot adds all products, whatever the length.
func TestDot(t *testing.T) {
	t.Parallel()
	for n := range 12 {
		x, y, want := make([]float32, n), make([]float32, n), float32(0)
		for i := range n {
			x[i], y[i] = float32(i+1), float32(2*i-3)
			want += x[i] * y[i]
		}
		if got := dot(x, y); got != want {
			t.Errorf("of %d numbers: %g, want %g", n, got, want)
		}
	}
}
