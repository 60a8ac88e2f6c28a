package parliament

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// Record is what a fetch read of a bill. A part that was not fetched is nil; the stored part stays.
type Record struct {
	ID BillID
	SourceRecords
	// FetchedAt is the time of the requests. Stored data of a later time stays.
	FetchedAt time.Time
}

// Counts is the result of saving. A bill that an earlier attempt of the same run saved counts as that attempt would
// have counted it.
type Counts struct{ Created, Updated, Unchanged int }

// Add adds the counts of o.
func (c *Counts) Add(o Counts) {
	c.Created += o.Created
	c.Updated += o.Updated
	c.Unchanged += o.Unchanged
}

// Save merges records with the stored ones and stores the bills that changed, each change as a new version, all in one
// transaction. Saving the same records again changes nothing.
func (s *Store) Save(ctx context.Context, runID uuid.UUID, records []Record) (Counts, error) {
	var counts Counts
	if len(records) == 0 {
		return counts, nil
	}
	err := s.db.Tx(ctx, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		if err := q.LockBills(ctx); err != nil {
			return err
		}
		ids := make([]string, len(records))
		for i, r := range records {
			ids[i] = r.ID.String()
		}
		rows, err := q.BillsByIDs(ctx, ids)
		if err != nil {
			return err
		}
		held := make(map[string]*heldBill, len(rows))
		parts := make(map[string]SourceRecords, len(rows))
		for i := range rows {
			held[rows[i].ID] = &heldBill{Bill: &rows[i]}
			if err := json.Unmarshal(rows[i].Parts, &held[rows[i].ID].stored); err != nil {
				return fmt.Errorf("parts of bill %s: %w", rows[i].ID, err)
			}
			parts[rows[i].ID] = held[rows[i].ID].stored
		}
		if err := reread(ctx, q, parts); err != nil {
			return err
		}
		for id := range held {
			held[id].parts = parts[id]
		}
		b := batch{runID: runID, at: time.Now().UTC().Truncate(time.Microsecond), seen: map[string]bool{}}
		for _, r := range records {
			if err := b.add(r, held[r.ID.String()]); err != nil {
				return fmt.Errorf("bill %s: %w", r.ID, err)
			}
		}
		counts = b.counts
		return b.write(ctx, q)
	})
	if err != nil {
		return Counts{}, fmt.Errorf("save bills: %w", err)
	}
	return counts, nil
}

// heldBill is a stored bill with its source records: as they are stored, and as the current version of the program
// parses them.
type heldBill struct {
	*sql.Bill
	stored, parts SourceRecords
}

// batch collects the rows to write.
type batch struct {
	runID    uuid.UUID
	at       time.Time
	counts   Counts
	seen     map[string]bool
	bills    sql.UpsertBillsParams
	versions sql.InsertBillVersionsParams
	records  []sql.SaveBillRecordParams
}

// add adds the rows of a record. It is long, because it decides in one place what the record changes.
func (b *batch) add(r Record, held *heldBill) error {
	id := r.ID.String()
	if b.seen[id] {
		return errors.New("it is twice in one batch")
	}
	b.seen[id] = true
	if held != nil && held.LegisinfoAt != nil && olderThanStored(r.FetchedAt, *held.LegisinfoAt) {
		r.Item, r.Detail = nil, nil // a fetch that asked earlier may store later: what it has is out of date
	}
	if held != nil && held.OpenparliamentAt != nil && olderThanStored(r.FetchedAt, *held.OpenparliamentAt) {
		r.OpenParliament = nil
	}
	if r.Detail != nil && len(r.Detail.Raw) > 0 {
		b.records = append(b.records, sql.SaveBillRecordParams{
			BillID: id, Record: r.Detail.Raw, ItemHash: r.Detail.ItemHash, FetchedAt: r.FetchedAt,
		})
	}
	parts, opAt, liAt := combine(r, held)
	partsJSON, err := json.Marshal(parts)
	if err != nil {
		return err
	}
	bill := Merge(r.ID, parts)
	doc, err := json.Marshal(bill)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(doc)
	version, updatedAt, lastRun := int32(1), b.at, b.runID
	var changes json.RawMessage
	if held != nil {
		version, updatedAt = held.Version, held.UpdatedAt
		if held.LastRunID != nil {
			lastRun = *held.LastRunID
		}
		if changes, err = changesOf(r.ID, held, parts, doc, sum[:]); err != nil {
			return err
		}
	}
	switch {
	case held == nil:
		b.counts.Created++
		b.addVersion(id, version, json.RawMessage("[]"))
	case changes == nil:
		b.countUnchanged(held)
		if bytes.Equal(sum[:], held.ContentHash) && reflect.DeepEqual(held.stored, parts) {
			return nil
		}
		// Nothing that the bill shows has changed, or this version of the program shows more. Store the records nevertheless,
		// or they would be fetched again.
	default:
		version, updatedAt, lastRun = held.Version+1, b.at, b.runID
		if held.LastRunID != nil && *held.LastRunID == b.runID && held.Version == 1 {
			b.counts.Created++
		} else {
			b.counts.Updated++
		}
		b.addVersion(id, version, changes)
	}
	b.addBill(r.ID, bill, doc, sum[:], partsJSON, version, opAt, liAt, updatedAt, lastRun)
	return nil
}

// countUnchanged counts a bill that is stored already. If an earlier attempt of this run stored it, it counts as that
// attempt counted it.
func (b *batch) countUnchanged(held *heldBill) {
	switch {
	case held.LastRunID == nil || *held.LastRunID != b.runID:
		b.counts.Unchanged++
	case held.Version == 1:
		b.counts.Created++
	default:
		b.counts.Updated++
	}
}

