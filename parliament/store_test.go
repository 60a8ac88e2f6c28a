package parliament_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

func newRun(t testing.TB) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func record(t testing.TB, number string, p parliament.SourceRecords) parliament.Record {
	t.Helper()
	return parliament.Record{
		ID: billID(t, "44-1", number), SourceRecords: p, FetchedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	s := parliament.NewStore(dbtest.New(t))
	op := &openparliament.Bill{Session: "44-1", Number: "C-2", NameEn: "An Act", Introduced: "2022-02-02"}
	item := &legisinfo.Item{
		ID: 1, Session: "44-1", Number: "C-2", LongTitleEn: "An Act", HouseFirst: "2022-02-02",
		StatusEn: "At second reading in the House of Commons", Hash: "1",
	}
	save := func(run uuid.UUID, p parliament.SourceRecords, want parliament.Counts) {
		t.Helper()
		got, err := s.Save(t.Context(), run, []parliament.Record{record(t, "C-2", p)})
		if err != nil || got != want {
			t.Errorf("counts %+v (%v), want %+v", got, err, want)
		}
	}
	held := func() *parliament.StoredBill {
		t.Helper()
		b, err := s.Bill(t.Context(), billID(t, "44-1", "C-2"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, two, three := newRun(t), newRun(t), newRun(t)

	save(one, parliament.SourceRecords{OpenParliament: op}, parliament.Counts{Created: 1})
	if b := held(); b.Version != 1 || b.OpenParliamentAt == nil || b.LegisinfoAt != nil || *b.LastRunID != one {
		t.Errorf("bill = %+v", b)
	}
	// the same run again, after a crash
	save(one, parliament.SourceRecords{OpenParliament: op}, parliament.Counts{Created: 1})
	save(two, parliament.SourceRecords{OpenParliament: op}, parliament.Counts{Unchanged: 1})

	save(two, parliament.SourceRecords{OpenParliament: op, Item: item}, parliament.Counts{Updated: 1})
	before := held()
	if before.Version != 2 || before.LegisinfoAt == nil || *before.Status.Code != "HouseAt2ndReading" {
		t.Errorf("bill = %+v", before)
	}
	// Only the item's hash changes: remembered, but no version and no new time.
	other := *item
	other.Hash = "2"
	save(three, parliament.SourceRecords{Item: &other}, parliament.Counts{Unchanged: 1})
	p, err := s.Held(t.Context(), []string{"44-1/C-2"})
	if err != nil || p["44-1/C-2"].Item.Hash != "2" || p["44-1/C-2"].OpenParliament == nil {
		t.Errorf("held = %+v, %v", p, err)
	}
	if b := held(); b.Version != 2 || !b.UpdatedAt.Equal(before.UpdatedAt) || *b.LastRunID != two {
		t.Errorf("bill = %+v", b)
	}
	law := other
	law.RoyalAssent, law.StatusEn = "2022-06-23", "Royal assent received"
	save(three, parliament.SourceRecords{Item: &law}, parliament.Counts{Updated: 1})
	vs, err := s.Versions(t.Context(), billID(t, "44-1", "C-2"), 0, 10)
	if err != nil || len(vs) != 3 || *vs[0].RunID != three {
		t.Fatalf("versions = %+v, %v", vs, err)
	}
	var fields []string
	for _, c := range vs[0].Changes {
		fields = append(fields, c.Field)
	}
	if !slices.Equal(fields, []string{"law", "royal_assent_on", "status"}) {
		t.Errorf("changed %v", fields)
	}
}

// TestSaveAtOnce lets eight runs store the same hundred bills: each bill is created once.
func TestSaveAtOnce(t *testing.T) {
	t.Parallel()
	s := parliament.NewStore(dbtest.New(t))
	var records []parliament.Record
	for i := range 100 {
		id := parliament.BillID{Parliament: 44, Session: 1, Prefix: "C", Digits: i + 1}
		records = append(records, parliament.Record{
			ID: id, SourceRecords: parliament.SourceRecords{Item: &legisinfo.Item{ID: i + 1, LongTitleEn: "An Act", Hash: "1"}},
			FetchedAt: time.Now(),
		})
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var total parliament.Counts
	for range 8 {
		wg.Go(func() {
			c, err := s.Save(t.Context(), newRun(t), records)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total.Add(c)
		})
	}
	wg.Wait()
	if (total != parliament.Counts{Created: 100, Unchanged: 700}) {
		t.Errorf("counts %+v", total)
	}
}
