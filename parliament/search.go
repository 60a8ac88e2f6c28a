package parliament

import (
	"cmp"
	"context"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
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
	// Exact says that a number or a whole title was asked for, and the bills that have it are all that was found. Nothing
	// was looked for by meaning then.
	Exact bool
	// Fuzzy says that too little was found with all the words, so some of them, and similar ones, were looked for.
	Fuzzy bool
	// NotByMeaning is why nothing could be looked for by meaning; empty if it could.
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

// ranking is a list of bills, the best first, and what being in it is worth.
type ranking struct {
	by     string
	weight float64
	ids    []string
}

// Search finds bills in both languages: by number, by title, by words, by spelling where there are too few of them, and by
// meaning if m can. What m cannot do costs the search nothing but that. Rankings are fused by reciprocal rank. Where a
// number or a whole title was asked for, the bills that have it are all that is found.
func (s *Store) Search(ctx context.Context, q SearchQuery, m *Embedder) (*SearchResult, error) {
	r := &SearchResult{Facets: map[string][]FacetValue{}}
	plain, err := s.q.PlainText(ctx, db.CleanText(q.Q))
	if err != nil {
		return nil, err
	}
	find := finder{store: s, query: parseQuery(plain.Plain), filters: q.filters(), without: []string{}, seen: map[string]bool{}}
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

// fuse makes one list of several.
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

// finder finds bills for one query.
type finder struct {
	store   *Store
	query   query
	filters filters
	without []string // ids of bills that are left out by number

	found  []ranking
	seen   map[string]bool
	exact  bool     // what was found is just what was asked for
	fuzzy  bool     // something was found that has not all the words
	marked []string // words to mark
}

// add adds a ranking, and says whether it has bills that no other has.
func (f *finder) add(by string, weight float64, ids []string) (news bool) {
	for _, id := range ids {
		news = news || !f.seen[id]
		f.seen[id] = true
	}
	f.found = append(f.found, ranking{by, weight, ids})
	return news
}

// narrow finds out which sessions the search is narrowed to, and which bills are left out by number. What looks like a
// session and is none is a word.
func (f *finder) narrow(ctx context.Context) (err error) {
	if named := f.query.sessions; len(named) > 0 {
		if f.query.sessions, err = f.store.q.SessionsThere(ctx, named); err != nil {
			return err
		}
		if len(f.query.sessions) == 0 {
			for _, s := range named {
				f.query.terms = append(f.query.terms, strings.TrimSuffix(s, "-"))
			}
		}
	}
	if len(f.query.notNumbers) > 0 {
		f.without, err = f.numbers(ctx, f.query.notNumbers)
	}
	return err
}

func (f *finder) numbers(ctx context.Context, numbers []numberTerm) ([]string, error) {
	p := sql.SearchNumbersParams{WithoutIds: f.without, Without: f.query.notTerms, Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber, Year: f.filters.year}
	for i, n := range numbers {
		p.Prefixes, p.Digits, p.Suffixes, p.Sessions, p.Places = append(p.Prefixes, n.prefix), append(p.Digits, int32(n.digits)), append(p.Suffixes, n.suffix), append(p.Sessions, n.session), append(p.Places, int32(i)) //nolint:gosec // five digits
	}
	return f.store.lists.SearchNumbers(ctx, p)
}

func (f *finder) titles(ctx context.Context, title string) ([]string, error) {
	if len(strings.FieldsFunc(title, isSeparator)) < 2 { // a word is no title
		return nil, nil
	}
	return f.store.lists.SearchTitles(ctx, sql.SearchTitlesParams{Title: title, Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber, Year: f.filters.year})
}

func (f *finder) words(ctx context.Context, terms []string) ([]string, error) {
	return f.store.lists.SearchWords(ctx, sql.SearchWordsParams{
		Terms: terms, OnlyIn: f.query.sessions, WithoutIds: f.without, Without: f.query.notTerms,
		Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber, Year: f.filters.year,
	})
}

// lexical finds bills by title and number, then by words.
func (f *finder) lexical(ctx context.Context) error {
	titled, err := f.titles(ctx, f.query.title)
	if err != nil {
		return err
	}
	if len(titled) > 0 {
		f.exact, f.marked = true, []string{f.query.title}
		f.add(FoundByWords, 2, titled)
		return nil
	}
	if len(f.query.numbers) > 0 {
		ids, err := f.numbers(ctx, f.query.numbers)
		if err != nil {
			return err
		}
		if titled, err = f.titles(ctx, f.query.rest); err != nil {
			return err
		}
		if both := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(titled, id) }); len(both) > 0 {
			f.exact, f.marked = true, []string{f.query.rest}
			f.add(FoundByNumber, 4, both)
			return nil
		}
		f.add(FoundByNumber, 4, ids)
		if f.query.onlyNumbers() {
			if f.exact = len(ids) > 0 || !f.query.bare(); f.exact {
				return nil
			}
			f.query.terms = f.query.bareTerms()
		}
	}
	if f.query.empty() {
		return nil
	}
	f.marked = f.query.terms
	ids, err := f.words(ctx, f.query.terms)
	if err != nil {
		return err
	}
	f.add(FoundByWords, 2, ids)
	if len(f.seen) >= enough || f.query.strict() || len(f.query.terms) == 0 {
		return nil
	}
	return f.roughly(ctx)
}

