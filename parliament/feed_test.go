package parliament_test

import (
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// TestUpdateFeedsAfterAConflict has Postgres refuse the commit of an update once, as it does for a serialization
// failure: the update that is done again makes the items that the first one would have made.
func TestUpdateFeedsAfterAConflict(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	conflicts := 0
	d.OnConflict = func(error) { conflicts++ }
	s := parliament.NewStore(d)
	var records []parliament.Record
	for _, number := range []string{"C-2", "C-3"} {
		records = append(records, record(t, number, parliament.SourceRecords{
			OpenParliament: &openparliament.Bill{Session: "44-1", Number: number, NameEn: "An Act", Introduced: "2022-02-02"},
			Item: &legisinfo.Item{
				ID: 1, Session: "44-1", Number: number, LongTitleEn: "An Act", HouseFirst: "2022-02-02",
				StatusEn: "At second reading in the House of Commons", Hash: "1",
			},
		}))
	}
	if _, err := s.Save(t.Context(), newRun(t), records); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `
CREATE SEQUENCE commits;
CREATE FUNCTION refuse_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('commits') = 1 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse_once AFTER INSERT ON feed_items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION refuse_once();`); err != nil {
		t.Fatal(err)
	}
	counts, err := s.UpdateFeeds(t.Context(), 100, func(int) {})
	if err != nil || counts.Items < 2 || conflicts != 1 {
		t.Errorf("%+v, %v; %d conflicts", counts, err, conflicts)
	}
	var items int
	if err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM feed_items`).Scan(&items); err != nil ||
		items != counts.Items {
		t.Errorf("%d items are stored, %d were counted: %v", items, counts.Items, err)
	}
}
