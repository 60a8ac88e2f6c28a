package parliament

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// Politician is a current or former member of the House of Commons.
// source: openparliament.ca, politicians
type Politician struct {
	Slug              string    `json:"slug"` // as in openparliament.ca's addresses
	Name              string    `json:"name"`
	GivenName         *string   `json:"given_name"`
	FamilyName        *string   `json:"family_name"`
	PersonID          *int      `json:"person_id"` // parl.ca's, by which bills name their sponsor
	Party             Bilingual `json:"party"`     // of the latest membership, short name
	Riding            Bilingual `json:"riding"`
	Province          *string   `json:"province"`
	ImageURL          *string   `json:"image_url"`
	OpenParliamentURL string    `json:"openparliament_url"`
	// Memberships are terms in the House, the latest first. Terms without a date keep openparliament.ca's order.
	Memberships []Membership `json:"memberships"`
}

// Membership is a term in the House.
type Membership struct {
	Party     Bilingual `json:"party"`
	Riding    Bilingual `json:"riding"`
	Province  *string   `json:"province"`
	Label     Bilingual `json:"label"`
	StartedOn *string   `json:"started_on"` // day
	EndedOn   *string   `json:"ended_on"`
}

// StoredPolitician is a politician with the data that the store keeps about them.
type StoredPolitician struct {
	Politician
	Current     bool
	FirstSeenAt time.Time
	UpdatedAt   time.Time
	rank        int // among those who were looked for
}

// PoliticianOf makes a politician of the source's records: the list's item, and the person's own record for what the
// item does not have.
func PoliticianOf(m openparliament.Member, p *openparliament.Person) Politician {
	out := Politician{
		Slug: m.Slug, Name: cmp.Or(clean(p.Name), clean(m.Name), m.Slug), GivenName: plainText(p.GivenName),
		FamilyName: plainText(p.FamilyName), Province: plainText(m.Province),
		Party: Bilingual{En: plainText(m.Party)}, Riding: Bilingual{En: plainText(m.Riding)},
		OpenParliamentURL: "https://openparliament.ca/politicians/" + m.Slug + "/", Memberships: []Membership{},
	}
	if p.PersonID > 0 {
		out.PersonID = &p.PersonID
	}
	if strings.HasPrefix(p.Image, "/") && !strings.HasPrefix(p.Image, "//") {
		out.ImageURL = optional("https://openparliament.ca" + p.Image)
	}
	terms := slices.Clone(p.Memberships) // in no order that anybody promises
	slices.SortStableFunc(terms, func(a, b openparliament.Membership) int { return strings.Compare(b.Start, a.Start) })
	for i, t := range terms {
		ms := Membership{
			Party:  Bilingual{En: plainText(t.PartyEn), Fr: plainText(t.PartyFr)},
			Riding: Bilingual{En: plainText(t.RidingEn), Fr: plainText(t.RidingFr)}, Province: plainText(t.Province),
			Label: Bilingual{En: plainText(t.LabelEn), Fr: plainText(t.LabelFr)}, StartedOn: plainText(t.Start),
			EndedOn: plainText(t.End),
		}
		out.Memberships = append(out.Memberships, ms)
		if i == 0 {
			out.Party, out.Riding = filled(out.Party, ms.Party), filled(out.Riding, ms.Riding)
			if out.Province == nil {
				out.Province = ms.Province
			}
		}
	}
	return out
}

func clean(s string) string { return value(plainText(s)) }

// filled sets the languages that b does not have from other.
func filled(b, other Bilingual) Bilingual {
	if b.En == nil {
		b.En = other.En
	}
	if b.Fr == nil {
		b.Fr = other.Fr
	}
	return b
}

// unaccented returns a text in lower case without accents, for search and sorting.
func unaccented(s string) string {
	out, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
	if err != nil {
		out = s
	}
	return strings.ToLower(out)
}

// sortKey returns the key that lists are sorted by: family name, given name, name.
func (p *Politician) sortKey() string {
	key := unaccented(value(p.FamilyName) + "\x01" + value(p.GivenName) + "\x01" + p.Name)
	for len(key) > maxSortKey/6 { // no character takes more than six bytes of a cursor for one of its own
		if raw, err := json.Marshal(key); err != nil || len(raw) <= maxSortKey {
			break
		}
		_, last := utf8.DecodeLastRuneInString(key)
		key = key[:len(key)-last]
	}
	return key
}

// maxSortKey limits the key in a cursor, so that no name makes a cursor that is too long.
const maxSortKey = 180

// MemberHash returns a hash of a list item, which shows whether the item changed since the politician was stored.
func MemberHash(m openparliament.Member) []byte {
	raw, _ := json.Marshal(m) // strings only
	sum := sha256.Sum256(raw)
	return sum[:]
}

// StoredMember says whether a listed politician is stored and up to date.
type StoredMember struct {
	Unchanged bool      // the list has what it had when the politician was stored
	AskedAt   time.Time // when the record was asked for; zero: that is not known
}