// roughly finds bills with words that are spelt like those that no bill has, or that begin like the last word, and
// bills with some of the words.
func (f *finder) roughly(ctx context.Context) error {
	known, err := f.store.lists.SearchTerms(ctx, f.query.terms)
	if err != nil {
		return err
	}
	terms := slices.Clone(f.query.terms)
	var odd, telling []string
	for _, k := range known {
		word := terms[k.Place-1]
		last := int(k.Place) == len(terms)
		if k.Telling && (!k.Found || last) && !strings.ContainsFunc(word, isSeparator) && hasLetter(word) && len(odd) < maxMisspelt {
			odd = append(odd, word)
		}
	}
	if len(odd) > 0 {
		similar, err := f.store.lists.SimilarWords(ctx, odd)
		if err != nil {
			return err
		}
		meant := map[string][]string{}
		for _, s := range similar {
			meant[s.Asked] = append(meant[s.Asked], s.Word)
		}
		corrected := false
		for _, k := range known {
			if word := terms[k.Place-1]; meant[word] != nil && slices.Contains(odd, word) {
				if spelt := respelt(word, meant[word], k.Found); spelt != "" {
					terms[k.Place-1], corrected = spelt, true
					known[k.Place-1].Found = true
				}
			}
		}
		if corrected {
			ids, err := f.words(ctx, terms)
			if err != nil {
				return err
			}
			if f.add(FoundBySpelling, 1.4, ids) {
				f.fuzzy = true
			}
			for _, t := range terms {
				f.marked = append(f.marked, strings.ReplaceAll(t, "|", " "))
			}
		}
	}
	for _, k := range known {
		if k.Telling && k.Found {
			telling = append(telling, terms[k.Place-1])
		}
	}
	if len(f.query.terms) < 2 || len(telling) == 0 || len(f.seen) >= enough { // some of one word are all of them
		return nil
	}
	some, err := f.store.lists.SearchSome(ctx, sql.SearchSomeParams{
		Terms: telling, OnlyIn: f.query.sessions, WithoutIds: f.without,
		Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber, Year: f.filters.year,
	})
	if err != nil {
		return err
	}
	if f.add(FoundByWords, 0.7, some) {
		f.fuzzy = true
	}
	return nil
}

const (
	// maxMisspelt is how many words of a query are looked at for their spelling, maxSpellings what may be meant by one.
	maxMisspelt  = 8
	maxSpellings = 4
)