// changesOf lists the changes of a bill; nil if there are none. It merges the stored records again for the comparison,
// and takes the values that an older version of the program did not read from the new records. So a difference between
// two versions of the program does not count as a change of the bill.
func changesOf(id BillID, held *heldBill, parts SourceRecords, doc, hash []byte) (json.RawMessage, error) {
	if bytes.Equal(hash, held.ContentHash) {
		return nil, nil
	}
	before := held.parts
	if before.Detail != nil && parts.Detail != nil {
		d := *before.Detail
		d.Adopt(parts.Detail)
		before.Detail = &d
	}
	was, err := json.Marshal(Merge(id, before))
	if err != nil || bytes.Equal(was, doc) {
		return nil, err
	}
	changes, err := diff(was, doc)
	if string(changes) == "[]" {
		return nil, err
	}
	return changes, err
}

// combine merges fetched records over the stored ones. opAt and liAt say when the resulting data of each source was
// fetched.
func combine(r Record, held *heldBill) (parts SourceRecords, opAt, liAt time.Time) {
	if held != nil {
		parts = held.parts
		if held.OpenparliamentAt != nil {
			opAt = *held.OpenparliamentAt
		}
		if held.LegisinfoAt != nil {
			liAt = *held.LegisinfoAt
		}
	}
	if r.OpenParliament != nil && !reflect.DeepEqual(r.OpenParliament, parts.OpenParliament) {
		parts.OpenParliament, opAt = r.OpenParliament, r.FetchedAt
	}
	if r.Item != nil && !reflect.DeepEqual(r.Item, parts.Item) {
		parts.Item, liAt = r.Item, r.FetchedAt
	}
	if r.Detail != nil {
		d := *r.Detail
		d.Raw = nil
		if !reflect.DeepEqual(&d, parts.Detail) {
			parts.Detail, liAt = &d, r.FetchedAt
		}
	}
	return parts, opAt, liAt
}

// olderThanStored reports whether the fetched data is older than the stored data. A stored time in the future is a
// clock error and does not prevent storing.
func olderThanStored(fetchedAt, heldAt time.Time) bool {
	return fetchedAt.Before(heldAt) && heldAt.Before(time.Now())
}

func (b *batch) addVersion(id string, version int32, changes json.RawMessage) {
	b.versions.BillIds = append(b.versions.BillIds, id)
	b.versions.Versions = append(b.versions.Versions, version)
	b.versions.Changes = append(b.versions.Changes, changes)
}

func (b *batch) addBill(
	id BillID, bill Bill, doc, hash []byte, parts json.RawMessage, version int32, opAt, liAt, updatedAt time.Time,
	lastRun uuid.UUID,
) {
	p := &b.bills
	p.Ids = append(p.Ids, bill.ID)
	p.Parliaments = append(p.Parliaments, int32(id.Parliament)) //nolint:gosec // three digits
	p.Sessions = append(p.Sessions, int32(id.Session))          //nolint:gosec // two digits
	p.Prefixes = append(p.Prefixes, id.Prefix)
	p.Digits = append(p.Digits, int32(id.Digits)) //nolint:gosec // five digits
	p.Suffixes = append(p.Suffixes, id.Suffix)
	p.Introduced = append(p.Introduced, value(bill.IntroducedOn))
	p.StatusCodes = append(p.StatusCodes, value(bill.Status.Code))
	p.Laws = append(p.Laws, bill.Law)
	p.Searches = append(p.Searches, searchText(bill))
	p.Docs = append(p.Docs, doc)
	p.Hashes = append(p.Hashes, hash)
	p.Parts = append(p.Parts, parts)
	p.Versions = append(p.Versions, version)
	p.OpenparliamentAts = append(p.OpenparliamentAts, opAt)
	p.LegisinfoAts = append(p.LegisinfoAts, liAt)
	p.UpdatedAts = append(p.UpdatedAts, updatedAt)
	p.LastRunIds = append(p.LastRunIds, lastRun)
}

func (b *batch) write(ctx context.Context, q *sql.Queries) error {
	if len(b.bills.Ids) > 0 {
		b.bills.At = b.at
		if err := q.UpsertBills(ctx, b.bills); err != nil {
			return err
		}
	}
	// Insert one record at a time: a record can have 64 MiB, and Postgres accepts one gigabyte per statement.
	for _, r := range b.records {
		if err := q.SaveBillRecord(ctx, r); err != nil {
			return err
		}
	}
	if len(b.versions.BillIds) == 0 {
		return nil
	}
	b.versions.At, b.versions.RunID = b.at, &b.runID
	return q.InsertBillVersions(ctx, b.versions)
}

// diff lists the fields in which two encoded bills differ.
func diff(from, to []byte) (json.RawMessage, error) {
	var a, b map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(from, &a), json.Unmarshal(to, &b)); err != nil {
		return nil, err
	}
	changes := []Change{}
	for field, now := range b {
		before, ok := a[field]
		if !ok {
			before = json.RawMessage("null")
		}
		var x, y any // jsonb spells the same value in another way
		if err := errors.Join(json.Unmarshal(before, &x), json.Unmarshal(now, &y)); err != nil {
			return nil, err
		}
		if !reflect.DeepEqual(x, y) {
			changes = append(changes, Change{Field: field, From: before, To: now})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Field, b.Field) })
	return json.Marshal(changes)
}

func searchText(b Bill) string {
	parts := []string{b.Number, value(b.ShortTitle.En), value(b.ShortTitle.Fr), value(b.Title.En), value(b.Title.Fr)}
	return strings.ToLower(strings.Join(parts, "\n"))
}
