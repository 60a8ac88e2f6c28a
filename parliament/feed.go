package parliament

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// FeedItem is a change of a bill, as feeds tell it.
type FeedItem struct {
	BillID      string    `json:"-"`
	Version     int       `json:"-"`
	PublishedAt time.Time `json:"-"` // when it happened
	NoticedAt   time.Time `json:"-"`
	// As the bill was then.
	Number     string    `json:"number"`
	Title      Bilingual `json:"title"`
	ShortTitle Bilingual `json:"short_title"`
	Status     Bilingual `json:"status"`
	Summary    Bilingual `json:"summary"`
	Sponsor    *string   `json:"sponsor"`
	// Fields are those that changed; empty for a new bill.
	Fields []string `json:"fields"`
	// From is the status before, if that changed.
	From *Bilingual `json:"from"`
}

// feedDoc is what is stored of an item.
type feedDoc struct {
	FeedItem
	NoticedAt time.Time `json:"noticed_at"`
}

// FeedCounts says what bringing feeds up to date came to.
type FeedCounts struct {
	Items int
	Feeds int // that have new items
}

// UpdateFeeds makes items of what changed since the last time. Doing it twice changes nothing. progress hears how many
// there are. Items and the number that tells of them (see FeedState) are one transaction, some hundred bills at a time:
// an update that is cut off leaves feeds that are right as far as it came, and the next one goes on from there.
func (s *Store) UpdateFeeds(ctx context.Context, maxItems int, progress func(items int)) (FeedCounts, error) {
	var counts FeedCounts
	touched := map[string]bool{}
	for after, more := "", true; more; {
		var n int
		var last string
		err := s.db.Tx(ctx, func(tx pgx.Tx) (err error) {
			n, last, more, err = s.updateFeeds(ctx, s.q.WithTx(tx), after, touched)
			return err
		})
		if err != nil {
			return counts, err
		}
		after = last
		if counts.Items += n; n > 0 {
			progress(counts.Items)
		}
	}
	counts.Feeds = len(touched)
	return counts, s.q.EndFeedUpdate(ctx, int32(maxItems)) //nolint:gosec // bounded by the config
}

const feedBatch = 500 // bills in one transaction

// updateFeeds makes the items of the next bills after one, in a transaction. last is the last of them; more says that
// there may be others.
func (s *Store) updateFeeds(ctx context.Context, q *sql.Queries, after string, touched map[string]bool) (items int, last string, more bool, err error) {
	kept, err := q.LockFeedState(ctx) // updates go one after the other
	if err != nil {
		return 0, after, false, err
	}
	bills, err := q.BillsForFeeds(ctx, sql.BillsForFeedsParams{After: after, MaxRows: feedBatch})
	if err != nil || len(bills) == 0 {
		return 0, after, false, err
	}
	oldest, err := oldestItems(ctx, q, kept)
	if err != nil {
		return 0, after, false, err
	}
	ids := make([]string, len(bills))
	for i, b := range bills {
		ids[i] = b.ID
	}
	rows, err := q.VersionsOfBills(ctx, ids)
	if err != nil {
		return 0, after, false, err
	}
	versions := map[string][]sql.VersionsOfBillsRow{}
	for _, r := range rows {
		versions[r.BillID] = append(versions[r.BillID], r)
	}
	var p sql.InsertFeedItemsParams
	for _, b := range bills {
		if err := addItems(&p, b, versions[b.ID], oldest, touched); err != nil {
			return 0, after, false, fmt.Errorf("feed items of bill %s: %w", b.ID, err)
		}
	}
	if len(p.BillIds) > 0 { // the table's trigger changes the generation
		if err := q.InsertFeedItems(ctx, p); err != nil {
			return 0, after, false, err
		}
	}
	return len(p.BillIds), ids[len(ids)-1], len(bills) == feedBatch, nil
}