// respelt gives what may be meant by a word as alternatives: the words that are fewest letters away, if the word is not
// known, and those that begin so; empty if there is nothing.
func respelt(word string, candidates []string, known bool) string {
	slices.Sort(candidates)
	best, limit := []string{}, within(len([]rune(word)))
	longer := []string{}
	for _, c := range slices.Compact(candidates) {
		if strings.HasPrefix(c, word) && c != word && len(word) >= 4 {
			longer = append(longer, c)
		}
		if known {
			continue
		}
		switch d := edits(word, c, limit); {
		case d < limit || d == limit && len(best) == 0:
			best, limit = []string{c}, d
		case d == limit:
			best = append(best, c)
		}
	}
	slices.SortStableFunc(longer, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	all := slices.Concat(best[:min(maxSpellings, len(best))], longer[:min(maxSpellings, len(longer))])
	if known && len(all) > 0 {
		all = append([]string{word}, all...)
	}
	return strings.Join(all, "|")
}

// semantic gives the bills that are nearest in meaning, or why it cannot.
func (f *finder) semantic(ctx context.Context, said string, m *Embedder) (ids []string, reason string, err error) {
	if m == nil {
		return nil, "no embeddings endpoint is configured", nil
	}
	var only []string
	if f.filters != (filters{}) || len(f.query.sessions)+len(f.without)+len(f.query.notTerms) > 0 { // the nearest of those that are left, not of all
		only, err = f.store.lists.FilterBills(ctx, sql.FilterBillsParams{
			OnlyIn: f.query.sessions, WithoutIds: f.without, Without: f.query.notTerms,
			Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber, Year: f.filters.year,
		})
		if err != nil {
			return nil, "", err
		}
		only = append([]string{}, only...) // none is not all
	}
	if f.query.strict() && len(f.query.terms) > 0 { // what is left out would be near
		said = strings.Join(f.query.terms, " ")
	}
	const nearest = 100
	if ids, reason = m.Near(ctx, said, nearest, only); reason != "" {
		return nil, reason, ctx.Err()
	}
	return ids, "", nil
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
		text            []rune
	}
	var places []at
	p := sql.HeadlinesParams{Q: q}
	add := func(hit int, field, language string, text *string) {
		if text == nil {
			return
		}
		p.Places = append(p.Places, int32(len(places))) //nolint:gosec // a few hundred
		original := []rune(clip(*text, 20_000))
		options := "StartSel=\x02, StopSel=\x03, HighlightAll=true"
		if field == "summary" {
			options = "StartSel=\x02, StopSel=\x03, FragmentDelimiter=\x04, MaxFragments=2, MaxWords=25, MinWords=10"
		}
		p.Languages, p.Texts, p.Options = append(p.Languages, language), append(p.Texts, string(markable(original))), append(p.Options, options)
		places = append(places, at{hit, field, language, original})
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
	slices.SortFunc(rows, func(a, b sql.HeadlinesRow) int { return cmp.Compare(a.Place, b.Place) })
	for _, row := range rows {
		if !strings.Contains(row.Headline, "\x02") {
			continue
		}
		where := places[row.Place]
		marked := strings.NewReplacer("\x02", "<mark>", "\x03", "</mark>", "\x04", " … ").Replace(html.EscapeString(restore(row.Headline, where.text)))
		hits[where.hit].Highlights = append(hits[where.hit].Highlights, Highlight{Field: where.field, Language: where.language, HTML: marked})
	}
	return nil
}

// markable is a text in which words can be marked, of the same length: Postgres takes signs such as ’ for letters in the
// locale C.
func markable(text []rune) []rune {
	out := make([]rune, len(text))
	for i, r := range text {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), r == '\'':
			out[i] = r
		case r == '’', r == '‘', r == 'ʼ':
			out[i] = '\''
		default:
			out[i] = ' '
		}
	}
	return out
}

// restore gives what was marked in a markable text the signs of the text again.
func restore(marked string, text []rune) string {
	plain := string(markable(text))
	var out strings.Builder
	for i, fragment := range strings.Split(marked, "\x04") {
		if i > 0 {
			out.WriteByte(4)
		}
		at := strings.Index(plain, strings.NewReplacer("\x02", "", "\x03", "").Replace(fragment))
		if at < 0 {
			out.WriteString(fragment)
			continue
		}
		place := utf8.RuneCountInString(plain[:at])
		for _, r := range fragment {
			if r == 2 || r == 3 {
				out.WriteRune(r)
				continue
			}
			out.WriteRune(text[place])
			place++
		}
	}
	return out.String()
}

// clip cuts a text at a rune.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
