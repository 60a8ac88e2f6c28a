package parliament

import (
	"cmp"
	"context"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// Ways of searching.
const (
	SearchHybrid   = "hybrid"
	SearchLexical  = "lexical"
	SearchSemantic = "semantic"
)

// Ways in which a bill was found.
const (
	FoundByNumber   = "number"
	FoundByWords    = "words"
	FoundBySpelling = "spelling"
	FoundByMeaning  = "meaning"
)

// SearchQuery says what to look for; empty fields do not narrow it.
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
	// Headlines has the words marked in the texts of what is found.
	Headlines bool
}

// SearchHit is a bill that was found.
type SearchHit struct {
	Bill       StoredBill
	Score      float64 // comparable within one search
	FoundBy    []string
	Highlights []Highlight
}

// Highlight is a text of a bill with the words that were looked for marked.
type Highlight struct {
	Field    string // "short_title", "title" or "summary"
	Language string
	HTML     string // with <mark>
}

// FacetValue is how many of the bills found have a value.
type FacetValue struct {
	Value string
	Count int
}

// SearchResult is what was found.
type SearchResult struct {
	Hits   []SearchHit
	Total  int // of all pages, maxFound at most
	Facets map[string][]FacetValue
	// Fuzzy says that too little was found with all the words, so some of them, and similar ones, were looked for.
	Fuzzy bool
	// NotByMeaning is why nothing was looked for by meaning; empty if it was.
	NotByMeaning string
}

const (
	maxFound = 1000
	// enough is how many bills have to be found with all the words for the search to leave it at that.
	enough = 5
	// rrf is the constant of reciprocal rank fusion.
	// source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms Condorcet (2009)
	rrf = 60.0
)

// ranking is a list of bills, the best first, and what being in it is worth.
type ranking struct {
	by     string
	weight float64
	ids    []string
}

// Search finds bills in both languages: by number, by words, by spelling where there are too few of them, and by meaning
// if m can. What m cannot do costs the search nothing but that. Rankings are fused by reciprocal rank.
func (s *Store) Search(ctx context.Context, q SearchQuery, m *Meaning) (*SearchResult, error) {
	r := &SearchResult{Facets: map[string][]FacetValue{}}
	said := q.Q
	q.Q = asked(said)
	var rankings []ranking
	if q.Mode != SearchSemantic {
		lexical, fuzzy, err := s.searchWords(ctx, q)
		if err != nil {
			return nil, err
		}
		rankings, r.Fuzzy = lexical, fuzzy
	}
	if q.Mode == SearchLexical {
		r.NotByMeaning = "the search is by words alone"
	} else {
		ids, reason, err := s.searchMeaning(ctx, said, q, m)
		if err != nil {
			return nil, err
		}
		if r.NotByMeaning = reason; reason == "" {
			rankings = append(rankings, ranking{FoundByMeaning, 1, ids})
		}
	}
	ids, scores, by := fuse(rankings)
	r.Total = len(ids)
	if err := s.facets(ctx, ids, r); err != nil {
		return nil, err
	}
	shown := ids[min(q.Offset, len(ids)):min(q.Offset+q.Limit, len(ids))]
	rows, err := s.q.BillsInOrder(ctx, shown)
	if err != nil {
		return nil, err
	}
	bills, err := s.stored(ctx, rows)
	if err != nil {
		return nil, err
	}
	for _, b := range bills {
		r.Hits = append(r.Hits, SearchHit{Bill: b, Score: scores[b.ID], FoundBy: by[b.ID], Highlights: []Highlight{}})
	}
	if q.Headlines && q.Mode != SearchSemantic {
		return r, s.highlight(ctx, q.Q, r.Hits)
	}
	return r, nil
}

// fuse makes one list of several.
func fuse(rankings []ranking) (ids []string, scores map[string]float64, by map[string][]string) {
	scores, by = map[string]float64{}, map[string][]string{}
	for _, r := range rankings {
		for place, id := range r.ids {
			if _, ok := scores[id]; !ok {
				ids = append(ids, id)
			}
			scores[id] += r.weight / (rrf + float64(place+1))
			if !slices.Contains(by[id], r.by) {
				by[id] = append(by[id], r.by)
			}
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(scores[b], scores[a]) })
	return ids[:min(maxFound, len(ids))], scores, by
}

