package parliament

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// FilterError is the error for an invalid value of a filter. Field is the filter's field in the API's terms, and Detail
// says what is expected.
type FilterError struct{ Field, Detail string }

func (e *FilterError) Error() string { return e.Field + ": " + e.Detail }

// narrowed is a BillFilter in the form of the SQL parameters.
type narrowed struct {
	none               bool // no bill can be listed
	parliament         *int32
	session            *int32
	status             *string
	ids                []string
	q                  *string
	updatedSince       *time.Time
	kinds              []string
	chamber, committee *string
	from, to           *time.Time
	sponsored          bool
	sponsorIDs         []int64
	sponsorName        string
}

// narrow parses a filter. The error is a *FilterError if a value is invalid.
func (s *Store) narrow(ctx context.Context, f BillFilter) (narrowed, error) {
	n := narrowed{status: optional(f.Status), ids: []string{}, kinds: []string{}, sponsorIDs: []int64{}}
	if f.Parliament > 0 {
		n.parliament, n.session = ptr(int32(f.Parliament)), ptr(int32(f.Session)) //nolint:gosec // small numbers
	}
	if !f.UpdatedSince.IsZero() {
		n.updatedSince = &f.UpdatedSince
	}
	if f.Year != 0 {
		from := time.Date(f.Year, 1, 1, 0, 0, 0, 0, time.UTC)
		n.from, n.to = &from, ptr(from.AddDate(1, 0, -1))
	}
	if strings.TrimSpace(f.Q) != "" {
		if err := s.narrowText(ctx, f.Q, &n); err != nil {
			return n, err
		}
	}
	if f.Type == "" && f.Chamber == "" && f.Committee == "" && f.Sponsor == "" {
		return n, nil
	}
	words, err := s.q.FilterWords(ctx, sql.FilterWordsParams{
		Kind: db.CleanText(f.Type), Chamber: db.CleanText(f.Chamber), Committee: db.CleanText(f.Committee),
		Sponsor: db.CleanText(f.Sponsor),
	})
	if err != nil {
		return n, err
	}
	if f.Chamber != "" {
		if n.chamber = chamberOf(words.Chamber); n.chamber == nil {
			return n, &FilterError{"chamber", fmt.Sprintf("%q is not a chamber: want house or senate", f.Chamber)}
		}
	}
	if f.Type != "" {
		if n.kinds, err = s.kindsOf(ctx, f.Type, words.Kind); err != nil {
			return n, err
		}
	}
	if f.Committee != "" {
		n.committee = &words.Committee
		n.none = n.none || words.Committee == ""
	}
	if f.Sponsor != "" {
		err = s.narrowSponsor(ctx, f.Sponsor, words.Sponsor, &n)
	}
	return n, err
}

// narrowText narrows a list by number or by text. The result depends on the text and the stored bills only, so that all
// pages belong to the same list.
func (s *Store) narrowText(ctx context.Context, q string, n *narrowed) error {
	plain, err := s.q.PlainText(ctx, db.CleanText(q))
	if err != nil {
		return err
	}
	if n.ids, n.q = idPatterns(plain.Plain, plain.Words); len(n.ids) == 0 {
		n.none = true
		return nil
	}
	query := parseQuery(plain.Plain)
	if n.q == nil || !query.onlyNumbers() || query.strict() {
		return nil
	}
	// If the text is the number of a stored bill, only that number matches, as in the search.
	p := sql.NumbersThereParams{}
	for _, number := range query.numbers {
		p.Prefixes = append(p.Prefixes, number.prefix)
		p.Digits = append(p.Digits, int32(number.digits)) //nolint:gosec // five digits
		p.Suffixes = append(p.Suffixes, number.suffix)
	}
	there, err := s.q.NumbersThere(ctx, p)
	if err != nil || !there {
		return err
	}
	n.q = nil
	for i := range n.ids {
		n.ids[i] = strings.TrimSuffix(n.ids[i], "%")
	}
	return nil
}

