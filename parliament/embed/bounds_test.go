package embed_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// TestManyEntries makes no room for entries that no text was sent for. It measures what is allocated, so it runs alone.
func TestManyEntries(t *testing.T) { //nolint:paralleltest // it measures
	dbtest.Measures(t)
	for _, entry := range []string{"{}", "[]", "0", `""`, "null", `{"embedding":[]}`} {
		raw := []byte(`{"data":[` + entry + strings.Repeat(","+entry, 4_100_000*2/(len(entry)+1)) + `]}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := embed.Read(raw, 100)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s was taken", entry)
		}
		if made := after.TotalAlloc - before.TotalAlloc; made > 32<<20 {
			t.Errorf("%s: %d MB for an answer of %d", entry, made>>20, len(raw)>>20)
		}
	}
	if _, err := embed.Read([]byte(`{"data":[{"embedding":[1]},{"embedding":[1]},{"embedding":[1]}]}`), 2); err == nil ||
		!strings.Contains(err.Error(), "more than 2 embeddings for 2 texts") {
		t.Errorf("%v", err)
	}
}

// TestBoundedReason repeats little of what an endpoint sent.
func TestBoundedReason(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"data":[{"embedding":[1%s]}]}`, `{"data":[{"index":1%s}]}`, `{"usage":{"total_tokens":1%s}}`,
	} {
		if _, err := embed.Read(fmt.Appendf(nil, body, strings.Repeat("0", 300_000)), 1); err == nil ||
			len(err.Error()) > 1000 {
			t.Errorf("%.40s…: an error of %d bytes", body, len(err.Error()))
		}
	}
}

// TestMost has room for the answers to as many texts as may be sent at once, however long their embeddings are.
func TestMost(t *testing.T) {
	t.Parallel()
	dbtest.Measures(t)
	for _, size := range []int{0, 8, 3072} {
		n, numbers := min(embed.Most(size), 2048), size
		if numbers == 0 {
			numbers = 16_000
		}
		if n < 100 {
			t.Errorf("%d texts at once with %d numbers each", n, size)
		}
		one := `{"object":"embedding","index":%d,"embedding":[0.012345678901234567` + strings.Repeat(
			", -0.012345678901234567", numbers-1,
		) + `]}`
		var raw strings.Builder
		raw.WriteString(`{"data":[`)
		for i := range n {
			if i > 0 {
				raw.WriteByte(',')
			}
			fmt.Fprintf(&raw, one, i)
		}
		raw.WriteString(`]}`)
		if r, err := embed.Read([]byte(raw.String()), n); err != nil || len(r.Embeddings) != n {
			t.Errorf("%d texts with %d numbers each: %v", n, numbers, err)
		}
	}
}