// oldestItems is when the oldest item of each session happened before the present update began. It is kept until the
// update ends, for the rest of it and for the one that takes it up should it be cut off; kept is what was.
func oldestItems(ctx context.Context, q *sql.Queries, kept json.RawMessage) (map[string]time.Time, error) {
	var oldest map[string]time.Time
	if err := json.Unmarshal(kept, &oldest); err != nil || oldest != nil {
		return oldest, err
	}
	oldest = map[string]time.Time{}
	rows, err := q.OldestFeedItems(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		oldest[r.Session] = r.Oldest
	}
	raw, err := json.Marshal(oldest)
	if err != nil {
		return nil, err
	}
	return oldest, q.SetFeedOldest(ctx, raw)
}

// NotInFeeds counts the bills with a change from before a place in the history of all bills that feeds do not have, and
// names ten of them at most.
func (s *Store) NotInFeeds(ctx context.Context, before string) (n int, first []string, err error) {
	xid, err := placeXid(before)
	if err != nil {
		return 0, nil, err
	}
	rows, err := s.q.BillsNotInFeeds(ctx, xid)
	for _, r := range rows {
		n, first = int(r.N), append(first, r.ID)
	}
	return n, first, err
}

// addItems goes back from the bill as it is, undoing one change after the other, and makes an item of each version that
// feeds do not have.
func addItems(p *sql.InsertFeedItemsParams, row sql.BillsForFeedsRow, versions []sql.VersionsOfBillsRow, oldest map[string]time.Time, touched map[string]bool) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(row.Doc, &fields); err != nil {
		return err
	}
	for _, v := range versions { // the newest first
		if v.Version > row.Version {
			continue // made since
		}
		var changes []Change
		if err := json.Unmarshal(v.Changes, &changes); err != nil {
			return err
		}
		if v.Version > row.Done {
			raw, err := json.Marshal(fields)
			if err != nil {
				return err
			}
			var then Bill
			if err := json.Unmarshal(raw, &then); err != nil {
				return err
			}
			if err := addItem(p, then, v, changes, oldest, touched); err != nil {
				return err
			}
		}
		for _, c := range changes {
			fields[c.Field] = c.From
		}
	}
	return nil
}