// chamberOf parses the name of a chamber; nil if it is not one.
func chamberOf(words string) *string {
	for _, little := range []string{"the ", "la ", "le "} {
		words = strings.TrimPrefix(words, little)
	}
	switch words {
	case "house", "house of commons", "commons", "chambre", "chambre des communes", "communes", "cdc", "hoc":
		return ptr("house")
	case "senate", "senat", "senate of canada", "senat du canada":
		return ptr("senate")
	}
	return nil
}

// knownTypes are the words of LEGISinfo's bill types, in both languages.
var knownTypes = []string{
	"house government projet loi emanant du gouvernement cdc", "private members member projet loi emanant d un depute",
	"senate public projet loi d interet public du senat",
	"senate government projet loi emanant du gouvernement senat", "senate private projet loi d interet prive senat",
	"house private projet loi d interet prive cdc",
}

// littleWords are words that do not distinguish types.
var littleWords = wordSet("a an bill bills d de des du emanant en et la le les loi of par projet projets s the un une")

// kindWords maps synonyms to the words that each bill of a type has, whatever its source.
var kindWords = map[string]string{
	"gouvernement": "government", "gouvernemental": "government", "gouvernementaux": "government", "depute": "member",
	"deputes": "member", "members": "member",
}

// kindsOf returns the words that a type must have; a FilterError if there is no such type.
func (s *Store) kindsOf(ctx context.Context, given, words string) ([]string, error) {
	kinds := []string{}
	for w := range strings.FieldsSeq(words) {
		if !littleWords[w] {
			kinds = append(kinds, cmp.Or(kindWords[w], w))
		}
	}
	has := func(of string) bool {
		all := wordSet(of)
		return len(kinds) > 0 && !slices.ContainsFunc(kinds, func(w string) bool { return !all[w] })
	}
	if slices.ContainsFunc(knownTypes, has) {
		return kinds, nil
	}
	types, err := s.q.BillTypes(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.q.KindsThere(ctx, kinds)
	if err != nil || found && len(kinds) > 0 {
		return kinds, err
	}
	want := "government, private member's, senate public or senate private"
	if len(types) > 0 {
		want = "government, private member's, or one of " + strings.Join(types, ", ")
	}
	return nil, &FilterError{"type", fmt.Sprintf("%q is not a type of bill: want %s", given, want)}
}

// narrowSponsor finds the sponsor of a filter: by id, slug or name.
func (s *Store) narrowSponsor(ctx context.Context, given, words string, n *narrowed) error {
	n.sponsored = true
	if id, err := strconv.ParseInt(strings.TrimSpace(given), 10, 64); err == nil && id > 0 {
		n.sponsorIDs = []int64{id}
		return nil
	}
	n.sponsorName = inOrder(withoutMinorWords(strings.Fields(words), isHonorific))
	if n.sponsorName == "" {
		n.none = true
		return nil
	}
	people, err := s.q.PeopleAsTyped(ctx, sql.PeopleAsTypedParams{
		Slug: strings.ToLower(strings.TrimSpace(db.CleanText(given))), Name: n.sponsorName,
	})
	if err != nil {
		return err
	}
	for _, p := range people {
		if p.BySlug { // it is one person's, whoever has the same name
			n.sponsorIDs, n.sponsorName, n.none = []int64{p.PersonID}, "", n.none || p.PersonID == 0
			return nil
		}
		n.sponsorIDs = append(n.sponsorIDs, p.PersonID)
	}
	return nil
}

// Orders of lists of bills.
const (
	ByIntroduction   = "introduced"
	ByUpdate         = "updated"
	ByLatestActivity = "latest_activity"
)

// BillCursor is the place of a bill in a list.
type BillCursor struct {
	Introduced string     `json:"i"`
	ID         BillID     `json:"b"`
	At         *time.Time `json:"a,omitempty"` // of the update or the latest activity, where the list is by that
}

// Cursor returns the bill's place in a list of the given order; empty means ByIntroduction.
func (b *StoredBill) Cursor(sort string) BillCursor {
	session := fmt.Sprintf("%d-%d", b.Parliament, b.Session)
	id, _ := ParseBillID(session, b.Number) // it was stored under that id
	c := BillCursor{Introduced: value(b.IntroducedOn), ID: id}
	switch sort {
	case ByUpdate:
		c.At = &b.UpdatedAt
	case ByLatestActivity:
		c.At = b.activity
	}
	return c
}

var errNoPlace = errors.New("the cursor does not belong to this list")

// Bills lists bills in the filter's order.
func (s *Store) Bills(ctx context.Context, f BillFilter) ([]StoredBill, error) {
	n, err := s.narrow(ctx, f)
	if err != nil || n.none {
		return []StoredBill{}, err
	}
	p := sql.ListBillsParams{
		Parliament: n.parliament, Session: n.session, Status: n.status, Law: f.Law, Ids: n.ids, Q: n.q,
		UpdatedSince: n.updatedSince, Kinds: n.kinds, Chamber: n.chamber,
		IntroducedFrom: n.from, IntroducedTo: n.to, Committee: n.committee, Sponsored: n.sponsored, SponsorIds: n.sponsorIDs,
		SponsorName: n.sponsorName,
		Sort:        cmp.Or(f.Sort, ByIntroduction), Ascending: f.Ascending,
		Limit: int32(f.Limit), //nolint:gosec // bounded by the contract
	}
	if c := f.After; c != nil {
		p.After, p.AfterActivity = true, c.At
		if c.At != nil {
			p.AfterAt = *c.At
		} else if p.Sort == ByUpdate {
			return nil, errNoPlace
		}
		if c.Introduced != "" {
			day, err := time.Parse(time.DateOnly, c.Introduced)
			if err != nil {
				return nil, err
			}
			p.AfterIntroduced = &day
		}
		//nolint:gosec // five digits
		p.AfterPrefix, p.AfterDigits, p.AfterSuffix, p.AfterID = c.ID.Prefix, int32(c.ID.Digits), c.ID.Suffix, c.ID.String()
	}
	rows, err := s.lists.ListBills(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.stored(ctx, rows)
}

// Export returns bills by id, after the given one, for clients that read all of them. It ignores the filter's order.
func (s *Store) Export(ctx context.Context, f BillFilter, after string, limit int) ([]StoredBill, error) {
	n, err := s.narrow(ctx, f)
	if err != nil || n.none {
		return []StoredBill{}, err
	}
	rows, err := s.lists.ExportBills(ctx, sql.ExportBillsParams{
		Parliament: n.parliament, Session: n.session, Status: n.status, Law: f.Law, Ids: n.ids, Q: n.q,
		UpdatedSince: n.updatedSince, Kinds: n.kinds, Chamber: n.chamber,
		IntroducedFrom: n.from, IntroducedTo: n.to, Committee: n.committee, Sponsored: n.sponsored, SponsorIds: n.sponsorIDs,
		SponsorName: n.sponsorName,
		After:       after, Limit: int32(limit), //nolint:gosec // a small number
	})
	if err != nil {
		return nil, err
	}
	return s.stored(ctx, rows)
}

// ExportState returns a text that changes whenever the result of Export for the filter changes. With provenance, it
// also changes when only the time or the run of a fetch does.
func (s *Store) ExportState(ctx context.Context, f BillFilter, provenance bool) (string, error) {
	n, err := s.narrow(ctx, f)
	if err != nil || n.none {
		return "none", err
	}
	row, err := s.lists.ExportState(ctx, sql.ExportStateParams{
		Parliament: n.parliament, Session: n.session, Status: n.status, Law: f.Law, Ids: n.ids, Q: n.q,
		UpdatedSince: n.updatedSince, Kinds: n.kinds, Chamber: n.chamber,
		IntroducedFrom: n.from, IntroducedTo: n.to, Committee: n.committee, Sponsored: n.sponsored, SponsorIds: n.sponsorIDs,
		SponsorName: n.sponsorName,
	})
	if err != nil {
		return "", err
	}
	state := fmt.Sprint(row.Bills, row.Content, row.People)
	if provenance {
		state += " " + row.Provenance
	}
	return state, nil
}