const (
	// maxWords and maxPhrase bound what the database is asked for: ranking by many words takes very long, and so does
	// ranking by the same word many times.
	maxWords  = 24
	maxPhrase = 12
)

// asked makes of what somebody typed what the database is asked for: no word twice, and not too many. Phrases in quotation
// marks stay together, and a hyphen in front of a word stays with it.
func asked(q string) string {
	var out []string
	seen := map[string]bool{}
	add := func(term string) {
		if key := unaccented(term); term != "" && !seen[key] && len(out) < maxWords {
			seen[key] = true
			out = append(out, term)
		}
	}
	for i, part := range strings.Split(q, `"`) {
		words := strings.Fields(part)
		if i%2 == 0 {
			for _, w := range words {
				add(w)
			}
			continue
		}
		if len(words) > 0 {
			add(`"` + strings.Join(words[:min(maxPhrase, len(words))], " ") + `"`)
		}
	}
	return strings.Join(out, " ")
}

var askedNumber = regexp.MustCompile(`(?i)(?:^|[^\pL\pN])(?:\d{1,3}-\d{1,2}/)?([cs])[\s-]?([1-9]\d{0,3})([a-z]{0,2})(?:[^\pL\pN]|$)`)

// numbers finds bill numbers in what was asked for: C-11, c11, 44-1/S-203.
func numbers(q string) (digits []int32, names []string) {
	for _, m := range askedNumber.FindAllStringSubmatch(q, 5) {
		n, _ := strconv.Atoi(m[2])
		digits = append(digits, int32(n)) //nolint:gosec // four digits
		names = append(names, strings.ToUpper(m[1]+"-"+m[2]+m[3]))
	}
	return digits, names
}

// filters are the parameters that all searches share.
type filters struct {
	session, status, billType, chamber *string
	year                               *int32
}

func (q SearchQuery) filters() filters {
	f := filters{session: optional(q.Session), status: optional(q.Status), billType: optional(q.Type), chamber: optional(q.Chamber)}
	if q.Year > 0 {
		year := int32(q.Year) //nolint:gosec // bounded by the contract
		f.year = &year
	}
	return f
}

