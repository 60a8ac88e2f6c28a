package legisinfo_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// The records below are made up, in the form of the source's own.
const (
	item = `{"BillId": 77, "BillNumberFormatted": "C-23A", "ParlSessionCode": "39-1", "LongTitleEn": "An Act <sup>o</sup> &amp;", "ShortTitleFr": null, "OriginatingChamberId": 1,
 "SponsorId": 9, "SponsorEn": "Hon. Ada Byron", "LatestActivityDateTime": "2007-05-01T15:04:05.5-04:00", "PassedHouseFirstReadingDateTime": "2007-03-02T10:00:00-05:00",
 "ReceivedRoyalAssentDateTime": "0001-01-01T00:00:00", "SearchScore": 1.5}`
	detail = `{"Id": 77, "SponsorPersonName": "Ada Byron", "IsGovernmentBill": true, "StatuteYear": 2007, "StatuteChapter": 12, "ShortLegislativeSummaryEn": "<div>Fish</div>",
 "BillStages": {"HouseBillStages": [{"BillStageNameEn": "First reading", "State": 4, "StateAsOfDate": "2007-03-02T10:00:00", "Committee": null},
   {"BillStageNameEn": "Consideration in committee", "State": 3, "Committee": {"CommitteeAcronym": "FOPO", "CommitteeNameEn": "Fisheries", "CommitteeNameFr": "Pêches"}}],
  "SenateBillStages": [{"State": 1}], "RoyalAssent": {"LastStageEventStartDateTime": "0001-01-01T00:00:00"}},
 "Publications": [{"PublicationId": 5}], "SimilarBills": [{"NumberCode": "C-10", "ParliamentNumber": 40, "SessionNumber": 3}]}`
)

// FuzzParseItem feeds anything through the reader of list items: what it takes has an id, days that are days, and a
// hash that a search's score does not change.
func FuzzParseItem(f *testing.F) {
	for _, s := range []string{item, `{"BillId": 1}`, `{"BillId": -1}`, `{"BillId": 1, "SponsorId": 1e99}`, `[]`, `null`, `{"BillId": 1, "LatestActivityDateTime": "2007-05-01T15:04:05"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := legisinfo.ParseItem(raw)
		if err != nil {
			return
		}
		if got.ID <= 0 || len(got.Hash) != 32 {
			t.Errorf("%s: id %d, hash %q", raw, got.ID, got.Hash)
		}
		for _, day := range []string{got.HouseFirst, got.SenateFirst, got.RoyalAssent, got.Introduced()} {
			if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
				t.Errorf("%s: day %q", raw, day)
			}
		}
		if _, err := time.Parse(time.RFC3339Nano, got.LatestActivity); got.LatestActivity != "" && err != nil {
			t.Errorf("%s: time %q", raw, got.LatestActivity)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatalf("%s was taken, though %v", raw, err)
		}
		fields["SearchScore"] = json.RawMessage("12345")
		scored, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := legisinfo.ParseItem(scored); err == nil && again.Hash != got.Hash { // fields that differ in case alone may change places
			t.Errorf("%s: hash %s, with another score %s", raw, got.Hash, again.Hash)
		}
	})
}

// FuzzParseDetail feeds anything through the reader of a bill's own record.
func FuzzParseDetail(f *testing.F) {
	for _, s := range []string{detail, `{"Id": 1, "BillStages": null}`, `{"Id": 1, "BillStages": {}}`, `{"Id": 1, "Publications": [{}], "SimilarBills": [{}]}`, `{"Id": 0}`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := legisinfo.ParseDetail(raw)
		if err != nil {
			return
		}
		if got.ID <= 0 {
			t.Errorf("%s: id %d", raw, got.ID)
		}
		for _, s := range got.Stages {
			if s.Chamber != "house" && s.Chamber != "senate" {
				t.Errorf("%s: chamber %q", raw, s.Chamber)
			}
			if _, err := time.Parse(time.DateOnly, s.Since); s.Since != "" && err != nil {
				t.Errorf("%s: day %q", raw, s.Since)
			}
		}
		for _, c := range got.Committees {
			if c.Acronym == "" && c.NameEn == "" {
				t.Errorf("%s: a committee without a name", raw)
			}
		}
		// What is stored is this record as JSON: it must come back as it was.
		stored, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var back legisinfo.Detail
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(back); string(again) != string(stored) {
			t.Errorf("stored as %s, read as %s", stored, again)
		}
	})
}