// StoredMembers returns the members of a list that are stored, by slug. The record of an unchanged member need not be
// requested. An item that has a name only cannot show that the record changed.
func (s *Store) StoredMembers(ctx context.Context, members []openparliament.Member) (map[string]StoredMember, error) {
	slugs := make([]string, len(members))
	hashes := map[string][]byte{}
	for i, m := range members {
		slugs[i], hashes[m.Slug] = m.Slug, MemberHash(m)
	}
	rows, err := s.q.PoliticianHashes(ctx, slugs)
	out := map[string]StoredMember{}
	for _, r := range rows {
		known := StoredMember{Unchanged: bytes.Equal(r.ListHash, hashes[r.Slug])}
		if r.AskedAt != nil {
			known.AskedAt = *r.AskedAt
		}
		out[r.Slug] = known
	}
	return out, err
}

// DepartedMembers returns politicians who are stored as current members and are not in the given list of current
// members, in the form of list items for former members.
func (s *Store) DepartedMembers(
	ctx context.Context, members []openparliament.Member, limit int,
) ([]openparliament.Member, error) {
	slugs := make([]string, len(members))
	for i, m := range members {
		slugs[i] = m.Slug
	}
	//nolint:gosec // bounded by the config
	rows, err := s.q.DepartedPoliticians(ctx, sql.DepartedPoliticiansParams{Slugs: slugs, Limit: int32(limit)})
	out := make([]openparliament.Member, len(rows))
	for i, r := range rows {
		out[i] = openparliament.Member{Slug: r.Slug, Name: r.Name}
	}
	return out, err
}

// SavePolitician stores a politician. Saving the same again changes nothing.
func (s *Store) SavePolitician(
	ctx context.Context, runID uuid.UUID, m openparliament.Member, p Politician, current bool,
) (Counts, error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return Counts{}, err
	}
	params := sql.UpsertPoliticianParams{
		Slug: p.Slug, IsCurrent: current, SortKey: p.sortKey(), Party: p.Party.En, Province: p.Province,
		Search: unaccented(p.Name + "\n" + value(p.Riding.En) + "\n" + value(p.Riding.Fr)), Doc: doc, ListHash: MemberHash(m),
		At: time.Now().UTC().Truncate(time.Microsecond), RunID: &runID,
	}
	if p.PersonID != nil {
		id := int64(*p.PersonID)
		params.PersonID = &id
	}
	r, err := s.q.UpsertPolitician(ctx, params)
	switch {
	case err != nil:
		return Counts{}, fmt.Errorf("save politician %s: %w", p.Slug, err)
	case r.Created:
		return Counts{Created: 1}, nil
	case r.Changed:
		return Counts{Updated: 1}, nil
	}
	return Counts{Unchanged: 1}, nil
}

// SetCurrentPoliticians marks the politicians with the slugs as current members, and all others as former ones. It
// returns how many politicians changed.
func (s *Store) SetCurrentPoliticians(ctx context.Context, runID uuid.UUID, slugs []string) (int64, error) {
	return s.q.SetCurrentPoliticians(ctx, sql.SetCurrentPoliticiansParams{
		Slugs: slugs, At: time.Now().UTC().Truncate(time.Microsecond), RunID: &runID,
	})
}

