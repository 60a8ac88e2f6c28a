package parliament

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// TestBatchesFit sends no more texts at once than their answer has room for, however large the batches may be.
//
//nolint:paralleltest // its long transactions would hold the changes back that others wait for
func TestBatchesFit(t *testing.T) {
	d := dbtest.New(t)
	var mu sync.Mutex
	var sent []int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Input []string }
		_ = json.NewDecoder(r.Body).Decode(&q)
		mu.Lock()
		sent = append(sent, len(q.Input))
		mu.Unlock()
		data := make([]map[string]any, len(q.Input))
		for i := range data {
			data[i] = map[string]any{"index": i, "embedding": []float64{1, 2, 3}}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(s.Close)
	client, err := embed.New(embed.Config{URL: s.URL, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`INSERT INTO bills (id, parliament, session, prefix, digits, suffix, law, search, doc, content_hash, parts, version,
			first_seen_at, updated_at)
			SELECT '44-1/C-' || i, 44, 1, 'C', i, '', false, '', jsonb_build_object('number', 'C-' || i, 'title',
			jsonb_build_object('en', 'An Act', 'fr', 'Loi')), '', '{}', 1, now(), now()
			FROM generate_series(1, 100) AS i`,
		`INSERT INTO bill_versions (bill_id, version, changes, created_at) SELECT id, 1, '[]', now() FROM bills`,
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	counts, err := NewEmbedder(d, client).Update(t.Context(), 2048, func(int) {})
	if err != nil || counts.Embedded != 200 {
		t.Errorf("%+v, %v", counts, err)
	}
	if unknown := embed.Most(0); len(sent) != 2 || sent[0] != unknown || sent[1] != 200-unknown {
		t.Errorf("requests of %v texts, want %d until the size of an embedding is known, and then the rest", sent, unknown)
	}
}
