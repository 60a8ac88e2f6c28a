package parliament

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// Modes of a search.
const (
	SearchHybrid   = "hybrid"
	SearchLexical  = "lexical"
	SearchSemantic = "semantic"
)

// Reasons why a bill was found.
const (
	FoundByNumber   = "number"
	FoundByWords    = "words"
	FoundBySpelling = "spelling"
	FoundByMeaning  = "meaning"
)

// SearchQuery is a search. Empty fields do not narrow it.
type SearchQuery struct {
	Q       string
	Mode    string // SearchHybrid without
	Session string
	Status  string // code
	Type    string // English
	Chamber string
	Year    int
	Limit   int
	Offset  int
	// Headlines adds highlights: the texts of each hit with the matching words marked.
	Headlines bool
}

// SearchHit is a bill that a search found.
type SearchHit struct {
	Bill       StoredBill
	Score      float64 // comparable within one search
	FoundBy    []string
	Highlights []Highlight
}

// Highlight is a text of a bill in which the matching words are marked.
type Highlight struct {
	Field    string // "short_title", "title" or "summary"
	Language string
	HTML     string // with <mark>
}

// FacetValue is a value and the number of hits that have it.
type FacetValue struct {
	Value string
	Count int
}

// SearchResult is the result of a search.
type SearchResult struct {
	Hits   []SearchHit
	Total  int // of all pages, maxFound at most
	Facets map[string][]FacetValue
	// Exact reports that the query is a number or a whole title, and that the hits are all bills that have it. There was
	// no search by meaning.
	Exact bool
	// Fuzzy reports that too few bills have all of the words. The hits include bills with some of the words, or with
	// similar ones.
	Fuzzy bool
	// NotByMeaning says why there was no search by meaning; empty if there was.
	NotByMeaning string
}

const (
	maxFound = 1000
	// enough is how many bills have to be found with all the words for the search to leave it at that.
	enough = 5
	// fusionConstant is the constant of reciprocal rank fusion.
	// source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms Condorcet (2009)
	fusionConstant = 60.0
)

// ranking is a list of bills, the best first, and its weight.
type ranking struct {
	by     string
	weight float64
	ids    []string
}

// Search finds bills in both languages: by number, by title, by words, by similar spelling if there are too few hits,
// and by meaning with m. A failure of m does not fail the search; SearchResult.NotByMeaning reports it. The rankings
// are merged by reciprocal rank fusion. If the query is a number or a whole title, the hits are the bills that have it.
func (s *Store) Search(ctx context.Context, q SearchQuery, m *Embedder) (*SearchResult, error) {
	r := &SearchResult{Facets: map[string][]FacetValue{}}
	plain, err := s.q.PlainText(ctx, db.CleanText(q.Q))
	if err != nil {
		return nil, err
	}
	find := finder{
		store: s, query: parseQuery(plain.Plain), filters: q.filters(), without: []string{}, seen: map[string]bool{},
	}
	if err := find.narrow(ctx); err != nil {
		return nil, err
	}
	if q.Mode != SearchSemantic {
		if err := find.lexical(ctx); err != nil {
			return nil, err
		}
	}
	r.Exact, r.Fuzzy = find.exact, find.fuzzy
	switch {
	case q.Mode == SearchLexical:
		r.NotByMeaning = "the search is by words alone"
	case find.exact && m != nil:
	default:
		ids, reason, err := find.semantic(ctx, q.Q, m)
		if err != nil {
			return nil, err
		}
		if r.NotByMeaning = reason; reason == "" {
			find.found = append(find.found, ranking{FoundByMeaning, 1, ids})
		}
	}
	ids, scores, by := fuse(find.found)
	r.Total = len(ids)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.facets(ctx, ids, r) })
	group.Go(func() (err error) {
		shown := ids[min(q.Offset, len(ids)):min(q.Offset+q.Limit, len(ids))]
		rows, err := s.q.BillsInOrder(ctx, shown)
		if err != nil {
			return err
		}
		bills, err := s.stored(ctx, rows)
		if err != nil {
			return err
		}
		for _, b := range bills {
			r.Hits = append(r.Hits, SearchHit{Bill: b, Score: scores[b.ID], FoundBy: by[b.ID], Highlights: []Highlight{}})
		}
		if q.Headlines && len(find.marked) > 0 {
			return s.highlight(ctx, strings.Join(find.marked, " "), r.Hits)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return r, nil
}

// fuse merges rankings into one.
func fuse(rankings []ranking) (ids []string, scores map[string]float64, by map[string][]string) {
	scores, by = map[string]float64{}, map[string][]string{}
	for _, r := range rankings {
		for place, id := range r.ids {
			if _, ok := scores[id]; !ok {
				ids = append(ids, id)
			}
			scores[id] += r.weight / (fusionConstant + float64(place+1))
			if !slices.Contains(by[id], r.by) {
				by[id] = append(by[id], r.by)
			}
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(scores[b], scores[a]) })
	return ids[:min(maxFound, len(ids))], scores, by
}

func (s *Store) facets(ctx context.Context, ids []string, r *SearchResult) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.q.SearchFacets(ctx, ids)
	if err != nil {
		return err
	}
	counts := map[string]map[string]int{}
	add := func(facet string, value *string, n int64) {
		if value != nil {
			if counts[facet] == nil {
				counts[facet] = map[string]int{}
			}
			counts[facet][*value] += int(n)
		}
	}
	for _, row := range rows {
		add("session", &row.Session, row.N)
		add("status", row.StatusCode, row.N)
		add("type", row.BillType, row.N)
		add("chamber", row.HomeChamber, row.N)
		if row.Year > 0 {
			add("year", ptr(strconv.Itoa(int(row.Year))), row.N)
		}
	}
	for facet, values := range counts {
		for value, n := range values {
			r.Facets[facet] = append(r.Facets[facet], FacetValue{Value: value, Count: n})
		}
	}
	for facet, values := range r.Facets {
		slices.SortFunc(values, func(a, b FacetValue) int {
			if facet == "session" || facet == "year" { // the latest first
				return compareNumbers(b.Value, a.Value)
			}
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
		})
	}
	return nil
}

// compareNumbers compares texts such as 2022 or 44-1 by their numbers.
func compareNumbers(a, b string) int {
	x, restX, _ := strings.Cut(a, "-")
	y, restY, _ := strings.Cut(b, "-")
	m, _ := strconv.Atoi(x)
	n, _ := strconv.Atoi(y)
	return cmp.Or(cmp.Compare(m, n), cmp.Compare(restX, restY))
}

// clip cuts a text to at most limit bytes, at the end of a rune.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
