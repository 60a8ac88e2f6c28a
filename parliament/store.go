package parliament

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// Store reads and writes bills, politicians, feeds and fetch logs. Make one with NewStore. It is safe for concurrent
// use.
type Store struct {
	db    *db.DB
	q     *sql.Queries
	lists *sql.Queries
}

// NewStore makes a store on a migrated database.
func NewStore(d *db.DB) *Store {
	return &Store{db: d, q: sql.New(d.Durable()), lists: sql.New(d.Lists())}
}

// ErrNotFound is the error for a bill, politician or feed that does not exist.
var ErrNotFound = errors.New("not found")

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Held gives the parts held of bills, by id; those not held are missing. A detail that an older version of the program
// read is read again from the record, where that is held; Save stores it so with whatever is next saved of the bill.
func (s *Store) Held(ctx context.Context, ids []string) (map[string]SourceRecords, error) {
	rows, err := s.q.BillSourceStates(ctx, ids)
	if err != nil {
		return nil, err
	}
	held := make(map[string]SourceRecords, len(rows))
	for _, r := range rows {
		var p SourceRecords
		if err := json.Unmarshal(r.Parts, &p); err != nil {
			return nil, fmt.Errorf("parts of bill %s: %w", r.ID, err)
		}
		held[r.ID] = p
	}
	if err := reread(ctx, s.q, held); err != nil {
		return nil, err
	}
	return held, nil
}

// IntroductionOfLatest gives the day on which the last of the limit latest stored bills was introduced; ok is
// false if there are fewer.
func (s *Store) IntroductionOfLatest(ctx context.Context, limit int) (day time.Time, ok bool, err error) {
	d, err := s.q.NewestIntroduction(ctx, int32(limit-1)) //nolint:gosec // a small number
	if errors.Is(err, pgx.ErrNoRows) {
		return day, false, nil
	}
	if err != nil || d == nil {
		return day, false, err
	}
	return *d, true, nil
}

// Bill returns one bill; ErrNotFound if it is not held.
func (s *Store) Bill(ctx context.Context, id BillID) (*StoredBill, error) {
	row, err := s.bill(ctx, id)
	if err != nil {
		return nil, err
	}
	bills, err := s.stored(ctx, []sql.Bill{row})
	if err != nil {
		return nil, err
	}
	return &bills[0], nil
}

func (s *Store) bill(ctx context.Context, id BillID) (sql.Bill, error) {
	row, err := s.q.GetBill(ctx, id.String())
	if errors.Is(err, pgx.ErrNoRows) {
		return row, fmt.Errorf("bill %s: %w", id, ErrNotFound)
	}
	return row, err
}

// BillFilter narrows a list of bills, and says in which order it is; empty fields do not.
type BillFilter struct {
	Parliament, Session int // both or neither
	Status              string
	Law                 *bool
	Q                   string // part of the number or of a title, however it is written; or numbers, with their sessions
	Type                string // "government", "private member's", or words of a type in either language
	Chamber             string // "house" or "senate", or the name of one in either language
	Year                int    // of introduction
	Committee           string // acronym, or name in either language
	Sponsor             string // slug, person id or name; one that is not known has no bills
	UpdatedSince        time.Time
	// Sort is ByIntroduction (if empty), ByUpdate or ByLatestActivity; the latest come first, or last if Ascending.
	Sort      string
	Ascending bool
	After     *BillCursor
	Limit     int
}

// idPatterns gives the patterns that the ids of bills or their words have if a text is part of them. There is none for
// a text without words. A single number without a session is part of a number or of a title; others are whole.
func idPatterns(plain, words string) (ids []string, text *string) {
	if words == "" {
		return nil, nil
	}
	query := parseQuery(plain)
	if !query.onlyNumbers() || query.strict() {
		return []string{""}, ptr("%" + words + "%") // no bill has this id
	}
	for _, n := range query.numbers {
		session := cmp.Or(n.session, "%")
		if strings.HasSuffix(session, "-") {
			session += "%"
		}
		ids = append(ids, fmt.Sprintf("%s/%s-%d%s", session, cmp.Or(n.prefix, "_"), n.digits, n.suffix))
	}
	n := query.numbers[0]
	switch {
	case len(ids) > 1 || n.session != "":
		return ids, nil
	case n.prefix != "":
		words = fmt.Sprintf("%s %d%s", n.prefix, n.digits, n.suffix)
	}
	return []string{ids[0] + "%"}, ptr("%" + strings.ToLower(words) + "%")
}

// stored reads rows, and links sponsors to the politicians that they are.
func (s *Store) stored(ctx context.Context, rows []sql.Bill) ([]StoredBill, error) {
	bills := make([]StoredBill, len(rows))
	var people []int64
	for i, row := range rows {
		b, err := storedBill(row)
		if err != nil {
			return nil, err
		}
		if bills[i] = *b; b.Sponsor != nil && b.Sponsor.PersonID != nil {
			people = append(people, int64(*b.Sponsor.PersonID))
		}
	}
	if len(people) == 0 {
		return bills, nil
	}
	slugs, err := s.q.SlugsOfPeople(ctx, people)
	if err != nil {
		return nil, err
	}
	known := map[int]string{}
	for _, r := range slugs {
		known[int(r.PersonID)] = r.Slug
	}
	for _, b := range bills {
		if b.Sponsor != nil && b.Sponsor.PersonID != nil {
			b.Sponsor.Politician = optional(known[*b.Sponsor.PersonID])
		}
	}
	return bills, nil
}

func storedBill(row sql.Bill) (*StoredBill, error) {
	b := &StoredBill{
		OpenParliamentAt: row.OpenparliamentAt, LegisinfoAt: row.LegisinfoAt, Version: int(row.Version),
		FirstSeenAt: row.FirstSeenAt, UpdatedAt: row.UpdatedAt, LastRunID: row.LastRunID, MissingSince: row.MissingSince,
		activity: row.LatestActivityAt,
	}
	if err := json.Unmarshal(row.Doc, &b.Bill); err != nil {
		return nil, fmt.Errorf("bill %s: %w", row.ID, err)
	}
	b.Summary = withoutImages(b.Summary)
	return b, nil
}

// CountBills is how many bills are held.
func (s *Store) CountBills(ctx context.Context) (int, error) {
	n, err := s.q.CountBills(ctx)
	return int(n), err
}

// Versions lists the versions of a bill, newest first, that are older than before if it is not 0.
func (s *Store) Versions(ctx context.Context, id BillID, before, limit int) ([]Version, error) {
	p := sql.ListBillVersionsParams{BillID: id.String(), Limit: int32(limit)} //nolint:gosec // bounded by the contract
	if before > 0 {
		b := int32(before) //nolint:gosec // a small number
		p.Before = &b
	}
	rows, err := s.lists.ListBillVersions(ctx, p)
	if err != nil {
		return nil, err
	}
	versions := make([]Version, len(rows))
	for i, row := range rows {
		versions[i] = Version{Version: int(row.Version), RunID: row.RunID, CreatedAt: row.CreatedAt}
		if err := json.Unmarshal(row.Changes, &versions[i].Changes); err != nil {
			return nil, fmt.Errorf("version %d of bill %s: %w", row.Version, id, err)
		}
		cleanChanges(versions[i].Changes)
	}
	return versions, nil
}
