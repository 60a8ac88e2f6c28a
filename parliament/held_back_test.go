package parliament_test

import (
	"context"
	"slices"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// TestNewBillsBehindAnOldTransaction stores a bill while an older transaction is open. Nobody may go past it in the
// history of bills: what the older one stores comes before it.
func TestNewBillsBehindAnOldTransaction(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := parliament.NewStore(d)
	save := func(number string) {
		t.Helper()
		op := &openparliament.Bill{Session: "44-1", Number: number, NameEn: "An Act", Introduced: "2022-02-02"}
		if _, err := s.Save(t.Context(), newRun(t), []parliament.Record{
			record(t, number, parliament.SourceRecords{OpenParliament: op}),
		}); err != nil {
			t.Fatal(err)
		}
	}
	save("C-2")
	dbtest.Settled(t, d)
	old, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Rollback(context.WithoutCancel(t.Context()))
	if _, err := old.Exec(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	save("C-3")
	first, err := s.NewBillsSince(t.Context(), "")
	if err != nil || !slices.Equal(first.IDs, []string{"44-1/C-2"}) || !first.Unsettled {
		t.Fatalf("while it is open: %+v, %v", first, err)
	}
	if err := old.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	dbtest.Settled(t, d)
	then, err := s.NewBillsSince(t.Context(), first.Next)
	if err != nil || !slices.Equal(then.IDs, []string{"44-1/C-3"}) || then.Unsettled {
		t.Errorf("afterwards: %+v, %v", then, err)
	}
}