func (s *Store) searchWords(ctx context.Context, q SearchQuery) (found []ranking, fuzzy bool, err error) {
	f := q.filters()
	seen := map[string]bool{}
	add := func(by string, weight float64, ids []string, err error) error {
		for _, id := range ids {
			seen[id] = true
		}
		found = append(found, ranking{by, weight, ids})
		return err
	}
	if digits, names := numbers(q.Q); len(names) > 0 {
		ids, err := s.lists.SearchNumbers(ctx, db.SearchNumbersParams{Digits: digits, Numbers: names, Session: f.session, Status: f.status, BillType: f.billType, Chamber: f.chamber, Year: f.year})
		if err := add(FoundByNumber, 4, ids, err); err != nil {
			return nil, false, err
		}
	}
	words := func(ctx context.Context, relaxed bool) ([]string, error) {
		return s.lists.SearchWords(ctx, db.SearchWordsParams{Relaxed: relaxed, Q: q.Q, Session: f.session, Status: f.status, BillType: f.billType, Chamber: f.chamber, Year: f.year})
	}
	ids, err := words(ctx, false)
	if err := add(FoundByWords, 2, ids, err); err != nil {
		return nil, false, err
	}
	if len(seen) >= enough || strings.ContainsAny(q.Q, `"`) || strings.Contains(" "+q.Q, " -") { // who asks so exactly means it
		return found, false, nil
	}
	before := len(seen)
	var some, similar []string
	group, ctx := errgroup.WithContext(ctx)
	if len(strings.Fields(q.Q)) > 1 { // some of one word are all of them
		group.Go(func() (err error) {
			some, err = words(ctx, true)
			return err
		})
	}
	group.Go(func() (err error) {
		similar, err = s.lists.SearchSimilar(ctx, db.SearchSimilarParams{Words: unaccented(q.Q), Session: f.session, Status: f.status, BillType: f.billType, Chamber: f.chamber, Year: f.year})
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	_ = add(FoundByWords, 0.7, some, nil)
	_ = add(FoundBySpelling, 1.4, similar, nil)
	return found, len(seen) > before, nil
}

// searchMeaning gives the bills that are nearest in meaning, or why it cannot.
func (s *Store) searchMeaning(ctx context.Context, said string, q SearchQuery, m *Meaning) (ids []string, reason string, err error) {
	if m == nil {
		return nil, "no embeddings endpoint is configured", nil
	}
	const nearest, everything = 100, 1_000_000
	f := q.filters()
	limit := nearest
	if f != (filters{}) { // of those that are left, not of all
		limit = everything
	}
	near, reason := m.Near(ctx, said, limit)
	if reason != "" {
		return nil, reason, ctx.Err()
	}
	if f != (filters{}) {
		ids, err := s.lists.FilterBills(ctx, db.FilterBillsParams{Ids: near, Session: f.session, Status: f.status, BillType: f.billType, Chamber: f.chamber, Year: f.year})
		if err != nil {
			return nil, "", err
		}
		left := make(map[string]bool, len(ids))
		for _, id := range ids {
			left[id] = true
		}
		near = slices.DeleteFunc(near, func(id string) bool { return !left[id] })
	}
	return near[:min(nearest, len(near))], "", nil
}

func (s *Store) facets(ctx context.Context, ids []string, r *SearchResult) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.q.SearchFacets(ctx, ids)
	if err != nil {
		return err
	}
	for _, row := range rows {
		r.Facets[row.Facet] = append(r.Facets[row.Facet], FacetValue{Value: row.Value, Count: int(row.N)})
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

// compareNumbers compares texts such as 2022 and 44-1.
func compareNumbers(a, b string) int {
	x, restX, _ := strings.Cut(a, "-")
	y, restY, _ := strings.Cut(b, "-")
	m, _ := strconv.Atoi(x)
	n, _ := strconv.Atoi(y)
	return cmp.Or(cmp.Compare(m, n), cmp.Compare(restX, restY))
}

// highlight marks the words in the texts of what was found; texts without any are left out.
func (s *Store) highlight(ctx context.Context, q string, hits []SearchHit) error {
	type at struct {
		hit             int
		field, language string
	}
	var places []at
	p := db.HeadlinesParams{Q: q}
	add := func(hit int, field, language string, text *string) {
		if text == nil {
			return
		}
		p.Places = append(p.Places, int32(len(places))) //nolint:gosec // a few hundred
		p.Languages, p.Texts, p.Whole = append(p.Languages, language), append(p.Texts, clip(*text, 20_000)), append(p.Whole, field != "summary")
		places = append(places, at{hit, field, language})
	}
	for i, h := range hits {
		b := h.Bill
		add(i, "short_title", "en", b.ShortTitle.En)
		add(i, "short_title", "fr", b.ShortTitle.Fr)
		add(i, "title", "en", b.Title.En)
		add(i, "title", "fr", b.Title.Fr)
		add(i, "summary", "en", plainText(value(b.Summary.En)))
		add(i, "summary", "fr", plainText(value(b.Summary.Fr)))
	}
	if len(places) == 0 {
		return nil
	}
	rows, err := s.q.Headlines(ctx, p)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b db.HeadlinesRow) int { return cmp.Compare(a.Place, b.Place) })
	for _, row := range rows {
		if !strings.Contains(row.Headline, "\x02") {
			continue
		}
		where := places[row.Place]
		marked := strings.NewReplacer("\x02", "<mark>", "\x03", "</mark>", "\x04", " … ").Replace(html.EscapeString(row.Headline))
		hits[where.hit].Highlights = append(hits[where.hit].Highlights, Highlight{Field: where.field, Language: where.language, HTML: marked})
	}
	return nil
}

// clip cuts a text at a rune.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
