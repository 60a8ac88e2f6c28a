package parliament

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// FeedCounts is the result of an update of the feeds.
type FeedCounts struct {
	Items int
	Feeds int // that have new items
}

// UpdateFeeds adds an item for each change since the last update. A second call changes nothing. It calls progress with
// the number of items so far. Each transaction holds some hundred bills, with their items and the new generation (see
// FeedState). So an interrupted update leaves correct feeds, and the next update continues from there.
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

// updateFeeds adds the items of the next bills after one, in a transaction. last is the last of these bills, and more
// reports that others may follow.
func (s *Store) updateFeeds(
	ctx context.Context, q *sql.Queries, after string, touched map[string]bool,
) (items int, last string, more bool, err error) {
	kept, err := q.LockFeedState(ctx) // updates go one after the other
	if err != nil {
		return 0, after, false, err
	}
	bills, err := q.BillsForFeeds(ctx, sql.BillsForFeedsParams{After: after, Limit: feedBatch})
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

// oldestItems returns the time of each session's oldest item before the current update began. It is stored until the
// update ends, so that an interrupted update continues with the same times. kept is the stored value.
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

// NotInFeeds counts the bills with a change from before a place in the history of all bills that is not in the feeds.
// It returns at most ten of their ids.
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

// addItems starts from the current bill, undoes one change after the other, and adds an item for each version that the
// feeds do not have.
func addItems(
	p *sql.InsertFeedItemsParams, row sql.BillsForFeedsRow, versions []sql.VersionsOfBillsRow, oldest map[string]time.Time,
	touched map[string]bool,
) error {
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

// addItem adds the item of one version of a bill, and notes the feeds that it touches.
func addItem(
	p *sql.InsertFeedItemsParams, b Bill, v sql.VersionsOfBillsRow, changes []Change, oldest map[string]time.Time,
	touched map[string]bool,
) error {
	doc := feedDoc{NoticedAt: v.CreatedAt, FeedItem: FeedItem{
		Number: b.Number, Title: b.Title, ShortTitle: b.ShortTitle, Status: Bilingual{En: b.Status.En, Fr: b.Status.Fr},
		Summary: b.Summary, Fields: []string{},
	}}
	if b.Sponsor != nil {
		doc.Sponsor = b.Sponsor.Name
	}
	status := v.Version == 1 // it came with it
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
	happened := happenedAt(b, v, doc.Fields)
	session := fmt.Sprintf("%d-%d", b.Parliament, b.Session)
	// Items are sorted by the time at which the change was noticed, so that a regular reader misses none. Bills of a
	// session that is new to the store, and bills older than its stored ones, are not news: they are sorted by the time of
	// the change.
	place := v.CreatedAt
	if first, held := oldest[session]; v.Version == 1 && (!held || happened.Before(first)) {
		place = happened
	}
	touched["bills"], touched["session-"+session], touched["bill-"+b.ID] = true, true, true
	code, sponsor := "", int64(0)
	if c := value(b.Status.Code); status && c != "" {
		code = c
		touched["status-"+code] = true
	}
	if b.Sponsor != nil && b.Sponsor.PersonID != nil {
		sponsor = int64(*b.Sponsor.PersonID)
		touched[fmt.Sprintf("sponsor-%d", sponsor)] = true
	}
	committees := feedCommittees(b)
	for _, acronym := range committees {
		touched["committee-"+acronym] = true
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	p.BillIds = append(p.BillIds, b.ID)
	p.Versions = append(p.Versions, v.Version)
	p.Sessions = append(p.Sessions, session)
	p.StatusCodes = append(p.StatusCodes, code)
	p.SponsorIds = append(p.SponsorIds, sponsor)
	p.Committees = append(p.Committees, strings.Join(committees, ","))
	p.PublishedAts = append(p.PublishedAts, happened.UTC())
	p.SortAts = append(p.SortAts, place.UTC())
	p.Docs = append(p.Docs, raw)
	return nil
}

// happenedAt returns when what a version shows happened: the bill's latest activity if that changed, and never after
// the version was stored.
func happenedAt(b Bill, v sql.VersionsOfBillsRow, fields []string) time.Time {
	happened := v.CreatedAt
	if v.Version == 1 || slices.Contains(fields, "latest_activity_at") || slices.Contains(fields, "status") {
		if at, err := time.Parse(time.RFC3339, value(b.LatestActivityAt)); err == nil {
			happened = at
		} else if at, err := time.Parse(time.DateOnly, value(b.IntroducedOn)); err == nil {
			happened = at
		}
	}
	if happened.After(v.CreatedAt) {
		happened = v.CreatedAt
	}
	return happened
}

// feedCommittees returns the acronyms of a bill's committees that have feeds. A committee of each chamber may have the
// same acronym.
func feedCommittees(b Bill) []string {
	var committees []string
	for _, c := range b.Committees {
		acronym := strings.ToUpper(c.Acronym)
		if acronym != "" && !strings.Contains(acronym, ",") && !slices.Contains(committees, acronym) {
			committees = append(committees, acronym)
		}
	}
	return committees
}
