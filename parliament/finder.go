package parliament

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// filters are the parameters that all searches share.
type filters struct {
	session, status, billType, chamber *string
	year                               *int32
}

func (q SearchQuery) filters() filters {
	f := filters{
		session: optional(q.Session), status: optional(q.Status), billType: optional(q.Type), chamber: optional(q.Chamber),
	}
	if q.Year > 0 {
		year := int32(q.Year) //nolint:gosec // bounded by the contract
		f.year = &year
	}
	return f
}

// finder runs the searches for one query.
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

// add adds a ranking, and reports whether it has bills that no other ranking has.
func (f *finder) add(by string, weight float64, ids []string) (news bool) {
	for _, id := range ids {
		news = news || !f.seen[id]
		f.seen[id] = true
	}
	f.found = append(f.found, ranking{by, weight, ids})
	return news
}

// narrow determines the sessions that the query is limited to, and the bills that it excludes by number. A text that
// looks like a session but is not one is a word.
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
	p := sql.SearchNumbersParams{
		WithoutIds: f.without, Without: f.query.notTerms, Session: f.filters.session, Status: f.filters.status,
		BillType: f.filters.billType, Chamber: f.filters.chamber, Year: f.filters.year,
	}
	for i, n := range numbers {
		p.Prefixes = append(p.Prefixes, n.prefix)
		p.Digits = append(p.Digits, int32(n.digits)) //nolint:gosec // five digits
		p.Suffixes = append(p.Suffixes, n.suffix)
		p.Sessions = append(p.Sessions, n.session)
		p.Places = append(p.Places, int32(i))
	}
	return f.store.lists.SearchNumbers(ctx, p)
}

func (f *finder) titles(ctx context.Context, title string) ([]string, error) {
	if len(strings.FieldsFunc(title, isSeparator)) < 2 { // a word is no title
		return nil, nil
	}
	return f.store.lists.SearchTitles(ctx, sql.SearchTitlesParams{
		Title: title, Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType,
		Chamber: f.filters.chamber, Year: f.filters.year,
	})
}

func (f *finder) words(ctx context.Context, terms []string) ([]string, error) {
	return f.store.lists.SearchWords(ctx, sql.SearchWordsParams{
		Terms: terms, OnlyIn: f.query.sessions, WithoutIds: f.without, Without: f.query.notTerms,
		Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber,
		Year: f.filters.year,
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
		notTitled := func(id string) bool { return !slices.Contains(titled, id) }
		if both := slices.DeleteFunc(slices.Clone(ids), notTitled); len(both) > 0 {
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
	return f.similar(ctx)
}

// similar finds bills by words with similar spelling, by words that begin like the last one, and by some of the words.
func (f *finder) similar(ctx context.Context) error {
	known, err := f.store.lists.SearchTerms(ctx, f.query.terms)
	if err != nil {
		return err
	}
	terms := slices.Clone(f.query.terms)
	var odd, telling []string
	for _, k := range known {
		word := terms[k.Place-1]
		last := int(k.Place) == len(terms)
		if k.Telling && (!k.Found || last) && !strings.ContainsFunc(word, isSeparator) && hasLetter(word) &&
			len(odd) < maxMisspelt {
			odd = append(odd, word)
		}
	}
	if len(odd) > 0 {
		if err := f.respelled(ctx, terms, odd, known); err != nil {
			return err
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
		Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber,
		Year: f.filters.year,
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

// respelled replaces misspelt terms by the words that may be meant, and finds bills with all of the corrected terms. It
// changes terms, and marks a corrected term in known as found.
func (f *finder) respelled(ctx context.Context, terms, misspelt []string, known []sql.SearchTermsRow) error {
	similar, err := f.store.lists.SimilarWords(ctx, misspelt)
	if err != nil {
		return err
	}
	meant := map[string][]string{}
	for _, s := range similar {
		meant[s.Asked] = append(meant[s.Asked], s.Word)
	}
	corrected := false
	for i, k := range known {
		word := terms[k.Place-1]
		if meant[word] == nil || !slices.Contains(misspelt, word) {
			continue
		}
		if spelt := respelt(word, meant[word], k.Found); spelt != "" {
			terms[k.Place-1], corrected = spelt, true
			known[i].Found = true
		}
	}
	if !corrected {
		return nil
	}
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
	return nil
}

// respelt returns what may be meant by a word, as alternatives: the most similar words, if the word is unknown, and
// words that begin with it. It returns "" if there are none.
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

// semantic returns the bills nearest in meaning, or the reason why it cannot.
func (f *finder) semantic(ctx context.Context, said string, m *Embedder) (ids []string, reason string, err error) {
	if m == nil {
		return nil, "no embeddings endpoint is configured", nil
	}
	var only []string
	// the nearest of those that are left, not of all
	if f.filters != (filters{}) || len(f.query.sessions)+len(f.without)+len(f.query.notTerms) > 0 {
		only, err = f.store.lists.FilterBills(ctx, sql.FilterBillsParams{
			OnlyIn: f.query.sessions, WithoutIds: f.without, Without: f.query.notTerms,
			Session: f.filters.session, Status: f.filters.status, BillType: f.filters.billType, Chamber: f.filters.chamber,
			Year: f.filters.year,
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
