//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/pgvector"
	"github.com/parliament-explorer/parliament-explorer/server"
)

// data measures search, feeds and exports with ten thousand bills. It is long, because it makes the bills and takes all
// measurements on them one after the other.
func (b *bench) data() {
	const n, size = 10_000, 384
	ctx := context.Background()
	d := b.postgres()
	store := parliament.NewStore(d)
	rng := rand.New(rand.NewPCG(1, 2))
	// As in the real bills, few words are in most of them and most words in few, and one in ten has a summary.
	var words []string
	for _, first := range strings.Fields("wat fish crim tax ins cit broad tel priv chil vet hous clim ener rail avi " +
		"bord arm heal dent aut lang copy elec sen budg pens bank trad ind just par sent lab wag acc agr gra dai for park " +
		"her mus spac dat int comp cons food plas was anim") {
		for _, middle := range strings.Fields("er il on at in al is or") {
			for _, last := range strings.Fields("ing ment ion ity ance") {
				words = append(words, first+middle+last)
			}
		}
	}
	zipf := rand.NewZipf(rng, 1.2, 8, uint64(len(words)-1))
	sentence := func(k int) string {
		out := make([]string, k)
		for i := range out {
			out[i] = words[zipf.Uint64()]
		}
		return strings.Join(out, " ")
	}
	summary := func() string {
		if rng.IntN(10) > 0 {
			return ""
		}
		return "<p>" + sentence(150) + "</p>"
	}
	for from := 0; from < n; from += 500 {
		var records []parliament.Record
		for i := range 500 {
			k := from + i
			session := fmt.Sprintf("%d-1", 37+k/1250)
			day := time.Date(2003, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, k/2).Format(time.DateOnly)
			number := fmt.Sprintf("C-%d", 1+k%1250)
			title := "An Act to amend the " + sentence(3) + " Act (" + sentence(4) + ")"
			records = append(records, parliament.Record{ID: parliament.BillID{Parliament: 37 + k/1250, Session: 1, Prefix: "C",
				Digits: 1 + k%1250}, FetchedAt: time.Now(), SourceRecords: parliament.SourceRecords{
				OpenParliament: &openparliament.Bill{Session: session, Number: number, NameEn: title, Introduced: day},
				Item: &legisinfo.Item{ID: k + 1, Session: session, Number: number, LongTitleEn: title,
					LongTitleFr: "Loi modifiant la Loi sur " + sentence(4), StatusEn: "Royal assent received",
					TypeEn: "House Government Bill", HouseFirst: day, SponsorID: 1 + k%300, Hash: "x"},
				Detail: &legisinfo.Detail{ItemHash: "x", ID: k + 1, Reader: legisinfo.Reader, SummaryEn: summary(),
					SummaryFr: summary(), Committees: []legisinfo.Committee{{Acronym: "FINA", Chamber: "house", NameEn: "Finance",
						NameFr: "Finances"}}},
			}})
		}
		_, err := store.Save(ctx, uuid.Must(uuid.NewV7()), records)
		b.must(err)
	}
	meant := meanings{size: size, words: map[string][]float32{}}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Input []string }
		_ = json.NewDecoder(r.Body).Decode(&q)
		data := make([]map[string]any, len(q.Input))
		for i, text := range q.Input {
			data[i] = map[string]any{"index": i, "embedding": meant.of(text)}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	defer endpoint.Close()
	client384, err := embed.New(embed.Config{URL: endpoint.URL, Model: "bench"})
	b.must(err)
	meaning := parliament.NewEmbedder(d, client384)
	_, err = meaning.Update(ctx, 256, func(int) {})
	b.must(err)
	_, err = store.UpdateFeeds(ctx, 100, func(int) {})
	b.must(err)
	_, err = d.Pool.Exec(ctx, "ANALYZE")
	b.must(err)
	e := b.engine(d, false, nil)
	s, err := server.New(server.Config{DB: d, Engine: e, Store: store, Embedder: meaning,
		Logger: slog.New(slog.DiscardHandler)})
	b.must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	go s.Serve(ctx, l)
	at := "http://" + l.Addr().String()
	defer func() {
		limit, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_ = e.Stop(limit)
		_ = s.Shutdown(limit)
	}()
	ask := func(path string, status int, header ...string) (time.Duration, http.Header) {
		req, err := http.NewRequest(http.MethodGet, at+path, nil)
		b.must(err)
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		started := time.Now()
		resp, err := client.Do(req)
		b.must(err)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != status {
			b.Fatalf("%s: %s", path, resp.Status)
		}
		return time.Since(started), resp.Header
	}
	measure := func(times int, one func(i int) time.Duration) (p50, p99 time.Duration) {
		var all []time.Duration
		for i := range times + 20 {
			if took := one(i); i >= 20 {
				all = append(all, took)
			}
		}
		return quantiles(all)
	}
	floor, _ := measure(200, func(int) time.Duration { took, _ := ask("/healthz", 200); return took })
	limit := "GET /healthz: " + ms(floor)
	queries := func(i int) string {
		w := words[i%len(words)]
		switch i % 12 {
		case 0:
			return fmt.Sprintf("c%d", 1+i%1250)
		case 1:
			return w
		case 2:
			return w + " " + words[(i*7)%len(words)]
		case 3:
			return `"act to amend"`
		case 4:
			return w[:len(w)-2] + w[len(w)-1:] // misspelt
		case 5:
			return fmt.Sprintf("C\u2011%d 40\u20131", 1+i%1250)
		case 6:
			return fmt.Sprintf("C-%d, C-%d/C-%d", 1+i%1250, 2+i%1250, 3+i%1250)
		case 7:
			return "« Loi sur " + w + " »"
		case 8:
			return "l’" + w
		case 9:
			return w + fmt.Sprintf(" −C‑%d", 1+i%1250)
		case 10:
			return strconv.Itoa(1 + i%1250)
		}
		// roughly
		return w + " " + words[(i*7)%len(words)] + " " + words[(i*11)%len(words)][1:] + " " + words[(i*13)%len(words)] + "x"
	}
	search := func(mode, more, what, wanted string) {
		p50, p99 := measure(300, func(i int) time.Duration {
			took, _ := ask("/search?mode="+mode+more+"&q="+url.QueryEscape(queries(i)), 200)
			return took
		})
		b.line("GET /search?mode="+mode+more+what+", p99", ms(p99)+" (p50 "+ms(p50)+")", wanted, limit)
	}
	nearest := func() (all [][]string) { // the first twenty of a hundred searches
		for i := range 100 {
			found, err := store.Search(ctx, parliament.SearchQuery{Q: queries(2 + 12*i), Mode: parliament.SearchSemantic,
				Limit: 20}, meaning)
			b.must(err)
			var ids []string
			for _, h := range found.Hits {
				ids = append(ids, h.Bill.ID)
			}
			all = append(all, ids)
		}
		return all
	}
	search("lexical", "", ", 10,000 bills", "<= 50 ms")
	search("hybrid", "", ", 10,000 bills, without pgvector", "<= 100 ms")
	search("hybrid", "&session=40-1", ", without pgvector", "<= 100 ms")
	exact, began := nearest(), time.Now()
	index, err := meaning.Index(ctx)
	b.must(err)
	if index.Used {
		b.line("making the index of 20,000 embeddings", ms(time.Since(began)), "", "")
		search("hybrid", "", ", 10,000 bills, with pgvector", "<= 60 ms")
		search("hybrid", "&session=40-1", ", with pgvector: 1,250 bills", "<= 60 ms")
		search("hybrid", "&year=2004", ", with pgvector: 730 bills", "<= 60 ms")
		same := func(found [][]string) string {
			same, of := 0, 0
			for i, ids := range found {
				for _, id := range exact[i] {
					if of++; slices.Contains(ids, id) {
						same++
					}
				}
			}
			return fmt.Sprintf("%.3f", float64(same)/float64(of))
		}
		b.line("recall@20 with pgvector", same(nearest()), ">= 0.98", "")
		ix, err := pgvector.Find(ctx, d, "bench", size)
		b.must(err)
		var byIndex [][]string
		p50, p99 := measure(80, func(i int) time.Duration {
			r, err := client384.Once(ctx, []string{queries(2 + 12*(i%100))})
			b.must(err)
			began := time.Now()
			found, _, err := ix.Nearest(ctx, d, r.Embeddings[0], 20, nil)
			b.must(err)
			var ids []string
			for _, f := range found {
				ids = append(ids, f.BillID)
			}
			byIndex = append(byIndex, ids)
			return time.Since(began)
		})
		b.line("the index alone, p99", ms(p99)+" (p50 "+ms(p50)+")", "",
			"recall@20 "+same(byIndex)+": the questions are two words of bills of twenty")
	} else {
		fmt.Println("search with pgvector: not measured, as " + index.Reason)
	}
	_, header := ask("/feeds/bills.rss", 200)
	p50, p99 := measure(500, func(i int) time.Duration {
		took, _ := ask([]string{"/feeds/bills.rss", "/feeds/session-40-1.atom?lang=fr",
			"/feeds/status-RoyalAssentGiven.json"}[i%3], 200)
		return took
	})
	b.line("GET /feeds/..., cached, p99", ms(p99)+" (p50 "+ms(p50)+")", "<= 10 ms", limit)
	p50, p99 = measure(500, func(int) time.Duration {
		took, _ := ask("/feeds/bills.rss", 304, "If-None-Match", header.Get("ETag"))
		return took
	})
	b.line("GET /feeds/bills.rss, 304, p99", ms(p99)+" (p50 "+ms(p50)+")", "<= 3 ms", limit)

	cmd, program := b.launch(d, "serve")
	defer b.end(cmd)
	at = program
	for range 20 {
		ask("/bills?limit=50", 200)
	}
	for _, form := range []string{"csv", "ndjson", "parquet"} {
		before := memory(cmd.Process.Pid, "VmHWM")
		took, _ := ask("/exports/bills."+form, 200)
		b.line("GET /exports/bills."+form+", 10,000 bills", ms(took), "<= 2 s",
			"peak memory before "+before+", after "+memory(cmd.Process.Pid, "VmHWM"))
	}
}

// meanings gives texts that share words vectors that are near.
type meanings struct {
	size  int
	mu    sync.Mutex
	words map[string][]float32
}

func (m *meanings) of(text string) []float32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := make([]float32, m.size)
	for _, word := range strings.Fields(text) {
		own := m.words[word]
		if own == nil {
			h := fnv.New64a()
			h.Write([]byte(word))
			rng := rand.New(rand.NewPCG(h.Sum64(), 1))
			own = make([]float32, m.size)
			for i := range own {
				own[i] = float32(rng.NormFloat64())
			}
			m.words[word] = own
		}
		for i := range v {
			v[i] += own[i]
		}
	}
	return v
}