// Politician returns one politician; ErrNotFound if there is none.
func (s *Store) Politician(ctx context.Context, slug string) (*StoredPolitician, error) {
	row, err := s.q.GetPolitician(ctx, slug)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("politician %q: %w", slug, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return storedPolitician(row)
}

func storedPolitician(row sql.Politician) (*StoredPolitician, error) {
	p := &StoredPolitician{Current: row.IsCurrent, FirstSeenAt: row.FirstSeenAt, UpdatedAt: row.UpdatedAt}
	if err := json.Unmarshal(row.Doc, &p.Politician); err != nil {
		return nil, fmt.Errorf("politician %s: %w", row.Slug, err)
	}
	return p, nil
}

// SponsoredBills lists the bills of a politician, latest introduced first.
func (s *Store) SponsoredBills(ctx context.Context, p *StoredPolitician, limit int) ([]StoredBill, error) {
	if p.PersonID == nil {
		return []StoredBill{}, nil
	}
	id := int64(*p.PersonID)
	//nolint:gosec // bounded by the contract
	rows, err := s.q.BillsOfSponsor(ctx, sql.BillsOfSponsorParams{PersonID: &id, Limit: int32(limit)})
	if err != nil {
		return nil, err
	}
	return s.stored(ctx, rows)
}

// PoliticianFilter narrows a list of politicians. Empty fields do not narrow it.
type PoliticianFilter struct {
	Current            *bool
	Party, Province, Q string
	After              *PoliticianCursor
	Limit              int
}

// PoliticianCursor is the place of a politician in a list.
type PoliticianCursor struct {
	Rank int    `json:"r,omitempty"` // among those who were looked for
	Key  string `json:"k"`
	Slug string `json:"s"`
}

// Cursor returns the politician's place in a list.
func (p *StoredPolitician) Cursor() PoliticianCursor {
	return PoliticianCursor{Rank: p.rank, Key: p.sortKey(), Slug: p.Slug}
}

// Politicians lists politicians by family name. Exact matches of the query come first. If no politician matches all of
// the query, it lists those whose names and ridings are spelled similarly.
func (s *Store) Politicians(ctx context.Context, f PoliticianFilter) ([]StoredPolitician, error) {
	p := sql.ListPoliticiansParams{
		IsCurrent: f.Current, Party: optional(f.Party), Province: optional(f.Province),
		Limit:  int32(f.Limit), //nolint:gosec // bounded by the contract
		People: []string{}, Ranks: []int32{}, Patterns: []string{}, Names: []string{}, Tokens: []string{},
	}
	if strings.TrimSpace(f.Q) != "" {
		if some, err := s.lookFor(ctx, f.Q, &p); !some || err != nil {
			return []StoredPolitician{}, err
		}
	}
	if f.After != nil {
		//nolint:gosec // a small number
		p.After, p.AfterRank, p.AfterKey, p.AfterSlug = true, int32(f.After.Rank), f.After.Key, f.After.Slug
	}
	rows, err := s.lists.ListPoliticians(ctx, p)
	if err != nil {
		return nil, err
	}
	out := make([]StoredPolitician, len(rows))
	for i, row := range rows {
		one, err := storedPolitician(sql.Politician{
			Slug: row.Slug, IsCurrent: row.IsCurrent, Doc: row.Doc, FirstSeenAt: row.FirstSeenAt, UpdatedAt: row.UpdatedAt,
		})
		if err != nil {
			return nil, err
		}
		out[i], out[i].rank = *one, int(row.Rank)
	}
	return out, nil
}

// honorifics are words that stand before names.
var honorifics = wordSet("dr hon honorable honourable l m madame mister monsieur mme mr mrs ms rt right the tres very")

func isHonorific(word string) bool { return honorifics[word] }

func isInitial(word string) bool { return honorifics[word] || utf8.RuneCountInString(word) < 2 }

// withoutMinorWords removes words that say little, unless no others are left.
func withoutMinorWords(words []string, little func(string) bool) []string {
	if rest := slices.DeleteFunc(slices.Clone(words), little); len(rest) > 0 {
		return rest
	}
	return words
}

// lookFor narrows a list to the politicians that match a query; some is false if none does. The result depends on the
// query and the stored politicians only, so that all pages belong to the same list.
func (s *Store) lookFor(ctx context.Context, q string, p *sql.ListPoliticiansParams) (some bool, err error) {
	said, err := s.q.PoliticianWords(ctx, db.CleanText(q))
	if err != nil {
		return false, err
	}
	words, joined := strings.Fields(said.Words), strings.Fields(said.Joined)
	if len(words) == 0 {
		return false, nil
	}
	bare := withoutMinorWords(words, isInitial)
	for i, w := range [][]string{words, withoutMinorWords(words, isHonorific), bare} {
		patterns := make([]string, len(w))
		for i := range w {
			patterns[i] = "%" + w[i] + "%"
		}
		found, err := s.q.AnyPolitician(ctx, patterns)
		if err != nil {
			return false, err
		}
		if found {
			other := [][]string{joined, withoutMinorWords(joined, isHonorific), withoutMinorWords(joined, isInitial)}[i]
			p.Patterns, p.Tokens, p.Names = patterns, w, []string{inOrder(w), inOrder(other)}
			return true, nil
		}
	}
	people, err := s.q.PoliticiansByWords(ctx)
	if err != nil {
		return false, err
	}
	for _, person := range people {
		if rank, ok := resembles(bare, person.Words); ok {
			p.People, p.Ranks = append(p.People, person.Slug), append(p.Ranks, rank)
		}
	}
	return len(p.People) > 0, nil
}

func inOrder(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), " ")
}

// resembles reports whether each word is spelled like one of a person's, and how many letters all of them differ by.
// The lines of a person's words are the name and the ridings, each also with joined words; see politicians.words.
func resembles(words []string, person string) (rank int32, ok bool) {
	lines := strings.Split(person, "\n")
	name, all := lines[0], strings.Fields(person)
	if len(lines) > 1 {
		name += " " + lines[1]
	}
	names := strings.Fields(name)
	same, wrong, elsewhere := false, 0, 0
	for _, w := range words {
		nearest, in, length := nearestOf(w, names), 0, utf8.RuneCountInString(w)
		if other := nearestOf(w, all); other < nearest {
			nearest, in = other, 1
		}
		limit := within(length)
		if length == 2 || length == 3 { // with others
			limit = 1
		}
		if nearest > limit {
			return 0, false
		}
		same = same || nearest == 0 || length > 2
		wrong, elsewhere = wrong+nearest, elsewhere+in
	}
	missing := max(0, len(strings.Fields(lines[0]))-len(words))
	return int32(10*wrong + 2*elsewhere + min(1, missing)), same && len(words) > 0
}

// nearestOf returns the smallest number of letters by which a word differs from one of the others.
func nearestOf(word string, others []string) int {
	const far = 3
	nearest := far
	for _, o := range others {
		nearest = min(nearest, edits(word, o, 2))
	}
	return nearest
}