func addItem(p *sql.InsertFeedItemsParams, b Bill, v sql.VersionsOfBillsRow, changes []Change, oldest map[string]time.Time, touched map[string]bool) error {
	doc := feedDoc{NoticedAt: v.CreatedAt, FeedItem: FeedItem{
		Number: b.Number, Title: b.Title, ShortTitle: b.ShortTitle, Status: Bilingual{En: b.Status.En, Fr: b.Status.Fr}, Summary: b.Summary, Fields: []string{},
	}}
	if b.Sponsor != nil {
		doc.Sponsor = b.Sponsor.Name
	}
	status := v.Version == 1 // it came with it
	happened := v.CreatedAt
	for _, c := range changes {
		doc.Fields = append(doc.Fields, c.Field)
		if c.Field == "status" {
			var from Status
			if err := json.Unmarshal(c.From, &from); err != nil {
				return err
			}
			status, doc.From = true, &Bilingual{En: from.En, Fr: from.Fr}
		}
	}
	if v.Version == 1 || slices.Contains(doc.Fields, "latest_activity_at") || slices.Contains(doc.Fields, "status") {
		if at, err := time.Parse(time.RFC3339, value(b.LatestActivityAt)); err == nil {
			happened = at
		} else if at, err := time.Parse(time.DateOnly, value(b.IntroducedOn)); err == nil {
			happened = at
		}
	}
	if happened.After(v.CreatedAt) {
		happened = v.CreatedAt
	}
	session := fmt.Sprintf("%d-%d", b.Parliament, b.Session)
	// Items stand where they were noticed, so that a reader who looks often misses none. Bills of a session that was not
	// held before, or from before what was held of it, are no news: they stand where they happened.
	place := v.CreatedAt
	if first, held := oldest[session]; v.Version == 1 && (!held || happened.Before(first)) {
		place = happened
	}
	touched["bills"], touched["session-"+session], touched["bill-"+b.ID] = true, true, true
	code, sponsor := "", int64(0)
	if status {
		if code = value(b.Status.Code); code != "" {
			touched["status-"+code] = true
		}
	}
	if b.Sponsor != nil && b.Sponsor.PersonID != nil {
		sponsor = int64(*b.Sponsor.PersonID)
		touched[fmt.Sprintf("sponsor-%d", sponsor)] = true
	}
	var committees []string
	for _, c := range b.Committees {
		acronym := strings.ToUpper(c.Acronym) // both chambers may have one by it
		if acronym != "" && !strings.Contains(acronym, ",") && !slices.Contains(committees, acronym) {
			committees = append(committees, acronym)
			touched["committee-"+acronym] = true
		}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	p.BillIds, p.Versions, p.Sessions, p.StatusCodes = append(p.BillIds, b.ID), append(p.Versions, v.Version), append(p.Sessions, session), append(p.StatusCodes, code)
	p.SponsorIds, p.Committees, p.PublishedAts, p.SortAts = append(p.SponsorIds, sponsor), append(p.Committees, strings.Join(committees, ",")), append(p.PublishedAts, happened.UTC()), append(p.SortAts, place.UTC())
	p.Docs = append(p.Docs, raw)
	return nil
}

// FeedState is how feeds are as a whole.
type FeedState struct {
	MaxItems int
	// Generation changes whenever a feed does.
	Generation int64
	// UpdatedAt is when it last did: whole seconds, and later each time.
	UpdatedAt time.Time
}

// FeedState reads it.
func (s *Store) FeedState(ctx context.Context) (FeedState, error) {
	r, err := s.q.GetFeedState(ctx)
	return FeedState{MaxItems: int(r.MaxItems), Generation: r.Generation, UpdatedAt: r.UpdatedAt}, err
}

// FeedContent is a feed: what it is called and its items, the newest first.
type FeedContent struct {
	// Name is how the feed is spelled, however it was asked for.
	Name  string
	Title Bilingual
	Items []FeedItem
}

// feedNames are made of nothing else. Hyphens that only look like one, blanks and the like name no feed.
var feedNames = regexp.MustCompile(`^[A-Za-z0-9-]{1,200}$`)

// Feed gives a feed by its name (see the contract's getFeed), in any case of letters; q is what the feed "search"
// searches for. ErrNotFound if there is none by that name.
func (s *Store) Feed(ctx context.Context, name, q string, limit int) (*FeedContent, error) {
	out := &FeedContent{}
	p := sql.ListFeedItemsParams{MaxRows: int32(limit)} //nolint:gosec // bounded by the config
	missing := fmt.Errorf("feed %q: %w", name, ErrNotFound)
	if !feedNames.MatchString(name) {
		return nil, fmt.Errorf("feed %q: %w: names of feeds are made of letters, digits and hyphens", name, ErrNotFound)
	}
	kind, of, _ := strings.Cut(name, "-")
	kind = strings.ToLower(kind)
	called := func(name, en, fr string) { out.Name, out.Title = name, Bilingual{En: &en, Fr: &fr} }
	switch kind {
	case "bills":
		if name = strings.ToLower(name); name != kind {
			return nil, missing
		}
		called(kind, "All bills", "Tous les projets de loi")
	case "session":
		if _, _, err := ParseSession(of); err != nil {
			return nil, missing
		}
		p.Session = &of
		called("session-"+of, "Bills of session "+of, "Projets de loi de la session "+of)
	case "status":
		code, words, ok := statusOfCode(of)
		if !ok {
			return nil, missing
		}
		p.Status = &code
		called("status-"+code, "Bills: "+words, "Projets de loi : "+words) // until an item says it in French
	case "sponsor":
		who, err := s.Politician(ctx, strings.ToLower(of))
		if errors.Is(err, ErrNotFound) || err == nil && who.PersonID == nil {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		id := int64(*who.PersonID)
		p.SponsorID = &id
		called("sponsor-"+who.Slug, "Bills of "+who.Name, "Projets de loi de "+who.Name)
	case "committee":
		acronym := strings.ToUpper(of)
		p.Committee = &acronym
		en, fr, err := s.committeeNames(ctx, acronym)
		if err != nil {
			return nil, err
		}
		called("committee-"+acronym, "Bills before "+en, "Projets de loi : "+fr)
	case "bill":
		i := strings.LastIndex(of, "-")
		if i > 0 { // 44-1-C-11: the number has a hyphen too
			i = strings.LastIndex(of[:i], "-")
		}
		if i <= 0 {
			return nil, missing
		}
		id, err := ParseBillID(of[:i], of[i+1:])
		if err != nil {
			return nil, missing
		}
		if _, err := s.bill(ctx, id); err != nil {
			return nil, err
		}
		key := id.String()
		p.BillID = &key
		called("bill-"+id.SessionCode()+"-"+id.Number(), "Bill "+id.Number()+" ("+id.SessionCode()+")", "Projet de loi "+id.Number()+" ("+id.SessionCode()+")")
	case "search":
		if name = strings.ToLower(name); name != kind || q == "" {
			return nil, missing
		}
		found, err := s.Search(ctx, SearchQuery{Q: q, Mode: SearchLexical, Limit: 500}, nil)
		if err != nil {
			return nil, err
		}
		p.BillIds = []string{}
		for _, hit := range found.Hits {
			p.BillIds = append(p.BillIds, hit.Bill.ID)
		}
		called(kind, "Bills: "+q, "Projets de loi : "+q)
	default:
		return nil, missing
	}
	rows, err := s.lists.ListFeedItems(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		var d feedDoc
		if err := json.Unmarshal(r.Doc, &d); err != nil {
			return nil, fmt.Errorf("feed item %s, %d: %w", r.BillID, r.Version, err)
		}
		item := d.FeedItem
		item.Summary = withoutImages(item.Summary)
		item.BillID, item.Version, item.PublishedAt, item.NoticedAt = r.BillID, int(r.Version), r.PublishedAt, d.NoticedAt
		out.Items = append(out.Items, item)
	}
	if len(out.Items) > 0 && kind == "status" && out.Items[0].Status.Fr != nil {
		out.Title.Fr = ptr("Projets de loi : " + *out.Items[0].Status.Fr)
	}
	if len(out.Items) == 0 && (kind == "session" || kind == "committee") {
		return nil, missing
	}
	return out, nil
}

// committeeNames gives what the committees by an acronym are called, in English and French: one name, or one of each
// chamber; the acronym if bills do not say it any more.
func (s *Store) committeeNames(ctx context.Context, acronym string) (en, fr string, err error) {
	rows, err := s.q.CommitteeNames(ctx, acronym)
	if err != nil {
		return "", "", err
	}
	var english, french []string
	for _, raw := range rows {
		var named Bilingual
		if err := json.Unmarshal(raw, &named); err != nil {
			return "", "", err
		}
		for _, one := range []struct {
			to   *[]string
			name string
		}{{&english, cmp.Or(value(named.En), value(named.Fr))}, {&french, cmp.Or(value(named.Fr), value(named.En))}} {
			if one.name != "" && !slices.Contains(*one.to, one.name) {
				*one.to = append(*one.to, one.name)
			}
		}
	}
	return cmp.Or(strings.Join(english, "; "), acronym), cmp.Or(strings.Join(french, " ; "), acronym), nil
}

// statusOfCode finds one of openparliament.ca's codes, in any case of letters, and LEGISinfo's words for it.
func statusOfCode(code string) (exact, words string, ok bool) {
	for words, c := range statusCodes {
		if strings.EqualFold(c, code) {
			return c, words, true
		}
	}
	return "", "", false
}

// FeedSummary is a feed in the list of feeds.
type FeedSummary struct {
	Name      string
	Title     Bilingual
	Items     int
	UpdatedAt *time.Time
}

// Feeds lists the feeds that there are, but for those of single bills, people, committees and searches.
func (s *Store) Feeds(ctx context.Context) ([]FeedSummary, error) {
	state, err := s.FeedState(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := s.q.FeedSessions(ctx)
	if err != nil {
		return nil, err
	}
	statuses, err := s.q.FeedStatuses(ctx)
	if err != nil {
		return nil, err
	}
	text := func(en, fr string) Bilingual { return Bilingual{En: &en, Fr: &fr} }
	all := FeedSummary{Name: "bills", Title: text("All bills", "Tous les projets de loi")}
	out := []FeedSummary{}
	for _, r := range sessions {
		all.Items += int(r.N)
		if all.UpdatedAt == nil || r.Latest.After(*all.UpdatedAt) {
			all.UpdatedAt = &r.Latest
		}
		out = append(out, FeedSummary{Name: "session-" + r.Session, Title: text("Bills of session "+r.Session, "Projets de loi de la session "+r.Session), Items: min(int(r.N), state.MaxItems), UpdatedAt: &r.Latest})
	}
	slices.SortFunc(out, func(a, b FeedSummary) int {
		return compareNumbers(strings.TrimPrefix(b.Name, "session-"), strings.TrimPrefix(a.Name, "session-"))
	})
	for _, r := range statuses {
		if _, words, ok := statusOfCode(r.StatusCode); ok {
			out = append(out, FeedSummary{Name: "status-" + r.StatusCode, Title: text("Bills: "+words, "Projets de loi : "+cmp.Or(r.French, words)), Items: min(int(r.N), state.MaxItems), UpdatedAt: &r.Latest})
		}
	}
	all.Items = min(all.Items, state.MaxItems)
	return append([]FeedSummary{all}, out...), nil
}

// BillChange is a version in the history of all bills.
type BillChange struct {
	BillID string
	Version
}

// ChangeCursor is a place in that history.
type ChangeCursor struct {
	Xid     uint64     `json:"x"`
	Bill    string     `json:"b"`
	Version int        `json:"v"`
	Since   *time.Time `json:"s,omitempty"`
}

// Changes gives the versions after a place, in the order in which they became visible, and the place after them. Of the
// filter, session, type, chamber, year, committee and sponsor count: it chooses bills as they are now.
func (s *Store) Changes(ctx context.Context, f BillFilter, after ChangeCursor, limit int) ([]BillChange, ChangeCursor, error) {
	n, err := s.narrow(ctx, f)
	if err != nil || n.none {
		return []BillChange{}, after, err
	}
	rows, err := s.lists.ListBillChanges(ctx, sql.ListBillChangesParams{
		AfterXid: after.Xid, AfterID: after.Bill, AfterVersion: int32(after.Version), Since: after.Since, //nolint:gosec // a small number
		Filtered:   n.parliament != nil || len(n.kinds) > 0 || n.chamber != nil || n.from != nil || n.committee != nil || n.sponsored,
		Parliament: n.parliament, Session: n.session, Kinds: n.kinds, Chamber: n.chamber, IntroducedFrom: n.from, IntroducedTo: n.to, Committee: n.committee,
		Sponsored: n.sponsored, SponsorIds: n.sponsorIDs, SponsorName: n.sponsorName, MaxRows: int32(limit), //nolint:gosec // bounded by the contract
	})
	if err != nil {
		return nil, after, err
	}
	out := make([]BillChange, len(rows))
	for i, r := range rows {
		out[i] = BillChange{BillID: r.BillID, Version: Version{Version: int(r.Version), RunID: r.RunID, CreatedAt: r.CreatedAt}}
		if err := json.Unmarshal(r.Changes, &out[i].Changes); err != nil {
			return nil, after, fmt.Errorf("version %d of bill %s: %w", r.Version, r.BillID, err)
		}
		cleanChanges(out[i].Changes)
		after = ChangeCursor{Xid: r.Xid, Bill: r.BillID, Version: int(r.Version), Since: after.Since}
	}
	return out, after, nil
}
